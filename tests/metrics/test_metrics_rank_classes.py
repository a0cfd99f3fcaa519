"""Classes of brightness: flat in each if calibrated, and what is wrong in one shows there."""

import judged
import numpy as np
import pytest
import refused
import xarray as xr

from emulator.metrics import calibration
from emulator.metrics.brightness import CLASSES, brightness_classes
from emulator.metrics.rank_classes import RankClasses
from emulator.metrics.spread_skill import SpreadSkill

METRICS = (RankClasses(), SpreadSkill())
FIELDS = ("dark matter", "gas", "stars")


def lognormal(n_members=8, seed=0, side=128):
    """Exchangeable draws of pixels of different brightness, a tenth of them empty."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(size=(1, 1, 1, side, side)))
    draws = level * np.exp(0.8 * rng.normal(size=(1, n_members + 1, 1, side, side)))
    draws *= rng.random(draws.shape) < 0.9
    draws[..., :5] = 0.0
    dims = ("sample", "member", "channel", "y", "x")
    whole = xr.DataArray(draws, dims=dims, coords={"channel": ["gas"]})
    return whole.isel(member=slice(1, None)), whole.isel(member=0, drop=True)


def shares_by(classes, ranks, n_members):
    return [calibration.rank_histogram(ranks.values[each], n_members) for each in classes.values]


def test_classes_are_quantiles_of_all_draws_together():
    members, truth = lognormal(n_members=3, side=32)
    pooled = (truth.values + members.values.sum(1)) / 4
    occupied = pooled[pooled > 0]
    faint, middle, bright = brightness_classes(members, truth).values
    low, high = np.quantile(occupied, 0.5), np.quantile(pooled, 0.99)
    np.testing.assert_array_equal(faint, (pooled > 0) & (pooled <= low))
    np.testing.assert_array_equal(middle, (pooled > low) & (pooled <= high))
    np.testing.assert_array_equal(bright, pooled > high)
    assert (faint.sum(), bright.sum()) == (
        pytest.approx(occupied.size / 2, abs=1),
        pytest.approx(pooled.size / 100, abs=1),
    )
    assert not (faint | middle | bright)[pooled == 0].any()


def test_classes_do_not_know_which_draw_is_the_truth():
    members, truth = lognormal(n_members=3, side=32)
    swapped = members.copy(deep=True)
    swapped[:, 1] = truth.values
    other = members.isel(member=1)
    xr.testing.assert_equal(brightness_classes(members, truth), brightness_classes(swapped, other))


def test_where_hardly_any_pixel_is_occupied_the_faint_half_is_not_bright():
    truth = xr.zeros_like(lognormal(n_members=2, side=16)[1])
    truth[0, 0, 0, :2] = [1.0, 2.0]  # of 256 pixels
    members = truth.expand_dims(member=2)
    faint, middle, bright = brightness_classes(members, truth).values
    assert (faint.sum(), middle.sum(), bright.sum()) == (1, 0, 1)


def test_a_field_without_mass_has_no_class():
    members, truth = lognormal(n_members=2, side=16)
    assert not brightness_classes(0 * members, 0 * truth).any()


def test_a_calibrated_ensemble_is_flat_in_every_class():
    members, truth = lognormal()
    ranks = calibration.truth_ranks(members, truth, np.random.default_rng(1))
    classes = brightness_classes(members, truth)
    for shares, each in zip(shares_by(classes, ranks, 8), classes.values, strict=True):
        error = 1 / 9 / np.sqrt(each.sum() / 9)
        assert shares == pytest.approx(1 / 9, abs=4.5 * error)
    # where the truth alone is bright it lies above its members
    bright = truth >= truth.quantile(0.99)
    shares = calibration.rank_histogram(ranks.values[bright.values], 8)
    assert shares[5:].sum() - shares[:4].sum() > 0.3


@pytest.mark.parametrize("n_members", [2, 3, 8])
def test_the_spread_of_ranks_is_one_if_flat(n_members):
    def spread(shares):
        return calibration.rank_spread(xr.DataArray(shares, dims="rank")).item()

    m = n_members
    assert spread(np.full(m + 1, 1 / (m + 1))) == pytest.approx(1.0)
    ends = np.zeros(m + 1)
    ends[[0, -1]] = 0.5
    assert spread(ends) == pytest.approx(3 * m / (m + 2))
    ranks = np.random.default_rng(0).integers(0, m + 1, 500)
    flat = np.mean((np.arange(m + 1) - m / 2) ** 2)
    expected = np.mean((ranks - m / 2) ** 2) / flat
    assert spread(calibration.rank_histogram(ranks, m)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least 2 members, got 1"):
        spread(np.array([0.5, 0.5]))


@pytest.mark.parametrize("ratio", [0.7, 1.3])
def test_the_bars_are_those_of_the_spread_skill_of_normal_scatter(ratio):
    """The reason of the defaults: both ends of the bar of spread-skill miss these."""
    rng = np.random.default_rng(2)
    truth = xr.DataArray(rng.normal(size=200_000), dims="x")
    members = xr.DataArray(ratio * rng.normal(size=(8, 200_000)), dims=("member", "x"))
    ranks = calibration.truth_ranks(members, truth, rng)
    shares = xr.DataArray(calibration.rank_histogram(ranks.values, 8), dims="rank")
    expected = {0.7: 1.285, 1.3: 0.81}[ratio]
    assert calibration.rank_spread(shares).item() == pytest.approx(expected, abs=0.01)
    coverage = calibration.interval_coverage(shares)
    error = float(abs(coverage - coverage["nominal"]).max())
    assert error == pytest.approx({0.7: 0.139, 1.3: 0.094}[ratio], abs=0.01)


def ensembles(kind, n=6):
    simulations = [s for s in refused.simulations(n_cv=n) if s.name.startswith("CV")]
    return [refused.make_ensemble(s, kind, n_windows=12) for s in simulations]


@pytest.fixture(scope="module")
def calibrated():
    return ensembles("calibrated", 10)


def verdicts(summary):
    return {name: bar["verdict"] for name, bar in judged.bars_of(summary, *METRICS).items()}


def test_a_calibrated_ensemble_meets_the_bars_of_all_classes(calibrated):
    summary = judged.summarised(calibrated, *METRICS)
    assert set(verdicts(summary).values()) == {"met"}
    assert summary["rank_spread"].sel(estimate="value").values == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("kind", "side"), [("under_dispersed", "above"), ("over_dispersed", "below")]
)
def test_too_narrow_and_too_wide_ensembles_are_caught(kind, side):
    summary = judged.summarised(ensembles(kind, 3), *METRICS)
    found = verdicts(summary)
    low, high = 0.8, 1.3
    for field in ("dark matter", "gas"):
        assert found[f"spread of ranks by brightness, {field}"] == "missed"
        assert found[f"coverage by brightness, {field}"] == "missed"
        bar = judged.bars_of(summary, *METRICS)[f"spread of ranks by brightness, {field}"]
        assert bar["value"] > high if side == "above" else bar["value"] < low
        assert ("too narrow" if side == "above" else "too wide") in bar["text"]


def uneven(ensemble, narrowed=0.6):
    """Too wide in the brightest 1 %, too narrow elsewhere, with the whole variance unchanged."""
    members = ensemble["fields"].astype(np.float64)
    bright = brightness_classes(members, ensemble["truth"]).sel(brightness="bright", drop=True)
    variance, over = members.var("member"), ("sample", "y", "x")
    there = variance.where(bright, 0.0).sum(over)
    elsewhere = variance.where(~bright, 0.0).sum(over)
    widened = np.sqrt(1.0 + (1.0 - narrowed**2) * elsewhere / there)
    mean = members.mean("member")
    fields = mean + xr.where(bright, widened, narrowed) * (members - mean)
    return ensemble.assign(fields=fields.transpose(*members.dims))


def test_a_dome_in_the_peaks_and_a_u_elsewhere_cancel_in_spread_skill_and_not_in_classes(
    calibrated,
):
    summary = judged.summarised([uneven(each) for each in calibrated], *METRICS)
    found = verdicts(summary)
    spread = summary["rank_spread"].sel(estimate="value")
    for name, field in (("dm_hydro", "dark matter"), ("gas", "gas")):
        assert found[f"spread-skill, {field}"] == "met"
        assert found[f"spread of ranks by brightness, {field}"] == "missed"
        assert found[f"coverage by brightness, {field}"] == "missed"
        by_class = spread.sel(channel=name)
        assert float(by_class.sel(brightness="bright")) < 0.9
        assert float(by_class.sel(brightness="faint")) > 1.3


def test_a_class_without_pixels_is_not_judged_and_none_at_all_misses(calibrated):
    ensemble = calibrated[0].copy(deep=True)
    for name in ("fields", "truth"):
        ensemble[name].loc[{"channel": "stars"}] = 0.0
    summary = judged.summarised([ensemble, ensemble], *METRICS)
    bars = judged.bars_of(summary, *METRICS)
    assert bars["spread of ranks by brightness, stars"]["value"] is None
    assert bars["coverage by brightness, stars"]["verdict"] == "missed"
    assert bars["coverage by brightness, gas"]["verdict"] == "met"
    one = summary.copy(deep=True)
    one["rank_spread"].loc[{"brightness": "bright"}] = np.nan
    one["coverage_class"].loc[{"brightness": "bright"}] = np.nan
    bars = judged.bars_of(one, *METRICS)
    assert bars["spread of ranks by brightness, gas"]["brightness"] in ("faint", "middle")
    assert set(summary["brightness"].values) == set(CLASSES)
