"""Lightning callbacks that watch: the history of a training, and a progress line."""

import csv
import io
import math
import time
from collections.abc import Sequence
from typing import Any, Protocol, cast

import pytorch_lightning as pl
import torch

from emulator.config.training import EarlyStoppingConfig
from emulator.io import EmulatorError
from emulator.progress import Progress

COLUMNS = (
    "step",
    "epoch",
    "train_loss",
    "learning_rate",
    "seconds",
    "val_loss",
    "val_bits_per_dimension",
    "val_diffusion_nats",
    "val_prior_nats",
    "val_reconstruction_nats",
    "head_loss",
)


class Scored(Protocol):
    """What a history reads from a Lightning module beside what is logged."""

    scores: dict[str, float]


class History(pl.Callback):
    """One row an epoch; part of the resume state, so that a resumed run has all of them.

    Parameters
    ----------
    watched
        Columns beside :data:`COLUMNS`, of what is logged in validation.
    """

    def __init__(self, watched: Sequence[str] = ()) -> None:
        self.columns = [*COLUMNS, *watched]
        self.rows: list[dict[str, float]] = []
        self.losses: list[float] = []  # of the parts of this epoch's steps so far
        self.seconds = 0.0
        self.began = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.began = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the loss; kept here, it survives a stop in the middle of an epoch."""
        self.losses.append(float(outputs["objective"]))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row from what was logged; a resumed run passes the end of its last epoch again."""
        if self.rows and self.rows[-1]["step"] == trainer.global_step:
            return
        now = time.monotonic()
        self.seconds, self.began = self.seconds + now - self.began, now
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        logged |= cast("Scored", pl_module).scores
        loss = torch.tensor(self.losses, dtype=torch.float64).mean().to(pl_module.device)
        self.losses = []
        row = {
            "step": trainer.global_step,
            "train_loss": float(trainer.strategy.reduce(loss, reduce_op="mean")),
            "epoch": trainer.current_epoch,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(self.seconds, 3),
        }
        self.rows.append(row | {name: logged[name] for name in self.columns if name in logged})

    def state_dict(self) -> dict[str, Any]:
        """Rows, losses of an unfinished epoch, and seconds so far."""
        return {"rows": self.rows, "losses": self.losses, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the rows of the interrupted run."""
        self.rows, self.losses = state_dict["rows"], state_dict["losses"]
        self.seconds = state_dict["seconds"]

    def note(self, measured: dict[str, float]) -> None:
        """Add to the last row what was measured when training had ended."""
        self.columns += [name for name in measured if name not in self.columns]
        self.rows[-1] |= measured

    def to_csv(self) -> str:
        """All rows; blank where a value was not measured."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def last(self) -> dict[str, float]:
        """Return the last row's finite metrics, without the seconds: equal runs, equal values."""
        row = self.rows[-1] if self.rows else {}
        return {k: v for k, v in row.items() if math.isfinite(v) and k != "seconds"}


class StopEarly(pl.Callback):
    """Stop where a column of the history has not improved for some epochs; stays stopped."""

    def __init__(self, config: EarlyStoppingConfig, history: History) -> None:
        if config.metric not in history.columns:
            raise EmulatorError(
                f"training.early_stopping.metric: no column {config.metric!r} in the history; "
                f"there are {', '.join(history.columns)}"
            )
        self.config, self.history = config, history
        self.best, self.bad, self.seen, self.stopped = math.inf, 0, 0, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do not go on with a training that has stopped."""
        trainer.should_stop = trainer.should_stop or self.stopped

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the last row; must stand after :class:`History` in the list of callbacks."""
        row = self.history.rows[-1]
        value, step = row.get(self.config.metric), int(row["step"])
        # measured in some epochs only; or looked at already, before a stop
        if value is None or step == self.seen:
            return
        self.seen = step
        if value < self.best:
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.bad >= self.config.patience:
            self.stopped = trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Best value, epochs since, the last step looked at, and whether that was it."""
        names = ("best", "bad", "seen", "stopped")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where the interrupted run was."""
        for name, value in state_dict.items():
            setattr(self, name, value)


class ProgressLine(pl.Callback):
    """Step, loss and time left."""

    def __init__(self, label: str, max_steps: int) -> None:
        self.label, self.max_steps = label, max_steps
        self.progress: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin at the step that training resumes from."""
        self.progress = Progress(self.label, self.max_steps, start=trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Advance by one step."""
        if self.progress is None or not trainer.is_global_zero:
            return
        steps = trainer.global_step - self.progress.done
        if steps > 0:
            self.progress.advance(steps, note=f"loss {float(outputs['objective']):.4f}")
