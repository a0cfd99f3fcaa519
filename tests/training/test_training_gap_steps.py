"""Steps, states and validation of a training whose empty pixels are filled with noise."""

import csv

import numpy as np
import pytest
import torch
from gapped import FILLED, SINGLE, model, module_of, raw
from killed import killed_at
from tiny import SPLITS, normalise, run

from emulator.config import parse_config
from emulator.data.maps import read_maps
from emulator.model.bundle import read_card
from emulator.model.windows import windows_for
from emulator.training.loaders import training_windows
from emulator.training.objectives.regression import regression_of
from emulator.training.preflight import measure_modes
from emulator.training.trainer import train


@pytest.fixture(scope="module")
def fitted(maps_dir):
    """Statistics by option."""
    options = ("zero", *FILLED)
    return {option: normalise(maps_dir, raw(empty_amplitude=option)) for option in options}


@pytest.fixture(scope="module")
def batch(maps_dir, fitted):
    maps = [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]
    return windows_for(fitted["zero"], maps, window=16, batch_size=12, seed=3)[0]


def history(root):
    with (root / "model/history.csv").open() as handle:
        return list(csv.DictReader(handle))


def column(root, name):
    return [float(row[name]) for row in history(root)]


@pytest.mark.parametrize("option", FILLED)
def test_a_step_in_parts_is_the_same_step(maps_dir, tmp_path, option):
    found = {}
    for accumulate in (1, 2):
        training = {**SINGLE, "accumulate": accumulate, "parameter_head_weight": 0.1}
        options = {"model": model(empty_amplitude=option, occupancy="analog_bits")}
        root = tmp_path / str(accumulate)
        found[accumulate] = run(maps_dir, root, training=training, **options)
    for name, tensor in found[1].items():
        torch.testing.assert_close(found[2][name], tensor, rtol=0, atol=1e-5)
    losses = [column(tmp_path / part, "train_loss") for part in "12"]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    cards = [read_card(tmp_path / part / "model") for part in "12"]
    amplitude = torch.tensor([card.modes["power"][3] for card in cards])
    torch.testing.assert_close(amplitude[0], amplitude[1])
    assert cards[0].normalisation.channels[2].empty_amplitude == option


class Killed(BaseException):
    """Not an Exception: nothing on the way may catch it."""


@pytest.mark.parametrize("option", FILLED)
def test_an_interrupted_run_ends_with_the_same_weights(maps_dir, tmp_path, monkeypatch, option):
    options = {"model": model(empty_amplitude=option), "training": SINGLE}
    straight = run(maps_dir, tmp_path / "a", **options)
    with killed_at(monkeypatch, 5, Killed), pytest.raises(Killed):
        run(maps_dir, tmp_path / "b", **options)
    resumed = run(maps_dir, tmp_path / "b", **options)
    for name, tensor in straight.items():
        assert torch.equal(tensor, resumed[name]), name
    one, other = ((tmp_path / side / "model/model.json").read_bytes() for side in "ab")
    assert one == other


def test_every_option_is_another_training(maps_dir, tmp_path):
    """And `zero` and `z_score` are those of a config that names neither."""
    choices = {
        "none": {}, "default": {"occupancy": "z_score", "empty_amplitude": "zero"},
        "bits": {"occupancy": "analog_bits"}, "noise": {"empty_amplitude": "noise"},
        "masked": {"empty_amplitude": "masked"},
    }  # fmt: skip
    training = {**SINGLE, "max_steps": 2}
    weights = {
        name: run(maps_dir, tmp_path / name, model=model(**options), training=training)
        for name, options in choices.items()
    }

    def same(a, b):
        return all(torch.equal(weights[a][name], weights[b][name]) for name in weights[a])

    assert same("none", "default")
    assert not any(same("none", other) for other in ("bits", "noise", "masked"))
    assert not same("noise", "masked")


@pytest.mark.parametrize("option", FILLED)
def test_validation_is_the_same_every_time(fitted, batch, option, monkeypatch):
    """Whatever has been drawn before; its loss is that of training, its bound of what counts."""
    module = module_of(fitted[option])
    logged = []
    monkeypatch.setattr(module, "log_dict", lambda values, **_: logged.append(values))
    with torch.no_grad():
        module.validation_step(batch, 0)
        torch.manual_seed(99)
        module.validation_step(batch, 0)
    first, second = ({name: float(v) for name, v in values.items()} for values in logged)
    assert first == second
    assert np.isfinite(list(first.values())).all()
    # exact terms depend on the number of values that count, and on their squares
    left, _ = module.normalise(batch)
    counted = 12 * 4 * 256
    if option == "masked":
        counted = int((~torch.isnan(left)).sum())
    s, gamma_min = module.diffusion.data_noise, module.schedule.gamma_min
    nats = 0.5 * (np.log(2 * np.pi * s**2) + np.exp(gamma_min) / s**2)
    assert first["val_reconstruction_nats"] == pytest.approx(counted / 12 * nats, rel=1e-4)


def test_spectra_of_the_data_are_those_of_unit_noise_in_empty_pixels(maps_dir, fitted):
    """So that the amplitude has about the power of white noise, which it has not without."""
    maps = [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]
    power = {}
    for name in ("zero", "noise", "masked"):
        config = parse_config(raw())
        windows = training_windows(config, maps, fitted[name], 0)
        modes = measure_modes(windows, module_of(fitted[name]))
        again = measure_modes(windows, module_of(fitted[name]))
        assert torch.equal(modes.power, again.power)
        power[name] = modes.power
    for name in FILLED:
        assert torch.equal(power[name][:3], power["zero"][:3])
        assert float(power[name][3, 4:].mean()) == pytest.approx(1.0, abs=0.05)
    assert float(power["zero"][3].max()) < 0.6


def test_a_regression_trains_with_every_option(maps_dir, tmp_path):
    options = {"occupancy": "analog_bits", "empty_amplitude": "masked"}
    config = {**raw(**options), "regression": {"max_steps": 2}}
    parsed, normalisation = parse_config(config), normalise(maps_dir, config)
    train(
        parsed, normalisation, SPLITS, seed=0, maps_dir=maps_dir, state_dir=tmp_path / "state",
        output=tmp_path / "model", objective="regression",
    )  # fmt: skip
    card = read_card(tmp_path / "model")
    assert card.normalisation == normalisation
    assert np.isfinite(column(tmp_path, "val_loss")).all()
    assert regression_of(parsed).model == parsed.model
