"""Averages of a share of the training: their profiles, and one of any length out of those kept."""

import csv
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import TINY, run

from emulator.config import TrainingConfig
from emulator.model.bundle import read_bundle
from emulator.training import trainer as trainer_module
from emulator.training.ema import TRACKED, build_ema, build_power_average
from emulator.training.lengths import LENGTHS, N_KEPT, KeepAverages, make_averages
from emulator.training.power_average import (
    LONGEST,
    Profile,
    coefficients,
    decay_at,
    exponent_of,
    overlap,
)

STEPS = 3200
KEPT = [
    Profile(STEPS * (i + 1) / N_KEPT, exponent_of(length))
    for i in range(N_KEPT)
    for length in TRACKED
]


def shares(profile):
    """What each update counts in an average that is tracked: of its decays, in closed form."""
    update = np.arange(STEPS + 1)
    seen = np.minimum(update / profile.steps, 1.0) ** (profile.exponent + 1.0)
    return np.diff(seen)


@pytest.mark.parametrize("length", [*LENGTHS, 0.02, LONGEST])
def test_a_length_is_the_width_of_the_profile_over_the_updates(length):
    share = shares(Profile(STEPS, exponent_of(length)))
    update = np.arange(1, STEPS + 1) - 0.5
    mean = share @ update
    assert share.sum() == pytest.approx(1.0)
    assert np.sqrt(share @ (update - mean) ** 2) / STEPS == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("length", [0.0, -0.1, 0.29, float("nan")])
def test_a_length_beyond_that_of_the_mean_is_refused(length):
    with pytest.raises(ValueError, match=r"up to 0\.289"):
        exponent_of(length)


def test_the_longest_is_the_plain_mean():
    assert exponent_of(LONGEST) == pytest.approx(0.0, abs=1e-9)
    assert decay_at(10, 0.0) == pytest.approx(0.9)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_tracked_average_is_the_sum_of_its_shares(length):
    """Of a scalar that follows a known function of the step."""
    layer = torch.nn.Linear(1, 1, bias=False).double()
    average = build_power_average(layer, length)
    path = np.cos(np.arange(1, 201) / 30.0)
    for value in path:
        layer.weight.data.fill_(value)
        average.update_parameters(layer)
    update = np.arange(201) / 200.0
    expected = np.diff(update ** (exponent_of(length) + 1.0)) @ path
    assert float(average.module.weight) == pytest.approx(expected, rel=1e-9)


def test_an_exponential_average_in_its_warm_up_is_one_of_length_0_048():
    """As the module says; it forgets its start sooner or later."""
    layer = torch.nn.Linear(1, 1, bias=False).double()
    averages = [build_ema(layer, 0.998), build_power_average(layer, 0.048)]
    for step in range(1, 2401):
        layer.weight.data.fill_(step / 2400.0)
        for average in averages:
            average.update_parameters(layer)
    exponential, power = (float(average.module.weight) for average in averages)
    assert exponential == pytest.approx(power, abs=1e-3)


def test_overlaps_are_integrals_of_products():
    update = (np.arange(200_000) + 0.5) / 200_000

    def density(profile):
        inside = (profile.exponent + 1.0) * update**profile.exponent
        inside /= profile.steps ** (profile.exponent + 1.0)
        return np.where(update < profile.steps, inside, 0.0)

    profiles = [Profile(1.0, 17.0), Profile(1.0, 0.7), Profile(0.3, 7.0), Profile(0.45, 2.0)]
    for one in profiles:
        for other in profiles:
            integral = np.mean(density(one) * density(other))
            assert overlap(one, other) == pytest.approx(integral, rel=1e-3)


def test_what_was_kept_is_itself():
    for index, profile in enumerate(KEPT[-2:]):
        found = coefficients(KEPT, profile)
        expected = np.eye(len(KEPT))[len(KEPT) - 2 + index]
        np.testing.assert_allclose(found, expected, atol=1e-9)


# error of the profile in units of its norm
@pytest.mark.parametrize(
    ("length", "error"),
    [(0.03, 0.05), (0.05, 1e-6), (0.07, 0.004), (0.1, 1e-6), (0.15, 0.01), (0.2, 0.03),
     (0.25, 0.09)],
)  # fmt: skip
def test_other_lengths_are_near_those_tracked_directly(length, error):
    """Profiles, and averages of scalars that fall, rise and swing with the step."""
    wanted = Profile(STEPS, exponent_of(length))
    found = coefficients(KEPT, wanted)
    assert found.sum() == pytest.approx(1.0)
    assert np.abs(found).max() < 4.0
    direct = shares(wanted)
    made = found @ np.stack([shares(profile) for profile in KEPT])
    assert np.linalg.norm(made - direct) <= error * np.linalg.norm(direct) + 1e-6
    update = np.arange(1, STEPS + 1) / STEPS
    for path in (np.exp(-3 * update), update**0.5, np.cos(10 * update), np.ones(STEPS)):
        assert made @ path == pytest.approx(direct @ path, abs=0.15 * error + 1e-6)


@pytest.mark.parametrize("length", LENGTHS)
def test_no_other_coefficients_of_sum_one_are_better(length):
    wanted = Profile(STEPS, exponent_of(length))
    found = coefficients(KEPT, wanted)
    matrix = np.array([[overlap(a, b) for b in KEPT] for a in KEPT])
    right = np.array([overlap(a, wanted) for a in KEPT])

    def excess(x):
        return x @ matrix @ x - 2 * right @ x

    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(size=len(KEPT)) * 1e-2
        assert excess(found + step - step.mean()) > excess(found)


# ------------------------------------------------------------------------------------- training

POWER = {**TINY["training"], "ema": "power", "max_steps": 24, "precision": "32"}


@pytest.fixture(scope="module")
def power(maps_dir, tmp_path_factory):
    """A training, and in it the averages of all lengths tracked directly."""
    root, direct, made = tmp_path_factory.mktemp("power"), {}, {}
    original = trainer_module.EmulatorModule.on_train_batch_end

    def tracking(self, *arguments):
        original(self, *arguments)
        for length in LENGTHS:
            if length not in direct:
                direct[length] = build_power_average(self.network, length)
            direct[length].update_parameters(self.network)

    def making(module, folder):
        made.update(make_averages(module, folder))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module.EmulatorModule, "on_train_batch_end", tracking)
        patch.setattr("emulator.training.lengths.make_averages", making)
        weights = run(maps_dir, root, training=POWER)
    return root, weights, {k: a.module.state_dict() for k, a in direct.items()}, made


def last_row(root):
    with (root / "model/history.csv").open() as handle:
        return list(csv.DictReader(handle))[-1]


def flat(weights):
    return torch.cat([tensor.flatten() for tensor in weights.values()])


@pytest.mark.parametrize("length", LENGTHS)
def test_weights_are_near_the_average_tracked_directly(power, length):
    """In units of what tells averages apart, the way from the shortest to the longest."""
    _, _, direct, made = power
    scale = (flat(direct[LENGTHS[-1]]) - flat(direct[LENGTHS[0]])).norm()
    error = (flat(made[length]) - flat(direct[length])).norm() / scale
    assert float(error) < (1e-5 if length in TRACKED else 0.12 if length > 0.2 else 0.05)


def test_the_best_is_exported_and_the_choice_is_recorded(power):
    root, weights, _, made = power
    card, network = read_bundle(root / "model")
    losses = {length: card.metrics[f"val_loss_ema_{length:g}"] for length in LENGTHS}
    best = min(losses, key=losses.get)
    assert len(set(losses.values())) == len(LENGTHS)
    assert card.metrics["ema_length"] == best
    assert card.metrics["val_loss"] == losses[best]
    assert card.training["ema"] == "power"
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[f"ema.{name}"])
        assert torch.equal(tensor, made[best][name])
    row = last_row(root)
    assert float(row["ema_length"]) == best
    # validation watches the first of those that are tracked, which needs no approximation
    assert float(row["val_loss"]) == pytest.approx(losses[TRACKED[0]], rel=1e-6)
    assert {name: float(row[f"val_loss_ema_{name:g}"]) for name in LENGTHS} == losses


def test_a_finished_training_exports_the_same_bundle_again(power, maps_dir, capsys):
    root = power[0]
    files = ("model.json", "weights.safetensors", "history.csv")
    before = {name: (root / "model" / name).read_bytes() for name in files}
    (root / "model/model.json").unlink()
    run(maps_dir, root, training=POWER)
    assert {name: (root / "model" / name).read_bytes() for name in files} == before
    said = capsys.readouterr().out
    assert f"average of relative length {float(last_row(root)['ema_length']):g} chosen" in said
    assert all(f"{length:g}: 0." in said for length in LENGTHS)


def test_a_damaged_file_is_left_out_and_named(power, maps_dir, tmp_path, capsys):
    weights = run(maps_dir, tmp_path, training=POWER)
    (path,) = tmp_path.glob("state/*/averages/14.ckpt")
    path.write_bytes(path.read_bytes()[:-100])
    (tmp_path / "model/model.json").unlink()
    capsys.readouterr()
    again = run(maps_dir, tmp_path, training=POWER)
    assert "14.ckpt" in capsys.readouterr().out
    assert all(torch.equal(again[n], weights[n]) for n in weights if n.startswith("raw."))
    assert float((flat(again) - flat(weights)).abs().max()) < 1e-3


class Killed(BaseException):
    """As kill -9."""


@pytest.mark.parametrize("step", [9, 10])
def test_an_interrupted_run_chooses_from_the_same_averages(
    power, maps_dir, tmp_path, monkeypatch, step
):
    """Killed within an epoch, and when averages are written but not yet the state."""
    original, save = (
        trainer_module.EmulatorModule.training_step,
        trainer_module.SaveState.on_train_epoch_end,
    )

    def dying(self, batch, batch_idx):
        if step % 2 and self.global_step == step:
            raise Killed
        return original(self, batch, batch_idx)

    def unsaved(self, trainer, module):
        if trainer.global_step == step:
            raise Killed
        save(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.EmulatorModule, "training_step", dying)
        patch.setattr(trainer_module.SaveState, "on_train_epoch_end", unsaved)
        with pytest.raises(Killed):
            run(maps_dir, tmp_path, training=POWER)
    assert not (tmp_path / "model/model.json").exists()
    run(maps_dir, tmp_path, training=POWER)
    for name in ("model.json", "weights.safetensors"):
        one, other = ((root / "model" / name).read_bytes() for root in (power[0], tmp_path))
        assert one == other, name
    folders = [next(root.glob("state/*/averages")) for root in (power[0], tmp_path)]
    one, other = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders)
    assert one == other


@pytest.mark.parametrize(("max_steps", "kept"), [(2, 1), (30, 15), (32, 16), (34, 8), (1000, 15)])
def test_a_training_keeps_no_more_than_it_may(tmp_path, max_steps, kept):
    training = TrainingConfig(max_steps=max_steps, checkpoint_steps=2)
    every = KeepAverages(tmp_path, training).every
    assert max_steps // 2 // every == kept <= N_KEPT


def test_a_one_step_ensemble_chooses_by_its_score(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training={**POWER, "objective": "one_step", "max_steps": 4})
    metrics = json.loads((tmp_path / "model/model.json").read_text())["metrics"]
    assert metrics["val_loss"] == min(metrics[f"val_loss_ema_{length:g}"] for length in LENGTHS)


def test_an_exponential_average_keeps_nothing_beside_the_state(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training={**POWER, "ema": "exponential", "max_steps": 2})
    assert not list(tmp_path.glob("state/*/averages"))
    assert "ema_length" not in last_row(tmp_path)
    state = torch.load(next(tmp_path.glob("state/*/state.ckpt")), weights_only=True)["state_dict"]
    assert not any("shorter" in name for name in state)
    assert load_file(tmp_path / "model/weights.safetensors")
