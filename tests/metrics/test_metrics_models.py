"""The variance between models against closed forms, and what is kept of each model."""

import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import find_fields
from emulator.metrics import calibration
from emulator.metrics.base import Case
from emulator.metrics.models import Models, compare_models

N_MODELS, N_MEMBERS, SIDE = 3, 8, 32


def make(between, *, within=1.0, seed=0):
    """Ensemble of Gaussian pixels whose models differ by Gaussian offsets, pixel by pixel."""
    rng = np.random.default_rng(seed)
    shape = (40, N_MODELS, N_MEMBERS, 1, SIDE, SIDE)
    offsets = between * rng.standard_normal((40, N_MODELS, 1, 1, SIDE, SIDE))
    fields = 10 + offsets + within * rng.standard_normal(shape)
    dims = ("sample", "member", "channel", "y", "x")
    return xr.Dataset(
        {
            "fields": (dims, fields.reshape(40, -1, 1, SIDE, SIDE)),
            "truth": (
                ("sample", "channel", "y", "x"),
                10 + rng.standard_normal((40, 1, SIDE, SIDE)),
            ),
        },
        coords={
            "channel": ["gas"],
            "model_seed": ("member", np.repeat([5, 7, 9], N_MEMBERS)),
        },
    )


def compare(ensemble, unit=1.0):
    power = xr.DataArray(np.arange(24.0)[:, None, None], dims=("member", "field", "k"))
    return compare_models(ensemble, power, unit)


@pytest.mark.parametrize("between", [0.0, 0.5, 2.0])
def test_the_variance_splits_as_it_was_made(between):
    stats = compare(make(between), unit=2.0)
    # 40 * 32^2 pixels of two degrees of freedom each
    error = 3 * (between**2 + 1 / N_MEMBERS) / np.sqrt(40 * SIDE**2)
    assert stats.variance_between.item() * 4 == pytest.approx(between**2, abs=error)
    assert stats.variance_within.item() * 4 == pytest.approx(1.0, abs=0.01)


def test_the_parts_are_those_of_the_analysis_of_variance():
    """Within and between add up to the variance of all members as sums of squares do."""
    ensemble = make(0.7)
    stats, total = compare(ensemble), ensemble.fields.var("member", ddof=1).mean()
    n, m = N_MEMBERS, N_MODELS
    within = stats.variance_within.item()
    squares = m * (n - 1) * within + n * (m - 1) * (stats.variance_between.item() + within / n)
    assert squares / (n * m - 1) == pytest.approx(total.item(), rel=1e-9)


def test_each_model_is_scored_alone():
    ensemble = make(1.0)
    stats = compare(ensemble)
    assert stats.model_seed.values.tolist() == [5, 7, 9]
    alone = ensemble.isel(member=slice(8, 16))
    expected = calibration.crps(alone.fields, ensemble.truth).mean()
    assert stats.score_by_model.sel(model_seed=7).item() == pytest.approx(expected.item())
    assert stats.power_by_model.values.ravel().tolist() == [3.5, 11.5, 19.5]


def test_one_model_has_no_disagreement():
    assert not compare(make(1.0).isel(member=slice(8)))


def models_of(counts, seed=0):
    """Ensemble of a few pixels whose members come from models of different size."""
    rng = np.random.default_rng(seed)
    n = sum(counts)
    dims = ("sample", "member", "channel", "y", "x")
    return xr.Dataset(
        {
            "fields": (dims, rng.gamma(2.0, 1.0, (2, n, 1, 4, 4))),
            "truth": (("sample", "channel", "y", "x"), rng.gamma(2.0, 1.0, (2, 1, 4, 4))),
        },
        coords={
            "channel": ["gas"],
            "member": np.arange(n),
            "model_seed": ("member", np.repeat([9, 4, 7][: len(counts)], counts)),
        },
    )


POWER = ("member", "field", "k")


def test_models_of_different_size_are_compared_each_by_its_own_noise():
    ensemble = models_of([2, 3, 4])
    stats = compare_models(ensemble, xr.DataArray(np.arange(9.0)[:, None, None], dims=POWER), 3.0)
    values = ensemble["fields"].values
    parts = values[:, :2], values[:, 2:5], values[:, 5:]
    means = np.stack([part.mean(1) for part in parts])
    variances = [part.var(1, ddof=1) for part in parts]
    noise = (variances[0] / 2 + variances[1] / 3 + variances[2] / 4) / 3
    between = (means.var(0, ddof=1) - noise).mean()
    assert stats.variance_within.item() == pytest.approx(np.mean(variances) / 9)
    assert stats.variance_between.item() == pytest.approx(between / 9)
    assert stats.model_seed.values.tolist() == [4, 7, 9]
    assert stats.power_by_model.values.ravel().tolist() == [3.0, 6.5, 0.5]


def test_the_metric_compares_the_models_of_its_case_and_says_units():
    ensemble = models_of([2, 3])
    seeds = ensemble["model_seed"].values
    rng = np.random.default_rng(1)
    ensemble["condition"] = ("sample", "y", "x"), rng.gamma(2.0, 1.0, (2, 4, 4))
    case = Case(
        ensemble=ensemble.drop_vars("model_seed"),
        fields=find_fields(["gas"]),
        pixel_mpch=0.2,
        mean_dmo=2.0,
        scales=xr.DataArray([2.0], dims="channel", coords={"channel": ["gas"]}),
        model_seed=seeds,
        forecasts={},
        config=ValidationConfig(),
        generator=rng,
    )
    stats = Models().compute(case)
    power = xr.DataArray(np.ones((5, 1, 1)), dims=POWER)
    expected = compare_models(ensemble, power, 2.0)
    for name in ("variance_within", "variance_between", "score_by_model"):
        np.testing.assert_allclose(stats[name], expected[name])
    # the first shell is the 8 modes around the mean, of windows of 0.8 Mpc/h
    modes = np.abs(np.fft.fft2(ensemble["fields"].values / 2.0)) ** 2 * 0.8**2 / 4**4
    first = modes[..., [0, 0, 1, 3, 1, 1, 3, 3], [1, 3, 0, 0, 1, 3, 1, 3]].mean((0, 2, 3))
    by_model = stats["power_by_model"].sel(field="gas", model_seed=[9, 4])[:, 0]
    np.testing.assert_allclose(by_model, [first[:2].mean(), first[2:].mean()])
    assert stats.variance_within.attrs["units"] == stats.variance_between.attrs["units"] == "1"
    assert stats.score_by_model.attrs["units"] == "Msun/h per pixel"
    assert stats.power_by_model.attrs["units"] == stats.power_truth.attrs["units"] == "(Mpc/h)^2"


@pytest.mark.parametrize(("counts", "compared"), [([2, 2], True), ([1, 5], False), ([6], False)])
def test_models_are_compared_if_there_are_two_with_two_members(counts, compared):
    power = xr.DataArray(np.ones((sum(counts), 1, 1)), dims=POWER)
    assert bool(compare_models(models_of(counts), power, 1.0)) == compared
