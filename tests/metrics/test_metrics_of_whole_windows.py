"""Winkler's score, the energy score and the variance field against brute force and closed forms."""

import itertools

import judged
import numpy as np
import pytest
import refused
import xarray as xr
from scipy import integrate, stats

from emulator.metrics.calibration import crps
from emulator.metrics.energy import EnergyScore, energy_score
from emulator.metrics.interval_score import IntervalScore, interval_score
from emulator.metrics.power_spectrum import build_shells, fourier_modes, shell_power
from emulator.metrics.variance_field import VarianceField, variance_power

DIMS = ("sample", "member", "channel", "y", "x")


def draws(n_members, shape=(3, 2, 4, 4), seed=0):
    rng = np.random.default_rng(seed)
    n_samples, *rest = shape
    values = rng.normal(size=(n_samples, n_members + 1, *rest))
    whole = xr.DataArray(values, dims=DIMS, coords={"channel": [f"c{i}" for i in range(rest[0])]})
    return whole.isel(member=slice(1, None)), whole.isel(member=0, drop=True)


@pytest.mark.parametrize("n_members", [2, 5, 8])
def test_the_interval_score_is_its_definition(n_members):
    members, truth = draws(n_members)
    found = interval_score(members, truth)
    for level in found["level"].values:
        alpha = 1 - level
        j = round(alpha * (n_members + 1) / 2)
        for channel in range(2):
            total = []
            for sample, y, x in np.ndindex(3, 4, 4):
                row = np.sort(members.values[sample, :, channel, y, x])
                low, high, t = row[j - 1], row[-j], truth.values[sample, channel, y, x]
                cost = 2 / alpha * (max(low - t, 0) + max(t - high, 0))
                total.append(high - low + cost)
            assert found.sel(level=level)[channel].item() == pytest.approx(np.mean(total))
    assert (np.diff(found["level"]) > 0).all()
    assert found.sizes["level"] == n_members // 2


def test_the_interval_of_a_normal_has_the_score_of_the_closed_form():
    """With many members the ends are quantiles: 2 z + 4/alpha (phi(z) - z (1 - Phi(z)))."""
    members, truth = draws(199, (1, 1, 100, 100), seed=1)
    found = interval_score(members, truth).sel(level=0.9, method="nearest")
    alpha = 1 - float(found["level"])
    z = stats.norm.ppf(1 - alpha / 2)
    expected = 2 * z + 4 / alpha * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    assert found.item() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("factor", [0.4, 1.6])
def test_intervals_of_the_wrong_width_score_worse(factor):
    members, truth = draws(8, (4, 1, 64, 64), seed=2)
    wrong, right = (interval_score(each, truth)[-1] for each in (factor * members, members))
    assert (wrong > 1.03 * right).all()


def test_the_energy_score_is_its_definition():
    members, truth = draws(4)
    found = energy_score(members, truth)
    for sample, channel in np.ndindex(3, 2):
        x = members.values[sample, :, channel].reshape(4, -1)
        y = truth.values[sample, channel].ravel()
        near = np.mean([np.linalg.norm(each - y) for each in x])
        apart = sum(np.linalg.norm(a - b) for a, b in itertools.permutations(x, 2)) / (2 * 4 * 3)
        assert found[sample, channel].item() == pytest.approx((near - apart) / np.sqrt(16))


def test_the_energy_score_of_one_pixel_is_the_crps():
    members, truth = draws(5, (6, 1, 1, 1))
    expected = crps(members, truth).squeeze(("y", "x"))
    np.testing.assert_allclose(energy_score(members, truth), expected)


def test_the_energy_score_does_not_depend_on_the_size_of_the_ensemble():
    """Of N(0, I) in d dimensions it is E|X - Y| - E|X - X'| / 2 = E|X - X'| / 2."""
    d = 9
    chi = stats.chi(d).mean() * np.sqrt(2)
    for n_members in (2, 8):
        members, truth = draws(n_members, (4000, 1, 3, 3), seed=n_members)
        found = energy_score(members, truth)
        error = float(found.std()) / np.sqrt(4000)
        assert float(found.mean()) == pytest.approx(chi / 2 / np.sqrt(d), abs=4 * error)


def test_the_energy_score_sees_pixels_that_are_shuffled_among_members():
    """Every pixel keeps its members, so that no score of pixels changes; the window does."""
    rng = np.random.default_rng(3)
    common = rng.normal(size=(300, 9, 1, 1, 1))
    values = common + 0.1 * rng.normal(size=(300, 9, 1, 4, 4))
    whole = xr.DataArray(values, dims=DIMS, coords={"channel": ["c"]})
    members, truth = whole.isel(member=slice(1, None)), whole.isel(member=0, drop=True)
    shuffled = members.copy(data=rng.permuted(members.values, axis=1))
    np.testing.assert_allclose(crps(shuffled, truth), crps(members, truth))
    score = energy_score(members, truth).mean()
    assert energy_score(shuffled, truth).mean() > 1.1 * score


def brute_variance_power(members, shells):
    n_members = len(members)
    pairs = list(itertools.combinations(range(n_members), 2))
    modes = {(i, j): fourier_modes((0.5 * (members[i] - members[j]) ** 2)[None]) for i, j in pairs}
    products = [
        shell_power(modes[a], modes[b], shells) for a in pairs for b in pairs if not set(a) & set(b)
    ]
    return np.mean(products, axis=0)[0]


@pytest.mark.parametrize("n_members", [4, 5, 7])
def test_the_variance_spectrum_is_the_mean_over_pairs_without_a_common_member(n_members):
    shells = build_shells(8, 0.2)
    members = np.random.default_rng(4).normal(size=(n_members, 8, 8))
    found = variance_power(members, shells)
    np.testing.assert_allclose(found, brute_variance_power(members, shells), rtol=1e-9)


@pytest.mark.parametrize("n_members", [4, 8])
def test_the_variance_spectrum_is_unbiased(n_members):
    """That of the true variance map, which the variance of members overestimates by its noise."""
    rng = np.random.default_rng(5)
    shells = build_shells(8, 0.2)
    sigma = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(8) / 8) * np.ones((8, 1))
    truth = fourier_modes((sigma**2)[None])
    expected = shell_power(truth, truth, shells)[0]
    members = sigma * rng.normal(size=(3000, n_members, 8, 8))
    each = variance_power(members, shells)
    error = each.std(axis=0) / np.sqrt(len(each))
    assert np.abs(each.mean(axis=0) - expected) == pytest.approx(0, abs=4 * error.max())
    modes = fourier_modes(members.var(axis=1, ddof=1))
    naive = shell_power(modes, modes, shells).mean(axis=0)
    assert (naive > expected + 10 * error).all()


def test_too_few_members_are_refused():
    members, truth = draws(3)
    with pytest.raises(ValueError, match="at least 4 members, got 3"):
        variance_power(members.values[0, :, 0], build_shells(4, 0.2))
    for score in (interval_score, energy_score):
        with pytest.raises(ValueError, match="at least 2 members, got 1"):
            score(members.isel(member=[0]), truth)


SMOOTH = ["dm_hydro", "gas"]
METRICS = (IntervalScore(), EnergyScore(), VarianceField())


def ensembles(kind, n_draws=5):
    suite = refused.simulations(n_cv=4, n_draws=n_draws)
    held_out = [s for s in suite if s.name.startswith("CV")]
    return [
        refused.make_ensemble(
            s, kind, redraws=[r for r in suite if r.run == s.run and r != s], n_windows=8
        )
        for s in held_out
    ]


@pytest.fixture(scope="module")
def summary():
    return judged.summarised(ensembles("calibrated"), *METRICS)


def value(summary, name, **where):
    return summary[name].sel(estimate="value", **where)


def test_draws_of_the_law_reach_the_oracle(summary):
    assert value(summary, "interval_score_ratio").values == pytest.approx(1.0, abs=0.12)
    assert value(summary, "energy_score_ratio").values == pytest.approx(1.0, abs=0.05)
    ratio = value(summary, "variance_power_ratio", channel=SMOOTH)
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.35)
    assert summary["level"].values == pytest.approx([1 / 3, 2 / 3])


def test_what_is_wrong_scores_worse_than_the_oracle(summary):
    for kind, low, high in (("under_dispersed", 0.0, 0.2), ("over_dispersed", 2.0, np.inf)):
        wrong = judged.summarised(ensembles(kind), *METRICS)
        for name in ("interval_score_ratio", "energy_score_ratio"):
            found, right = (value(each, name, channel=SMOOTH) for each in (wrong, summary))
            if "level" in found.dims:
                found, right = found.isel(level=-1), right.isel(level=-1)
            assert (found > right).all()
        power = value(wrong, "variance_power_ratio", channel=SMOOTH).mean("k")
        assert ((power > low) & (power < high)).all()


def test_without_redraws_there_is_no_oracle():
    summary = judged.summarised(ensembles("calibrated", n_draws=0)[:2], *METRICS)
    assert not [n for n in summary.data_vars if "interval" in str(n) or "variance" in str(n)]
    assert np.isnan(summary["energy_score_ratio"]).all()
    assert np.isfinite(value(summary, "energy_score")).all()


def test_the_transform_is_linear_in_faint_and_logarithmic_in_bright_pixels():
    ensemble = ensembles("calibrated", n_draws=0)[0]
    case = judged.make_case(ensemble)
    scaled = np.arcsinh(ensemble["truth"].astype(float) / case.mean_dmo)
    members = np.arcsinh(ensemble["fields"].astype(float) / case.mean_dmo)
    expected = energy_score(members, scaled).mean("sample")
    np.testing.assert_allclose(EnergyScore().compute(case)["energy"], expected)
    assert integrate.quad(lambda x: 1 / np.sqrt(1 + x * x), 0, 3)[0] == pytest.approx(np.arcsinh(3))
