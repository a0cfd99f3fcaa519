"""Signals and states inside one process; the slow tests signal a whole process group."""

import os
import signal

import pytest
import torch
from tiny import TINY, run

from emulator.io import EmulatorError
from emulator.training import trainer as trainer_module
from emulator.training.state import (
    EXIT_REQUEUE,
    SIGNALS,
    CancelledTrainingError,
    InterruptedTrainingError,
    last_state,
    previous_of,
)

LONG = {**TINY["training"], "max_steps": 8, "checkpoint_steps": 4}


@pytest.fixture
def signalled(monkeypatch):
    """Send signals at given parts of a training, by their number."""
    original, parts, at = trainer_module.EmulatorModule.training_step, [], {}

    def step(self, batch, batch_idx):
        parts.append((self.global_step, batch_idx))
        for number in at.get(len(parts), ()):
            signal.raise_signal(number)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(trainer_module.EmulatorModule, "training_step", step)
    # what was started in the background has been told to ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield at, parts
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (signal.SIGTERM, InterruptedTrainingError, 75),
        (signal.SIGUSR1, InterruptedTrainingError, 75),
        (signal.SIGINT, CancelledTrainingError, 130),
    ],
)
def test_a_signal_stops_between_steps_with_a_code_of_its_own(
    maps_dir, tmp_path, signalled, number, error, code
):
    at, _ = signalled
    before = {n: signal.getsignal(n) for n in SIGNALS}
    at[2] = [number]
    name = signal.Signals(number).name
    with pytest.raises(error, match=rf"stopped after step 2 \({name}\); its state is in") as told:
        run(maps_dir, tmp_path, training=LONG)
    assert told.type is error
    assert told.value.exit_code == code
    assert {n: signal.getsignal(n) for n in SIGNALS} == before
    (state,) = tmp_path.glob("state/*/state.ckpt")
    assert torch.load(state, weights_only=True)["global_step"] == 2
    assert state.with_name("history.csv").is_file()
    assert EXIT_REQUEUE == 75


def test_a_signal_in_a_part_waits_for_the_step(maps_dir, tmp_path, signalled):
    at, parts = signalled
    at[3] = [signal.SIGTERM]  # the first of two parts of the second step
    with pytest.raises(InterruptedTrainingError, match="after step 2"):
        run(maps_dir, tmp_path, training={**LONG, "accumulate": 2})
    assert parts == [(0, 0), (0, 1), (1, 2), (1, 3)]


def test_interrupting_twice_stops_at_once(maps_dir, tmp_path, signalled, capfd):
    at, parts = signalled
    at[2] = [signal.SIGINT, signal.SIGINT]
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(maps_dir, tmp_path, training=LONG)
    assert len(parts) == 2
    assert capfd.readouterr().err.count("Ctrl-C again to stop at once") == 1
    assert not list(tmp_path.glob("state/*/state.ckpt"))


def test_a_training_that_others_end_early_is_no_model(maps_dir, tmp_path, monkeypatch):
    original = trainer_module.EmulatorModule.training_step

    def step(self, batch, batch_idx):
        self.trainer.should_stop = self.global_step == 3
        return original(self, batch, batch_idx)

    monkeypatch.setattr(trainer_module.EmulatorModule, "training_step", step)
    with pytest.raises(EmulatorError, match="interrupted at step 4 of 8; the same command goes on"):
        run(maps_dir, tmp_path, training=LONG)
    assert not (tmp_path / "model/model.json").exists()


def test_no_state_means_a_new_training(tmp_path):
    assert last_state(tmp_path / "state.ckpt") is None
    assert previous_of(tmp_path / "state.ckpt") == tmp_path / "state.previous.ckpt"


def test_every_epoch_leaves_a_state_and_the_one_before(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training=LONG)
    (state,) = tmp_path.glob("state/*/state.ckpt")
    steps = [torch.load(p, weights_only=True)["global_step"] for p in (state, previous_of(state))]
    assert steps == [8, 4]
    assert (state.with_name("history.csv")).read_text() == (
        tmp_path / "model/history.csv"
    ).read_text()
    assert sorted(os.listdir(state.parent)) == ["history.csv", "state.ckpt", "state.previous.ckpt"]
