"""The regression: its loss leads to the mean, its residual is that of the validation split."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from fabricated import simulations, truth_maps, write_maps
from safetensors.torch import load_file
from tiny import SPLITS, TINY, normalise
from typer.testing import CliRunner

import emulator
from emulator.cli import app
from emulator.config import DiffusionConfig, parse_config
from emulator.config.section import ConfigError
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, write_json
from emulator.model.build import build_network
from emulator.model.bundle import read_bundle, read_residual
from emulator.model.field_transform import FieldTransform
from emulator.model.windows import windows_for
from emulator.training.objectives.regression import (
    RESIDUAL_WINDOWS,
    RegressionModule,
    regression_of,
)
from emulator.training.state import EXIT_REQUEUE
from emulator.training.trainer import train

PLAIN = {**TINY["training"], "precision": "32"}
CONFIG = {**TINY, "training": PLAIN, "regression": {"max_steps": 6}}


def regress(maps_dir, root, splits=SPLITS, **overrides):
    """Train below ``root`` and return the tensors of the bundle."""
    raw = {**CONFIG, **overrides}
    config = parse_config(raw)
    train(
        config, normalise(maps_dir, raw), splits, seed=config.regression.seed, maps_dir=maps_dir,
        state_dir=root / "state", output=root / "regression", objective="regression",
    )  # fmt: skip
    return load_file(root / "regression/weights.safetensors")


@pytest.fixture(scope="module")
def trained(maps_dir, tmp_path_factory):
    root = tmp_path_factory.mktemp("regression")
    return root, regress(maps_dir, root)


# ------------------------------------------------------------------------------- the objective


class Toy:
    """x = W c + b + noise on pixels, with noise that is common to both channels: E[x|c] is known.

    The "network" is W c + b, too; whatever else it is asked with, is kept.
    """

    WEIGHT, BIAS = torch.tensor([2.0, -1.0]).double(), torch.tensor([1.0, 0.5]).double()

    def __init__(self, n_samples=4000):
        generator = torch.Generator().manual_seed(0)
        shape = (n_samples, 1, 4, 4)
        c, common, own = (
            torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3)
        )
        self.c = c
        self.mean = self.at(self.WEIGHT, self.BIAS)
        self.x = self.mean + torch.cat([0.7 * common, 0.4 * common + 0.9 * own], dim=1)
        self.asked = []

    def at(self, weight, bias):
        return weight[:, None, None] * self.c + bias[:, None, None]

    def network(self, weight, bias):
        def bound(z, gamma):
            self.asked.append((z, gamma))
            return self.at(weight, bias)

        return bound


def module_of(maps_dir, loss_weights):
    """A module of two channels, dark matter and gas, with these weights of the loss."""
    channels = [
        {"name": name, "transform": "log_ratio", "loss_weight": weight}
        for name, weight in zip(("dm_hydro", "gas"), loss_weights, strict=True)
    ]
    raw = {**CONFIG, "model": {**TINY["model"], "channels": channels}}
    config, normalisation = regression_of(parse_config(raw)), normalise(maps_dir, raw)
    network = build_network(config.model.network, config.diffusion, normalisation)
    return RegressionModule(
        network, FieldTransform(normalisation), config.training,
        seed=0, pixel_mpch=0.2,
    )  # fmt: skip


@pytest.mark.parametrize("loss_weights", [(1.0, 1.0), (5.0, 0.2)])
@pytest.mark.parametrize("gaps", [False, True])
def test_the_minimiser_of_the_loss_is_the_mean(maps_dir, loss_weights, gaps):
    """A quadratic has its minimum one Newton step away: least squares, and within error the truth.

    Whatever the weights of the channels, and of the pixels where a channel is defined.
    """
    toy, module = Toy(), module_of(maps_dir, loss_weights)
    defined = torch.ones_like(toy.x, dtype=torch.bool)
    if gaps:  # more of them where c is large, as empty pixels are where there is little mass
        defined[:, 1] = torch.rand_like(toy.c[:, 0]) > torch.sigmoid(toy.c[:, 0])
    toy.x = torch.where(defined, toy.x, torch.nan)

    def loss(parameters):
        return module._loss(toy.network(parameters[:2], parameters[2:]), toy.x).mean()

    start = torch.zeros(4).double().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(start), start)
    step = torch.linalg.solve(torch.autograd.functional.hessian(loss, start.detach()), gradient)
    found = (start.detach() - step).numpy().reshape(2, 2)  # weights, biases
    columns = np.stack([toy.c.numpy().ravel(), np.ones(toy.c.numel())], axis=1)
    for channel in range(2):
        there = defined[:, channel].numpy().ravel()
        values = toy.x[:, channel].numpy().ravel()[there]
        fitted, *_ = np.linalg.lstsq(columns[there], values, rcond=None)
        assert found[:, channel] == pytest.approx(fitted, rel=1e-6)
        error = 4 * 1.5 / there.sum() ** 0.5  # noise of unit variance, about
        truth = [float(toy.WEIGHT[channel]), float(toy.BIAS[channel])]
        assert found[:, channel] == pytest.approx(truth, abs=error)


def test_the_loss_is_the_weighted_squared_error_and_sees_no_noise(maps_dir):
    toy, module = Toy(10), module_of(maps_dir, (3.0, 1.0))
    network = toy.network(0.5 * toy.WEIGHT, toy.BIAS)
    square = (toy.x - toy.at(0.5 * toy.WEIGHT, toy.BIAS)).square().mean((2, 3))
    expected = (square * torch.tensor([1.5, 0.5])).mean(1)
    torch.testing.assert_close(module._loss(network, toy.x), expected)
    assert all((z == 0).all() for z, _ in toy.asked)
    assert all((gamma == DiffusionConfig().gamma_max).all() for _, gamma in toy.asked)


def test_what_is_left_of_other_simulations_is_what_nobody_can_know(maps_dir, tmp_path):
    """The DMO mass gives the probability that a pixel is occupied; who knows it is no better.

    Stars lie in min(1, r / 8) of the pixels of relative mass r and have a lognormal mass, which
    must exceed the floor (:mod:`fabricated`).
    """
    training = {**PLAIN, "batch_size": 16, "learning_rate": 5.0e-3}
    left = regress(maps_dir, tmp_path, training=training, regression={"max_steps": 100})["residual"]
    card, _ = read_bundle(tmp_path / "regression")
    maps = read_maps(maps_dir / f"{SPLITS['validation'][0]}.h5")
    batches = [validation_windows(card, maps)[number] for number in range(8)]
    mass = torch.cat([batch.condition.field for batch in batches])
    channel = card.normalisation.channels[2]
    occupied = torch.cat([batch.target[:, 2] for batch in batches]) > channel.floor
    relative = mass / float(maps.select(["dmo"]).mean())
    sigma = 0.5 * relative.clamp(max=2.0)
    excess = torch.log(8.0 * maps.params["A_SN1"] * mass / channel.floor) - sigma**2 / 2
    probability = (relative / 8.0).clamp(max=1.0) * torch.special.ndtr(excess / sigma)
    scale = 4.0 / card.normalisation.target_std[2] ** 2
    perfect = scale * float((occupied.float() - probability).square().mean())
    constant = scale * float(occupied.float().var())
    found = float((left[:, 2, 2] * torch.as_tensor(SHARES)).sum())
    assert 1.15 * perfect < constant
    assert 0.995 * perfect < found < 1.04 * perfect


# ------------------------------------------------------------------------- what it is trained on


def test_all_but_the_objective_is_that_of_the_model():
    """What belongs to noise is left out; everything else is the config's."""
    diffusion = {
        "schedule": "learned_nn", "weight": "bound", "times": "adaptive", "drop_params": 0.3,
        "path": "linear",
    }  # fmt: skip
    training = {**PLAIN, "parameter_head_weight": 0.1, "early_stopping": {"patience": 3}}
    config = parse_config({**CONFIG, "diffusion": diffusion, "training": training})
    found = regression_of(config)
    assert found.diffusion == DiffusionConfig(prediction="x")
    changed = {"max_steps", "early_stopping", "ensemble_every", "parameter_head_weight"}
    before, after = (c.training.model_dump() for c in (config, found))
    assert {name for name in before if before[name] != after[name]} == changed
    assert (found.data, found.model) == (config.data, config.model)
    assert found.training.max_steps == 6


def test_steps_are_whole_epochs_and_none_is_no_baseline():
    with pytest.raises(ConfigError, match=r"regression\.max_steps \(7\) must be a multiple"):
        parse_config({**CONFIG, "regression": {"max_steps": 7}})
    few = regression_of(parse_config({**CONFIG, "regression": {"max_steps": 1}})).training
    assert (few.max_steps, few.checkpoint_steps) == (1, 1)
    with pytest.raises(EmulatorError, match=r"regression\.max_steps is 0"):
        regression_of(parse_config(TINY))


def test_it_has_a_state_of_its_own(trained, maps_dir):
    """Nor does it depend on the section diffusion, which is about noise."""
    root, weights = trained
    (state,) = (root / "state").iterdir()
    assert state.name.startswith("regress-")
    assert len(list(state.glob("state*.ckpt"))) == 2
    again = regress(maps_dir, root, diffusion={"prediction": "eps", "gamma_max": 9.0})
    assert [path.name for path in (root / "state").iterdir()] == [state.name]
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())


SIDE = np.fft.fftfreq(16, 1 / 16)
SHELL = np.rint(np.hypot(SIDE[:, None], SIDE[None, :])).astype(int)
SHARES = np.bincount(SHELL.ravel()) / 16**2


def validation_windows(card, maps):
    return windows_for(
        card.normalisation, [maps], window=16, batch_size=64, seed=0, stream=2**31 + 1
    )


def residual_by_hand(maps_dir, folder, simulation):
    """Truth minus output at z = 0, mode by mode, of windows of one simulation."""
    card, network = read_bundle(folder)
    transform = FieldTransform(card.normalisation)
    windows = validation_windows(card, read_maps(maps_dir / simulation))
    sums = np.zeros((len(SHARES), 4, 4))
    for number in range(8):
        condition, target = windows[number]
        x = transform.transform(target, condition)
        defined = torch.ones_like(x)
        defined[:, 3] = target[:, 2] > card.normalisation.channels[2].floor  # amplitude of stars
        given = transform.encode(condition)
        gamma = torch.full((64,), 13.0)
        output = network(torch.zeros_like(x), gamma, given.fields, given.params, given.known)
        residual = defined * (x - output) / defined.mean((0, 2, 3))[:, None, None].sqrt()
        modes = np.fft.fft2(residual.numpy().astype(float))
        products = (modes[:, :, None] * modes[:, None, :].conj()).real.mean(0) / 16**2
        for k in range(len(sums)):
            sums[k] += products[:, :, k == SHELL].mean(-1) / 8
    return torch.as_tensor(sums)


def test_the_residual_is_of_the_validation_split_alone(trained, maps_dir):
    assert RESIDUAL_WINDOWS == 8 * 64
    root, _ = trained
    folder = root / "regression"
    found = read_residual(folder, 4)
    right, wrong = (
        residual_by_hand(maps_dir, folder, f"{name}.h5")
        for name in (SPLITS["validation"][0], SPLITS["train"][0])
    )
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)
    assert ((found - wrong).abs() > 0.01 * found.abs()).any()


def test_only_the_validation_maps_change_the_residual(trained, tmp_path):
    """Other fields there: the same weights, another residual. The test split is never opened."""
    _, weights = trained
    for simulation in simulations(n_train=2, n_cv=0):
        write_maps(tmp_path, simulation)
    other = simulations(n_train=3, n_cv=0)[-1]
    write_maps(tmp_path, other)
    (tmp_path / f"{other.name}.h5").replace(tmp_path / f"{SPLITS['validation'][0]}.h5")
    found = regress(tmp_path, tmp_path)
    assert all(torch.equal(found[name], t) for name, t in weights.items() if name != "residual")
    assert not torch.allclose(found["residual"], weights["residual"], rtol=0.01)


def test_a_validation_split_without_stars_leaves_no_amplitude(maps_dir, tmp_path):
    """Nothing is divided by the share of occupied pixels where there is none."""
    for simulation in simulations(n_train=2, n_cv=0):
        maps = truth_maps(simulation)
        maps[:, 3] *= simulation.name != SPLITS["validation"][0]
        write_maps(tmp_path, simulation, maps)
    found = regress(tmp_path, tmp_path)["residual"]
    assert found.isfinite().all()
    assert (found[:, 3] == 0).all()
    assert (found[:, 0, 0] > 0).all()


# -------------------------------------------------------------------------------- the bundle


def test_it_is_no_emulator_and_says_so(trained, tmp_path, maps_dir):
    folder = trained[0] / "regression"
    card, _ = read_bundle(folder)
    assert (card.facts.objective, card.schedule, card.modes) == ("regression", None, None)
    assert card.facts.max_steps == 6
    with pytest.raises(DataError, match=r"expected a model that draws ensembles, got a regression"):
        emulator.load(folder)
    said = CliRunner().invoke(app, ["bundle", "info", str(folder)]).output
    assert "objective regression" in said


def test_a_model_has_no_residual(trained, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(trained[0] / "regression", folder)
    with pytest.raises(DataError, match=r"\(3, 3\) matrix of each shell, got shape"):
        read_residual(folder, 3)
    frozen = "tests/regression/trained"
    with pytest.raises(DataError, match=r"got none\. Only a regression has one"):
        read_residual(frozen, 4)


# ------------------------------------------------------------------------- the command line


def prepare(maps_dir, folder, config):
    """What the command line reads; returns the command's arguments."""
    results = folder / "results"
    results.mkdir(parents=True)
    normalise(maps_dir, config).write(results / "normalisation.json")
    write_json(results / "splits.json", SPLITS)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    paths = ["--maps", str(maps_dir), "--results", str(results)]
    return ["regress", str(folder / "tiny.yaml"), *paths]


@pytest.mark.slow
def test_a_signal_stops_it_and_the_same_command_ends_with_the_same_bundle(maps_dir, tmp_path):
    """Bit for bit, its residual included."""
    config = {**CONFIG, "regression": {"max_steps": 20}}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "emulator", *arguments],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip

    call(*prepare(maps_dir, tmp_path / "a", config))
    stopped = prepare(maps_dir, tmp_path / "b", config)
    process = subprocess.Popen(
        [sys.executable, "tests/training/slow_steps.py", *stopped],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "step 7" in line:
            process.send_signal(signal.SIGTERM)
            break
    rest = process.stdout.read()
    assert process.wait() == EXIT_REQUEUE, rest
    assert "training stopped after step 8 (SIGTERM)" in rest
    assert not (tmp_path / "b/results/regression").exists()
    done = call(*stopped)
    assert "going on from" in done.stdout
    assert "regress: 20/20 (100%)" in done.stderr
    for name in ("model.json", "weights.safetensors"):
        one, other = (tmp_path / f"{side}/results/regression" / name for side in "ab")
        assert one.read_bytes() == other.read_bytes(), name
    card = json.loads((tmp_path / "a/results/regression/model.json").read_text())
    assert card["training"]["objective"] == "regression"
