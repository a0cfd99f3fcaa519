"""Squares see noise of the wrong length, of an ensemble that is calibrated in every pixel."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from emulator.config import ValidationConfig
from emulator.fields import FIELDS
from emulator.metrics.base import Case
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.spread_skill import SpreadSkill
from emulator.metrics.spread_skill_squares import SpreadSkillSquares

METRIC = SpreadSkillSquares()
GAS = (FIELDS["gas"],)


def noise(rng, shape, length):
    """Of unit variance, correlated over a length in pixels."""
    white = rng.normal(size=shape)
    if length == 0:
        return white
    smoothed = gaussian_filter(white, (*(0,) * (len(shape) - 2), length, length), mode="wrap")
    return smoothed / smoothed.std()


def case_of(length, spread=1.0, seed=0, side=32, fields=GAS):
    """Truths with scatter over two pixels about what is known; members over ``length`` pixels."""
    rng = np.random.default_rng(seed)
    condition = 1e10 * np.exp(rng.normal(size=(12, side, side)))
    share = np.full((12, 1, side, side), 0.15)
    truth = share * (1 + 0.1 * noise(rng, share.shape, 2)) * condition[:, None]
    scatter = 0.1 * spread * noise(rng, (12, 8, 1, side, side), length)
    members = share[:, None] * (1 + scatter) * condition[:, None, None]
    channel = {"channel": [field.name for field in fields]}
    ensemble = xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), members),
            "truth": (("sample", "channel", "y", "x"), truth),
            "condition": (("sample", "y", "x"), condition),
        },
        coords=channel,
    )
    return Case(
        ensemble=ensemble, fields=fields, pixel_mpch=0.2, mean_dmo=1e10,
        scales=xr.DataArray([1e10], dims="channel", coords=channel),
        model_seed=np.zeros(8, int), forecasts={}, config=ValidationConfig(),
        generator=np.random.default_rng(0),
    )  # fmt: skip


def summary(metric, cases):
    stats = xr.concat([metric.compute(case) for case in cases], "simulation")
    stats = stats.assign_coords(run=("simulation", [f"r{i}" for i in range(len(cases))]))
    stats = stats.assign_coords(member=np.arange(8))
    return xr.Dataset(metric.summarise(Jackknife(stats["run"]), stats, GAS))


def test_it_is_brute_force_of_ratios():
    case = case_of(1, side=16)
    found = METRIC.compute(case)
    assert found["side"].values.tolist() == [2, 4, 8]

    def ratios(values, condition, side=4):
        def sums(x):
            blocks = x.reshape(*x.shape[:-2], 16 // side, side, 16 // side, side)
            return blocks.sum((-3, -1))

        return sums(values) / sums(condition)

    condition = case.ensemble["condition"].values
    members = ratios(case.ensemble["fields"].values, condition[:, None, None])
    truth = ratios(case.ensemble["truth"].values, condition[:, None])
    at = {"side": 4, "channel": "gas"}
    variance = members.var(1, ddof=1).mean()
    error = ((members.mean(1) - truth) ** 2).mean()
    assert float(found["variance_squares"].sel(at)) == pytest.approx(variance)
    assert float(found["squared_error_squares"].sel(at)) == pytest.approx(error)


@pytest.mark.parametrize(
    ("length", "spread", "verdict"),
    [(2, 1.0, "met"), (0, 1.0, "missed"), (2, 0.5, "missed"), (2, 1.8, "missed")],
)
def test_white_noise_is_caught_though_its_pixels_are_calibrated(length, spread, verdict):
    cases = [case_of(length, spread, seed=seed) for seed in range(6)]
    metrics = summary(METRIC, cases)
    (bar,) = METRIC.bars(metrics, ValidationConfig(), GAS)
    low, high = bar.threshold
    assert ("met" if low <= bar.value <= high else "missed") == verdict
    if length == 0:
        pixels = summary(SpreadSkill(), cases)["spread_skill"].sel(estimate="value", channel="gas")
        assert float(pixels) == pytest.approx(1.0, abs=0.1)
        by_side = metrics["spread_skill_squares"].sel(estimate="value", channel="gas")
        assert by_side.values[0] > by_side.values[1] > by_side.values[2]
        assert bar.facts["side"] == 8
        assert "too confident" in bar.text
    if spread > 1:
        assert "too wide" in bar.text


def test_a_square_without_dark_matter_is_left_out():
    case = case_of(2)
    empty = case.ensemble["condition"].copy(deep=True)
    empty[0, :8, :8] = 0.0
    case.ensemble["condition"] = empty
    for value in METRIC.compute(case).data_vars.values():
        assert np.isfinite(value).all()


def test_windows_too_small_for_a_square_have_no_bar():
    case = case_of(0, side=2)
    assert not METRIC.compute(case).data_vars
    assert METRIC.bars(xr.Dataset(), ValidationConfig(), GAS) == []


def test_a_number_that_is_not_defined_misses_its_bar():
    cases = [case_of(2, seed=seed) for seed in range(2)]
    metrics = summary(METRIC, cases)
    metrics["spread_skill_squares"][:] = np.nan
    (bar,) = METRIC.bars(metrics, ValidationConfig(), GAS)
    assert np.isnan(bar.value)
