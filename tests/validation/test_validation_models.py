"""The variance between models against closed forms, and what is kept of each model."""

import numpy as np
import pytest
import xarray as xr

from emulator.io import write_dataset
from emulator.metrics import calibration
from emulator.metrics.models import compare_models
from emulator.validation.evaluate import evaluate

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


def test_one_model_has_no_disagreement(metrics):
    assert not compare(make(1.0).isel(member=slice(8)))
    assert "model_share" not in metrics


def test_disagreement_reaches_the_metrics(calibrated_suite, config, tmp_path):
    """Halves of a calibrated ensemble called models: nothing is between them, each scores alike."""
    paths, maps_dir, splits = calibrated_suite
    renamed = []
    for path in paths:
        ensemble = xr.load_dataset(path, engine="h5netcdf")
        seeds = np.repeat([0, 1], ensemble.sizes["member"] // 2)
        renamed.append(tmp_path / path.name)
        write_dataset(ensemble.assign_coords(model_seed=("member", seeds)), renamed[-1])
    metrics = evaluate(renamed, maps_dir, splits, config)
    share = metrics.model_share
    assert (share.sel(estimate="low") < 0.02).all()
    assert (abs(share.sel(estimate="value")) < 0.05).all()
    whole = metrics.crps.sel(forecast="model", estimate="value")
    np.testing.assert_allclose(
        metrics.crps_by_model.sel(estimate="value").mean("model_seed"), whole, rtol=0.05
    )
