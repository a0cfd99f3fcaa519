"""The length of the average, chosen after training: two averages are kept now and then.

Files ``averages/STEP.ckpt`` beside the resume state hold both in half precision, at most
:data:`N_KEPT` times in a training. They are functions of the step, and written before the state of
their step: a training that is resumed writes again what its state does not know of.
"""

import math
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import EVAL_DATALOADERS
from torch import Tensor

from emulator.config import TrainingConfig
from emulator.io import DataError, atomic_path, verify
from emulator.training.ema import TRACKED
from emulator.training.objectives.base import EmulatorModule
from emulator.training.power_average import Profile, coefficients, exponent_of
from emulator.training.state import SealedFiles, say

N_KEPT = 16
"""Times that both averages are kept, at most: the coefficients of all lengths below stay small, and
profiles are right to 0.4 % (0.07) up to 8 % (0.25) of their norm."""

LENGTHS = (0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25)
"""Relative lengths that are tried."""


class Chosen(NamedTuple):
    """The average with the least validation loss."""

    length: float
    metrics: dict[str, float]
    """Of validation."""
    losses: dict[float, float]
    """Validation loss of every length."""

    @property
    def columns(self) -> dict[str, float]:
        """What the history records of the choice."""
        of_all = {f"val_loss_ema_{length:g}": loss for length, loss in self.losses.items()}
        return {"ema_length": self.length, **of_all}

    def __str__(self) -> str:
        listed = ", ".join(f"{length:g}: {loss:.5g}" for length, loss in self.losses.items())
        return f"average of relative length {self.length:g} chosen; val_loss by length {listed}"


class KeepAverages(pl.Callback):
    """Keep both averages at the end of every few epochs; stands before the state is saved."""

    def __init__(self, folder: Path, training: TrainingConfig) -> None:
        self.folder = folder
        self.every = -(-training.max_steps // (training.checkpoint_steps * N_KEPT))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write a file, in the first process."""
        if (trainer.current_epoch + 1) % self.every or not trainer.is_global_zero:
            return
        averages = cast("EmulatorModule[Any]", pl_module).averages
        halves = [
            {name: tensor.half() for name, tensor in average.module.state_dict().items()}
            for average in averages
        ]
        steps = int(averages[0].n_averaged)
        with atomic_path(self.folder / f"{steps}.ckpt") as partial:
            SealedFiles().save_checkpoint({"steps": steps, "averages": halves}, partial)


def make_averages(module: EmulatorModule[Any], folder: Path) -> dict[float, dict[str, Tensor]]:
    """Weights of the average of each length, on the CPU.

    A file that is missing or damaged is left out, and said: the others approximate as they can.
    """
    steps = int(module.ema.n_averaged)
    kept = [Profile(steps, exponent_of(length)) for length in TRACKED]
    files = []
    for path in sorted(folder.glob("*.ckpt"), key=lambda path: int(path.stem)):
        try:
            verify(path)
        except DataError as error:
            say(f"train: {error}", flush=True)
            continue
        if int(path.stem) < steps:
            files.append(path)
            kept += [Profile(int(path.stem), exponent_of(length)) for length in TRACKED]
    shares = {
        length: iter(coefficients(kept, Profile(steps, exponent_of(length)))) for length in LENGTHS
    }
    made: dict[float, dict[str, Tensor]] = {length: {} for length in LENGTHS}
    tracked = [average.module.state_dict() for average in module.averages]
    for averages in chain([tracked], map(_read, files)):
        for average, length in product(averages, LENGTHS):
            _add(made[length], average, float(next(shares[length])))
    return made


def _read(path: Path) -> list[dict[str, Tensor]]:
    averages: list[dict[str, Tensor]] = torch.load(path, map_location="cpu", weights_only=True)[
        "averages"
    ]
    return averages


def _add(total: dict[str, Tensor], weights: dict[str, Tensor], share: float) -> None:
    for name, tensor in weights.items():
        part = share * tensor.cpu().float()
        total[name] = total[name] + part if name in total else part


def choose_average(
    trainer: pl.Trainer, module: EmulatorModule[Any], validation: EVAL_DATALOADERS, folder: Path
) -> Chosen:
    """Try averages of all lengths on the validation windows; the best becomes ``module.ema``.

    All processes do the same, each with all of the windows.
    """
    made = make_averages(module, folder)
    # small ensembles watch a training, and cost more than the loss
    watched = module.training_config
    module.training_config = watched.model_copy(update={"ensemble_every": 0})
    found: dict[float, dict[str, float]] = {}
    for length, weights in made.items():
        module.ema.module.load_state_dict(weights)
        (metrics,) = trainer.validate(module, validation, verbose=False)
        found[length] = {name: float(value) for name, value in metrics.items()}
    module.training_config = watched
    losses = {length: metrics["val_loss"] for length, metrics in found.items()}
    best = min(losses, key=lambda length: (math.isnan(losses[length]), losses[length]))
    module.ema.module.load_state_dict(made[best])
    return Chosen(best, found[best], losses)
