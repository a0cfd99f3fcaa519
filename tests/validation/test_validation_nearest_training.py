"""The nearest training window by brute force, and a model that copies."""

import itertools

import fabricated
import judged
import numpy as np
import pytest
import refused
import xarray as xr

from emulator.data.maps import read_maps
from emulator.fields import find_fields
from emulator.metrics.log_maps import log_maps
from emulator.metrics.memorisation import Memorisation
from emulator.metrics.nearest import Nearest
from emulator.validation import nearest_training
from emulator.validation.nearest_training import (
    TrainingMaps,
    nearest_distance,
    nearest_windows,
    read_training,
)
from emulator.validation.scales import scales_of, unit_of

FIELDS = find_fields(fabricated.CHANNELS)
WINDOW = fabricated.WINDOW


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return refused.write_maps(tmp_path_factory.mktemp("maps"), n_train=4, n_cv=2)


@pytest.fixture(scope="module")
def training(suite):
    maps_dir, splits = suite
    return read_training(splits["train"], maps_dir, FIELDS, WINDOW)


def training_of(logs, window, monkeypatch, everywhere=True):
    """Training maps of given logarithms, at one resolution."""
    monkeypatch.setattr(nearest_training, "BLOCKS", (1,))
    squares = nearest_training._window_squares(logs, window)
    zero, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    modes = np.fft.rfft2(logs).astype(np.complex64)
    return TrainingMaps(logs, modes, squares, 1, zero, one, everywhere, FIELDS[:2])


def brute(logs, window, everywhere=True):
    side, n = window.shape[-1], logs.shape[-1]
    found = []
    turned = [np.rot90(window, k, (-2, -1)) for k in range(4)]
    turned += [each[..., ::-1] for each in turned]
    places = itertools.product(range(n), repeat=2) if everywhere else [(0, 0)]
    for y, x in places:
        rows, columns = (np.arange(side) + y) % n, (np.arange(side) + x) % n
        cut = logs[:, :, rows[:, None], columns]
        found += [np.sqrt(((cut - each) ** 2).mean((1, 2, 3))).min() for each in turned]
    return min(found)


@pytest.mark.parametrize(("side", "everywhere"), [(5, True), (4, True), (9, False)])
def test_the_nearest_is_that_of_all_places_and_orientations(side, everywhere, monkeypatch):
    rng = np.random.default_rng(side)
    logs = rng.normal(size=(6, 2, 9, 9)).astype(np.float32)
    training = training_of(logs, side, monkeypatch, everywhere)
    for _ in range(4):
        window = rng.normal(size=(2, side, side)).astype(np.float32)
        found = nearest_distance(training, window)
        assert found == pytest.approx(brute(logs, window, everywhere), rel=1e-4)


def test_a_copy_is_found_at_any_place_and_orientation(training):
    assert training.block == 4
    rng = np.random.default_rng(1)
    for turn in range(4):
        row, column = rng.integers(0, fabricated.N_PIXELS, 2)
        rows = (np.arange(WINDOW) + row) % fabricated.N_PIXELS
        columns = (np.arange(WINDOW) + column) % fabricated.N_PIXELS
        cut = training.logs[int(rng.integers(len(training.logs)))][:, rows[:, None], columns]
        logs = cut * training.std[:, None, None] + training.mean[:, None, None]
        logs = np.rot90(logs, turn, (-2, -1))
        assert nearest_distance(training, logs) < 0.02
        noise = 0.1 * rng.normal(size=logs.shape) * training.std[:, None, None]
        near = nearest_distance(training, (logs + noise).astype(np.float32))
        assert near == pytest.approx(0.1, rel=0.1)


def test_maps_that_do_not_fit_are_left_out_evenly(suite, monkeypatch):
    maps_dir, splits = suite
    of_one = 3 * 3 * fabricated.N_PIXELS**2
    monkeypatch.setattr(nearest_training, "MOST_VALUES", 2 * of_one)
    kept = read_training(splits["train"], maps_dir, FIELDS, WINDOW)
    assert len(kept.logs) == 2 * 3
    monkeypatch.setattr(nearest_training, "MOST_VALUES", 1)
    assert len(read_training(splits["train"], maps_dir, FIELDS, WINDOW).logs) == 3


def case_of(ensemble, training):
    """What a case knows of the training, in units of its own box."""
    maps = refused.truth_maps(ensemble.attrs["made"])
    names = list(fabricated.CHANNELS)
    scales = xr.DataArray([maps[:, 0].mean()] * 3, dims="channel", coords={"channel": names})
    return {"nearest": nearest_windows(training, ensemble, scales)}


def judge(training, change=lambda ensemble: ensemble):
    suite = [s for s in refused.simulations(n_train=4, n_cv=4) if s.name.startswith("CV")]
    made = []
    for simulation in suite:
        ensemble = change(refused.make_ensemble(simulation, n_windows=6))
        ensemble.attrs["made"] = simulation
        made.append(ensemble)
    more = [case_of(ensemble, training) for ensemble in made]
    return judged.summarised(made, Memorisation(), more=more)


def value(summary, name):
    return float(summary[name].sel(estimate="value"))


def test_draws_of_the_law_are_as_far_from_the_training_as_the_truth(training):
    summary = judge(training)
    assert value(summary, "nearest_ratio") == pytest.approx(1.0, abs=0.12)
    assert value(summary, "nearest_copies") == 0.0


def test_a_model_that_copies_is_flagged(training):
    """Members are windows of training maps, at odd places, with a little noise."""
    donor = refused.truth_maps(refused.simulations(n_train=4, n_cv=4)[1])
    rng = np.random.default_rng(2)

    def copying(ensemble):
        fields = ensemble["fields"].copy(deep=True)
        for sample, member in np.ndindex(fields.shape[:2]):
            row, column = rng.integers(0, fabricated.N_PIXELS - WINDOW, 2)
            cut = donor[sample % 3, 1:, row : row + WINDOW, column : column + WINDOW]
            noise = np.exp(0.02 * rng.normal(size=cut.shape))
            fields.values[sample, member] = cut * noise
        return ensemble.assign(fields=fields)

    summary = judge(training, copying)
    # the donor has another matter density: its logarithms are shifted by a constant
    assert value(summary, "nearest_ratio") < 0.5
    assert value(summary, "nearest_copies") > 0.7


def test_scales_are_those_of_the_box(suite):
    maps_dir, splits = suite
    maps = read_maps(maps_dir / f"{splits['train'][0]}.h5")
    scales = scales_of(maps, FIELDS, unit_of(maps))
    assert scales.values == pytest.approx(maps.select(["dmo"]).mean(dtype=np.float64))
    values = xr.DataArray(
        maps.select(list(fabricated.CHANNELS)),
        dims=("projection", "channel", "y", "x"),
        coords={"channel": list(fabricated.CHANNELS)},
    )
    assert np.isfinite(log_maps(values, scales, FIELDS)).all()


def test_ratio_and_share_are_those_of_the_distances():
    ensemble = refused.make_ensemble(refused.simulations()[-1], n_windows=2)
    more = [
        {"nearest": Nearest(np.array([1.0, 2.0]), np.array([0.4, 2.0]))},
        {"nearest": Nearest(np.array([1.0, 1.0]), np.array([1.0, 1.0]))},
    ]
    summary = judged.summarised([ensemble, ensemble], Memorisation(), more=more)
    assert value(summary, "nearest_ratio") == pytest.approx(2.2 / 2.5)
    assert value(summary, "nearest_copies") == pytest.approx(0.25)
    nothing = judged.summarised([ensemble, ensemble], Memorisation())
    assert "nearest_ratio" not in nothing
