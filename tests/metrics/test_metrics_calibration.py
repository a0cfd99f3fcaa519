"""Calibration metrics against brute force, and exact on ensembles that are calibrated."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics import calibration
from emulator.metrics.power_spectrum import build_shells, fourier_modes, shell_power

M = 8


def exchangeable(seed: int, n: int = 40_000, members: int = M, scale: float = 1.0):
    """Truth and members from one distribution given a condition of unequal scatter."""
    rng = np.random.default_rng(seed)
    mean, sigma = rng.normal(size=n), rng.lognormal(size=n)
    draws = (
        mean + sigma * rng.normal(size=(members + 1, n)) * np.r_[1.0, [scale] * members][:, None]
    )
    return xr.DataArray(draws[1:], dims=("member", "x")), xr.DataArray(draws[0], dims="x")


def test_crps_is_the_brute_force_double_sum():
    ensemble, truth = exchangeable(0, n=50)
    x, y = ensemble.values, truth.values
    pairs = np.abs(x[:, None] - x[None, :]).sum(axis=(0, 1))
    expected = np.abs(x - y).mean(axis=0) - pairs / (2 * M * (M - 1))
    assert calibration.crps(ensemble, truth).values == pytest.approx(expected, rel=1e-12)


def test_fair_crps_does_not_depend_on_the_size_of_the_ensemble():
    small, large = (calibration.crps(*exchangeable(1, members=m)).mean() for m in (2, 32))
    assert float(small / large) == pytest.approx(1.0, abs=0.02)


def test_fair_crps_of_a_gaussian_ensemble_is_the_closed_form():
    rng = np.random.default_rng(2)
    ensemble = xr.DataArray(rng.normal(size=(4, 100_000)), dims=("member", "x"))
    truth = xr.DataArray(rng.normal(size=100_000), dims="x")
    # E of the CRPS of N(0,1) for a truth from N(0,1) is 1 / sqrt(pi).
    assert float(calibration.crps(ensemble, truth).mean()) == pytest.approx(
        1 / np.sqrt(np.pi), rel=0.01
    )


@pytest.mark.parametrize("members", [2, 5, 16])
def test_spread_matches_skill_for_every_ensemble_size(members):
    variance, error = calibration.spread_and_skill(*exchangeable(3, members=members))
    # Each point counts by its own variance, so that heavy tails do not rule the mean.
    ratio = calibration.spread_skill_ratio(variance.mean(), error.mean(), members)
    assert float(ratio) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_spread_skill_and_ranks_see_a_wrong_spread(scale):
    ensemble, truth = exchangeable(4, scale=scale)
    variance, error = calibration.spread_and_skill(ensemble, truth)
    ratio = float(calibration.spread_skill_ratio(variance.mean(), error.mean(), M))
    histogram = calibration.rank_histogram(
        calibration.truth_ranks(ensemble, truth, np.random.default_rng(0)).values, M
    )
    ends, middle = histogram[[0, -1]].mean(), histogram[M // 2]
    assert (ratio < 0.7 and ends > 2 * middle) if scale < 1 else (ratio > 1.3 and ends < middle / 2)


@pytest.mark.parametrize("empty", [0.0, 0.7])
def test_ranks_are_flat_and_coverage_nominal_also_with_ties(empty):
    ensemble, truth = exchangeable(5)
    rng = np.random.default_rng(6)
    keep = rng.random((M + 1, truth.size)) >= empty
    ensemble, truth = ensemble.where(keep[1:], 0.0), truth.where(keep[0], 0.0)
    ranks = calibration.truth_ranks(ensemble, truth, rng)
    histogram = calibration.rank_histogram(ranks.values, M)
    error = np.sqrt((1 / (M + 1)) / truth.size)
    assert np.abs(histogram - 1 / (M + 1)).max() < 4 * error
    coverage = calibration.interval_coverage(xr.DataArray(histogram, dims="rank"))
    assert coverage["nominal"].values == pytest.approx(np.array([1, 3, 5, 7]) / 9)
    assert coverage.values == pytest.approx(coverage["nominal"].values, abs=0.01)


def test_coverage_counts_truths_between_order_statistics():
    ensemble, truth = exchangeable(7, n=500)
    rng = np.random.default_rng(0)
    histogram = calibration.rank_histogram(calibration.truth_ranks(ensemble, truth, rng).values, M)
    coverage = calibration.interval_coverage(xr.DataArray(histogram, dims="rank"))
    ordered = np.sort(ensemble.values, axis=0)
    for j, value in zip(range(M // 2, 0, -1), coverage.values, strict=True):
        inside = (truth.values > ordered[j - 1]) & (truth.values < ordered[M - j])
        assert value == pytest.approx(inside.mean())


def test_pair_power_is_the_mean_over_pairs_of_members():
    rng = np.random.default_rng(8)
    modes = fourier_modes(rng.normal(size=(4, 16, 16)))
    shells = build_shells(16, 1.0)
    pairs = [shell_power(modes[i], modes[j], shells) for i in range(4) for j in range(4) if i != j]
    mean = modes.mean(axis=0)
    got = calibration.member_pair_power(
        shell_power(modes, modes, shells).mean(axis=0), shell_power(mean, mean, shells), 4
    )
    assert got == pytest.approx(np.mean(pairs, axis=0))


def test_members_correlate_with_the_truth_as_with_each_other():
    rng = np.random.default_rng(9)
    shells, n_maps = build_shells(16, 1.0), 600
    condition = rng.normal(size=(n_maps, 1, 16, 16))
    modes = fourier_modes(condition + 0.7 * rng.normal(size=(n_maps, 5, 16, 16)))
    truth, members = modes[:, 0], modes[:, 1:]
    mean = members.mean(axis=1)
    power = shell_power(members, members, shells).mean(axis=(0, 1))
    pair = calibration.member_pair_power(power, shell_power(mean, mean, shells).mean(axis=0), 4)
    with_truth = shell_power(mean, truth, shells).mean(axis=0)
    power_truth = shell_power(truth, truth, shells).mean(axis=0)
    assert with_truth / np.sqrt(power * power_truth) == pytest.approx(pair / power, abs=0.02)
    assert pair / power == pytest.approx(1 / (1 + 0.7**2), abs=0.02)


@pytest.mark.parametrize("members", [0, 1])
def test_too_few_members_are_refused(members):
    ensemble = xr.DataArray(np.ones((members, 3)), dims=("member", "x"))
    truth = xr.DataArray(np.ones(3), dims="x")
    rng = np.random.default_rng(0)
    calls = (
        lambda: calibration.crps(ensemble, truth),
        lambda: calibration.spread_and_skill(ensemble, truth),
        lambda: calibration.spread_skill_ratio(truth, truth, members),
        lambda: calibration.truth_ranks(ensemble, truth, rng),
        lambda: calibration.interval_coverage(xr.DataArray(np.ones(members + 1), dims="rank")),
        lambda: calibration.member_pair_power(truth.values, truth.values, members),
    )
    for call in calls:
        with pytest.raises(ValueError, match="at least 2 members"):
            call()
