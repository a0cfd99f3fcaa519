"""The linear Gaussian baseline on a law that is known: its mean, its noise and its score."""

import numpy as np
import pytest
import xarray as xr
import yaml
from arrays import ROOT

from analysis.linear_fields import (
    NOISE,
    SHARED,
    UNITS,
    mean_given,
    noise_levels,
    smooth,
    write_suite,
)
from emulator.config import maps_file, parse_config
from emulator.data.cutouts import window_places
from emulator.data.maps import read_maps
from emulator.metrics.calibration import crps
from emulator.suites import suite_of
from emulator.suites.mapmaking import project_simulation
from emulator.validation.baselines import fit_baselines, forecast_windows
from emulator.validation.baselines.linear_gaussian import ROWS_PER_CONDITION

FIELDS = tuple(NOISE)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Maps of ten training simulations and a held-out one, and its ensemble without a model."""
    folder = tmp_path_factory.mktemp("linear")
    write_suite(folder, n_rows=24)
    raw = yaml.safe_load((ROOT / "configs/linear_fields.yaml").read_text())
    raw["suite"]["root"] = str(folder)
    config = parse_config(raw)
    names = [*(f"train_{i}" for i in range(10)), "test_0"]
    for name in names:
        project_simulation(suite_of(config), config.data, name, maps_file(folder, name))
    maps = read_maps(maps_file(folder, "test_0"))
    places = window_places(maps, maps.shape)
    ensemble = xr.Dataset(
        {
            "truth": (("sample", "channel", "y", "x"), maps.select(FIELDS)),
            "condition": (("sample", "y", "x"), maps.select(["forcing"])[:, 0]),
            "centre": (("sample", "axis"), np.array([place for _, place in places])),
            "projection": (("sample",), np.array([number for number, _ in places])),
        },
        coords={"channel": list(FIELDS), "member": np.arange(24)},
    )
    return folder, config, names[:-1], maps, ensemble


def forecasts(suite, n_train):
    folder, config, names, maps, ensemble = suite
    fields, shape = config.data.targets, config.data.window_shape
    baselines = fit_baselines(names[:n_train], folder, fields=fields, window=shape)
    return forecast_windows(baselines, maps, ensemble)


@pytest.fixture(scope="module")
def found(suite):
    return forecasts(suite, 10)


def test_only_baselines_of_arrays_are_there(found):
    assert list(found) == ["training_mean", "climatology", "linear_gaussian", "linear"]


def test_the_mean_is_the_filter_of_the_conditions(suite, found):
    _, _, _, maps, _ = suite
    forcing, height = np.moveaxis(maps.select(["forcing", "height"]).astype(float), 1, 0)
    for name, mean in mean_given(forcing, height).items():
        error = found["linear"].sel(channel=name).values - mean
        # 240 rows leave a few per cent of the noise in what was learnt
        assert np.sqrt((error**2).mean()) < 0.25 * noise_levels()[name]


def test_the_score_is_that_of_the_law_itself(suite, found):
    truth = suite[-1]["truth"]
    scores = crps(found["linear_gaussian"], truth).mean(("sample", "y", "x"))
    for name, sigma in noise_levels().items():
        assert float(scores.sel(channel=name)) == pytest.approx(sigma / np.sqrt(np.pi), rel=0.06)


def test_the_noise_is_smooth_and_shared_as_it_was_made(found):
    drawn = found["linear_gaussian"]
    noise = (drawn - drawn.mean("member")).values * np.sqrt(24 / 23)
    own = noise.std((0, 1, 3, 4))
    assert own == pytest.approx(list(noise_levels().values()), rel=0.05)
    together = (noise[:, :, 0] * noise[:, :, 1]).mean() / own.prod()
    assert together == pytest.approx(SHARED, abs=0.05)
    impulse = np.zeros(noise.shape[-2:])
    impulse[0, 0] = 1.0
    response = smooth(impulse, 1.0)
    lagged = (response * np.roll(response, 1, axis=1)).sum() / (response**2).sum()
    measured = (noise * np.roll(noise, 1, axis=-1)).mean((0, 1, 3, 4)) / own**2
    assert measured == pytest.approx([lagged, lagged], abs=0.04)


def test_few_rows_share_their_numbers_over_shells(suite):
    """Then the shift of the height has no direction, and its share of the anomaly is lost."""
    assert 2 * ROWS_PER_CONDITION > 2 * 24
    few = forecasts(suite, 2)
    truth = suite[-1]["truth"]
    scores = crps(few["linear_gaussian"], truth).mean(("sample", "y", "x"))
    best = {name: sigma / np.sqrt(np.pi) for name, sigma in noise_levels().items()}
    assert float(scores.sel(channel="wind")) < 1.3 * best["wind"]
    assert float(scores.sel(channel="temperature_anomaly")) > 2 * best["temperature_anomaly"]


def test_units_of_the_files_are_those_of_the_config(suite):
    config = suite[1]
    rows = (*config.suite.conditions, *config.data.targets)
    assert {row.name: row.unit for row in rows} == UNITS


def test_a_condition_of_the_unit_of_a_field_is_a_forecast(suite):
    folder, config, names, maps, ensemble = suite
    same = [field.model_copy(update={"unit": "m"}) for field in config.data.targets]
    baselines = fit_baselines(names[:1], folder, fields=same, window=config.data.window_shape)
    found = forecast_windows(baselines, maps, ensemble)["condition"]
    heights = maps.select(["height"])
    np.testing.assert_array_equal(found.values, np.concatenate([heights, heights], axis=1))
