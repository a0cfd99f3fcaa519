"""Two members are enough: scores and tests of calibration, worked out by hand."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics import calibration
from emulator.units import Unit

MEMBERS = xr.DataArray([[1.0, 5.0], [4.0, 5.0]], dims=("member", "x"))
TRUTH = xr.DataArray([2.0, 5.0], dims="x", attrs={"units": "Msun/h per pixel"})


def test_crps_of_two_members():
    score = calibration.crps(MEMBERS, TRUTH)
    # (|1 - 2| + |4 - 2|) / 2 - |1 - 4| / 2, and three equal values
    assert score.values.tolist() == [0.0, 0.0]
    far = calibration.crps(MEMBERS, TRUTH + 10.0)
    assert far.values.tolist() == pytest.approx([(11 + 8) / 2 - 3 / 2, 10.0])
    assert score.attrs["units"] == "Msun/h per pixel"
    assert score.attrs["long_name"] == "continuous ranked probability score"


def test_crps_of_the_members_in_any_order_of_dimensions():
    rng = np.random.default_rng(0)
    ensemble = xr.DataArray(rng.random((3, 4, 5)), dims=("x", "member", "y"))
    truth = xr.DataArray(rng.random((5, 3)), dims=("y", "x"))
    score = calibration.crps(ensemble, truth)
    assert score.dims == ("y", "x")
    for i, j in np.ndindex(3, 5):
        x, y = ensemble.values[i, :, j], truth.values[j, i]
        pairs = np.abs(x[:, None] - x[None, :]).sum() / (2 * 4 * 3)
        assert float(score[j, i]) == pytest.approx(np.abs(x - y).mean() - pairs)


def test_single_precision_masses_are_scored_in_double():
    ensemble = (1e12 + MEMBERS * 1e6).astype(np.float32)
    truth = (1e12 + TRUTH * 1e6).astype(np.float32)
    score = calibration.crps(ensemble, truth)
    assert score.dtype == np.float64
    exact = calibration.crps(ensemble.astype(np.float64), truth.astype(np.float64))
    assert score.values.tolist() == exact.values.tolist()
    variance, error = calibration.spread_and_skill(ensemble, truth)
    assert variance.dtype == error.dtype == np.float64


def test_variance_and_error_of_two_members():
    variance, error = calibration.spread_and_skill(MEMBERS, TRUTH)
    assert variance.values.tolist() == [4.5, 0.0]
    assert error.values.tolist() == [0.25, 0.0]


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_spread_over_skill_is_the_root_of_a_ratio_in_any_unit(unit):
    variance, error = (xr.DataArray(unit * value) for value in (8.0, 3.0))
    ratio = calibration.spread_skill_ratio(variance, error, 2)
    assert float(ratio) == pytest.approx(2.0)  # sqrt(3/2 * 8/3)
    assert ratio.attrs["units"] == Unit.DIMENSIONLESS


def test_spread_over_no_error_is_undefined():
    one, zero = xr.DataArray(1.0), xr.DataArray(0.0)
    assert np.isnan(calibration.spread_skill_ratio(one, zero, 2))
    assert float(calibration.spread_skill_ratio(zero, one, 2)) == 0.0


def test_ranks_count_members_below_the_truth_and_break_ties_evenly():
    truth = xr.DataArray(np.full(6000, 5.0), dims="x")
    levels = xr.DataArray([3.0, 5.0, 5.0, 9.0], dims="member")
    ranks = calibration.truth_ranks(
        levels.broadcast_like(truth), truth, np.random.default_rng(0)
    ).values
    shares = np.bincount(ranks, minlength=5) / 6000
    assert shares[[0, 4]].tolist() == [0.0, 0.0]
    assert shares[1:4] == pytest.approx(1 / 3, abs=4 * np.sqrt(2 / 9 / 6000))


def test_ranks_of_two_members():
    ensemble = xr.DataArray([[1.0], [2.0]], dims=("member", "x"))
    for value, rank in ((0.0, 0), (1.5, 1), (3.0, 2)):
        truth = xr.DataArray([value], dims="x")
        assert calibration.truth_ranks(ensemble, truth, np.random.default_rng(0)) == [rank]


def test_a_histogram_has_a_place_for_every_rank():
    assert calibration.rank_histogram(np.array([[0, 0], [1, 1]]), 3).tolist() == [0.5, 0.5, 0, 0]
    assert calibration.rank_histogram(np.array([2]), 2).tolist() == [0.0, 0.0, 1.0]
    assert calibration.rank_histogram(np.array([], int), 2).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("shares", "nominal", "expected"),
    [
        ([0.2, 0.5, 0.3], [1 / 3], [0.5]),
        ([0.1, 0.2, 0.3, 0.4], [1 / 2], [0.5]),
        ([0.1, 0.2, 0.3, 0.15, 0.25], [1 / 5, 3 / 5], [0.3, 0.65]),
    ],
)
def test_coverage_of_central_intervals(shares, nominal, expected):
    coverage = calibration.interval_coverage(xr.DataArray(shares, dims="rank"))
    assert coverage["nominal"].values == pytest.approx(nominal)
    assert coverage.values == pytest.approx(expected)
    assert coverage.attrs["units"] == coverage["nominal"].attrs["units"] == Unit.DIMENSIONLESS


def test_pair_power_of_two_members_is_their_cross_power():
    a, b = np.array([3.0, -1.0]), np.array([0.5, 2.0])
    got = calibration.member_pair_power((a**2 + b**2) / 2, ((a + b) / 2) ** 2, 2)
    assert got == pytest.approx(a * b)


def test_the_size_of_an_ensemble_is_that_of_its_members():
    assert calibration.require_members(MEMBERS) == 2
    assert calibration.require_members(TRUTH, minimum=0) == 0
    with pytest.raises(ValueError, match="at least 2 members, got 0"):
        calibration.require_members(TRUTH)
    with pytest.raises(ValueError, match="at least 3 members, got 2"):
        calibration.require_members(MEMBERS, minimum=3)
