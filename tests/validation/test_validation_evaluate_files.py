"""What is read of files and what is kept of them, on two small ensembles."""

import json
from contextlib import nullcontext

import fabricated
import numpy as np
import pytest
import xarray as xr
from perfect import with_bars

from emulator.config import ValidationConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, read_dataset, write_dataset
from emulator.metrics import calibration
from emulator.validation.ensembles import read_ensemble
from emulator.validation.evaluate import evaluate, validate

CONFIG = ValidationConfig(occupied_msunh=1.0e10)
PIXELS = ("sample", "y", "x")


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return fabricated.write_suite(tmp_path_factory.mktemp("small"), n_cv=2, n_draws=2, n_windows=2)


@pytest.fixture(scope="module")
def found(suite):
    return evaluate(*suite, CONFIG)


@pytest.fixture(scope="module")
def ensembles(suite):
    return {path.stem: read_dataset(path) for path in suite[0]}


def rewritten(suite, folder, edit):
    """The files of the suite, the second one edited."""
    first, second = suite[0]
    changed = folder / second.name
    write_dataset(edit(read_dataset(second)), changed)
    return [first, changed], *suite[1:]


@pytest.mark.parametrize("name", ["CV_0", "CV_1"])
def test_baselines_know_the_training_split_alone(suite, found, ensembles, name):
    """The star share behind the score is the mean of the training maps, not of those tested."""
    _, folder, splits = suite
    totals = [
        read_maps(folder / f"{n}.h5").maps.sum((0, 2, 3), np.float64) for n in splits["train"]
    ]
    share = np.mean([stars / dmo for dmo, _, _, stars in totals])
    truth, dmo = ensembles[name]["truth"], ensembles[name]["condition"]
    f_b = fabricated.OMEGA_B / 0.3
    for channel, factor in (("dm_hydro", 1 - f_b), ("gas", f_b - share), ("stars", share)):
        error = np.abs(factor * dmo - truth.sel(channel=channel)).mean()
        where = {"simulation": name, "forecast": "dmo_share", "channel": channel}
        score = found.score.sel(scale=1, **where)
        assert float(score) == pytest.approx(float(error), rel=1e-5)


@pytest.mark.parametrize("name", ["CV_0", "CV_1"])
def test_variances_and_spectra_are_in_units_of_the_box_mean(suite, found, ensembles, name):
    unit = read_maps(suite[1] / f"{name}.h5").maps[:, 0].mean(dtype=np.float64)
    variance = ensembles[name]["fields"].astype(float).var("member", ddof=1).mean(PIXELS)
    kept = found.variance.sel(simulation=name)
    np.testing.assert_allclose(kept, variance / unit**2, rtol=1e-5)
    occupied = (ensembles[name]["truth"] > 1e10).mean(PIXELS)
    np.testing.assert_allclose(found.occupancy_truth.sel(simulation=name), occupied)
    model = calibration.crps(ensembles[name]["fields"], ensembles[name]["truth"]).mean(PIXELS)
    kept = found.score.sel(scale=1, simulation=name, forecast="model")
    np.testing.assert_allclose(kept, model, rtol=1e-6)


def test_redrawn_truths_are_scored_as_an_ensemble(found, ensembles):
    for name, ensemble in ensembles.items():
        draws = ensemble["truth_redraw"].transpose("draw", "sample", "channel", "y", "x")
        first, second = draws.values.astype(float)
        truth = ensemble["truth"].values.astype(float)
        error = 0.5 * (np.abs(first - truth) + np.abs(second - truth))
        expected = (error - 0.5 * np.abs(first - second)).mean((0, 2, 3))
        kept = found.score_oracle.sel(scale=1, simulation=name)
        np.testing.assert_allclose(kept, expected, rtol=1e-5)
    assert found.score_oracle.attrs["units"] == found.score.attrs["units"]


def test_one_redrawn_truth_is_no_ensemble(suite, tmp_path):
    metrics = evaluate(*rewritten(suite, tmp_path, lambda e: e.isel(draw=[0])), CONFIG)
    assert np.isnan(metrics.score_oracle.sel(simulation="CV_1")).all()
    assert np.isfinite(metrics.score_oracle.sel(simulation="CV_0")).all()


def test_stars_have_a_climatology_and_other_channels_have_none(suite, found, tmp_path):
    score = found.score.sel(forecast=["empty", "climatology"])
    assert np.isfinite(score.sel(channel="stars")).all()
    assert np.isnan(score.sel(channel=["dm_hydro", "gas"])).all()
    write_dataset(read_dataset(suite[0][0]).sel(channel=["gas"]), tmp_path / "CV_0.nc")
    gas = evaluate([tmp_path / "CV_0.nc"], *suite[1:], CONFIG)
    kinds = ["model", "dmo_share", "linear_transfer", "quantile_table"]
    assert gas.forecast.values.tolist() == kinds


@pytest.mark.parametrize("enforce", [False, True])
def test_missed_bars_stop_only_if_they_are_enforced(suite, tmp_path, enforce):
    config = with_bars(CONFIG, crps_gain=2.0).model_copy(update={"enforce": enforce})
    files = tmp_path / "metrics.nc", tmp_path / "acceptance.json"
    with pytest.raises(EmulatorError) if enforce else nullcontext():
        validate(*suite, config, *files)
    assert all(path.is_file() for path in files)


def test_metrics_say_where_they_come_from(found):
    assert found.simulation.values.tolist() == ["CV_0", "CV_1"]
    assert found.run.values.tolist() == ["CV0", "CV1"]
    expected = {"suite": "Fabricated", "redshift": 0.0, "split": "test", "n_runs": 2, "seed": 0}
    assert {name: found.attrs[name] for name in expected} == expected
    assert json.loads(found.attrs["config"])["occupied_msunh"] == 1e10
    assert found.sample.values.tolist() == [0, 1]
    assert found.member.values.tolist() == list(range(8))
    assert found.attrs["pixel_mpch"] == fabricated.PIXEL


def test_pixels_that_are_rounded_differently_have_one_set_of_wave_numbers(suite, found, tmp_path):
    almost = fabricated.PIXEL + 3e-10
    again = evaluate(
        *rewritten(suite, tmp_path, lambda e: e.assign_attrs(pixel_mpch=almost)), CONFIG
    )
    np.testing.assert_allclose(again.k, found.k, rtol=1e-8)
    np.testing.assert_allclose(again.power_truth, found.power_truth, rtol=1e-8)


@pytest.mark.parametrize(
    "edit",
    [
        lambda e: e.assign_attrs(pixel_mpch=fabricated.PIXEL + 1e-6),
        lambda e: e.isel(member=slice(4)),
    ],
)
def test_files_of_another_pixel_or_size_are_refused(suite, tmp_path, edit):
    with pytest.raises(DataError, match=r"channels, window, pixel|expected 8 members"):
        evaluate(*rewritten(suite, tmp_path, edit), CONFIG)


def read_back(ensemble, folder):
    write_dataset(ensemble, folder / "ensemble.nc")
    return read_ensemble(folder / "ensemble.nc")


def test_two_members_and_empty_pixels_are_an_ensemble(ensembles, tmp_path):
    two = ensembles["CV_0"].isel(member=[0, 1])
    assert read_back(two.assign(fields=0 * two["fields"]), tmp_path).sizes["member"] == 2


def test_dimensions_may_come_in_any_order(ensembles, tmp_path):
    turned = read_back(ensembles["CV_0"].transpose("x", "y", ...), tmp_path)
    assert turned["fields"].dims == ("sample", "member", "channel", "y", "x")
    assert turned["condition"].dims == PIXELS
    xr.testing.assert_equal(turned["fields"], ensembles["CV_0"]["fields"])


def edited(name, value, count):
    def edit(ensemble):
        values = ensemble[name].values.copy()
        values.flat[:count] = value
        return ensemble.assign({name: (ensemble[name].dims, values)})

    return edit


def without(name):
    def edit(ensemble):
        changed = ensemble.copy()
        del changed.attrs[name]
        return changed

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edited("condition", np.nan, 3), "condition: expected finite masses >= 0, got 3 of 512"),
        (edited("fields", -1.0, 2), "fields: expected .* got 2 of"),
        (edited("truth", np.inf, 1), "truth: expected .* got 1 of"),
        (lambda e: e.assign(projection=e["centre"]), "projection: expected dimensions"),
        (without("run"), "run"),
        (without("pixel_mpch"), "pixel_mpch"),
        (without("simulation"), "simulation"),
    ],
)
def test_what_is_no_ensemble_is_refused(ensembles, tmp_path, edit, message):
    with pytest.raises(DataError, match=message):
        read_back(edit(ensembles["CV_0"]), tmp_path)
