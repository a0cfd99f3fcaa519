"""The resume state: written whole and sealed, the one before it kept, a damaged one left out."""

import os
import signal
import sys
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from emulator.io import (
    DataError,
    EmulatorError,
    atomic_path,
    seal_of,
    verify,
    write_text,
)
from emulator.training.history import History

say = rank_zero_only(print)
"""Print once, however many processes train."""

EXIT_REQUEUE = 75
"""Exit code of a training that was told to stop and can go on: EX_TEMPFAIL, "try again"."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
"""What schedulers send before they take the machine away; and Ctrl-C."""


class InterruptedTrainingError(EmulatorError):
    """Training was told to stop; its state is written, and the same command goes on."""

    exit_code = EXIT_REQUEUE


class CancelledTrainingError(InterruptedTrainingError):
    """A person has stopped it, who does not want it to be queued again."""

    exit_code = 128 + signal.SIGINT


def previous_of(state: Path) -> Path:
    """Where the state before the last one is kept."""
    return state.with_name(f"{state.stem}.previous{state.suffix}")


def last_state(state: Path) -> Path | None:
    """State to go on from: the last one, or that before it if the last is missing or damaged.

    Raises
    ------
    DataError
        If there are states, and all of them are damaged.
    """
    present = [path for path in (state, previous_of(state)) if path.is_file()]
    faults = []
    for path in present:
        try:
            verify(path, hint="It can be removed, to start this training anew.")
            return path
        except DataError as error:
            faults.append(error)
            say(f"train: {error}", flush=True)
    if faults:
        raise faults[0]
    return None


class SealedFiles(TorchCheckpointIO):
    """Writes a state where it belongs, with its checksum; Lightning's own way is through TMPDIR."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write one file; the disk that is full is the one that the message names."""
        buffer = BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getbuffer()
        with Path(path).open("wb") as handle:
            handle.write(content)
            handle.write(seal_of(content))


class SaveState(pl.Callback):
    """Write the resume state after every epoch, and when a signal asks to stop.

    A signal is answered at the start of the next step, when everything that belongs to the last one
    is done: the run that goes on from there ends with the same weights as one that never stopped.

    Parameters
    ----------
    path
        ``state.ckpt``; its predecessor is kept beside it.
    history
        Rows so far, written beside it as ``history.csv``.
    accumulate
        Parts of a step; the state is written between steps.
    """

    def __init__(self, path: Path, history: History, accumulate: int) -> None:
        self.path, self.history, self.accumulate = path, history, accumulate
        self.received: int | None = None
        self.before: dict[int, Any] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note who listened before: here Lightning has not put its own handlers yet."""
        self.before = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for signals (in the main thread, where Python delivers them)."""
        for number in SIGNALS:
            signal.signal(number, self._receive)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back; Lightning has cleaned up already."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        if number == signal.SIGINT:
            # who presses it twice does not want to wait
            signal.signal(number, self.before[number])
            print("\ntrain: saving the state; Ctrl-C again to stop at once", file=sys.stderr)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop here if any process was told to."""
        if batch_idx % self.accumulate:
            return
        told = self.received is not None
        if trainer.world_size > 1:
            told = bool(trainer.strategy.reduce_boolean_decision(told, all=False))
        if told:
            self.save(trainer)
            name = signal.Signals(self.received).name if self.received else "a signal elsewhere"
            by_hand = self.received == signal.SIGINT
            raise (CancelledTrainingError if by_hand else InterruptedTrainingError)(
                f"training stopped after step {trainer.global_step} ({name}); its state is in "
                f"{self.path}, and the same command goes on from there"
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save; must stand after :class:`History` in the list of callbacks."""
        self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        """Write state and history; the last state becomes the previous one."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path, weights_only=False)  # only the first process writes
            return
        with atomic_path(self.path) as partial:
            trainer.save_checkpoint(partial, weights_only=False)
            if self.path.is_file():
                os.replace(self.path, previous_of(self.path))
        write_text(self.path.with_name("history.csv"), self.history.to_csv())
