"""What all trainings share: a network, its moving average, and steps that anyone can repeat.

An objective says what a step draws (:meth:`EmulatorModule.draw`), what each row of a batch costs
(:meth:`EmulatorModule.losses`) and what is watched in validation. It computes nothing that could
not be tested without Lightning.
"""

from abc import ABC, abstractmethod
from typing import Any, Generic, NamedTuple, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from emulator.config import TrainingConfig
from emulator.data.dataset import Batch, part_of
from emulator.model.build import channel_weights
from emulator.model.field_transform import Encoded, FieldTransform
from emulator.networks.backbone import Backbone
from emulator.training.ema import TRACKED, build_ema, build_power_average
from emulator.training.optimiser import build_optimiser

Drawn = TypeVar("Drawn")


class NonFiniteLossError(FloatingPointError):
    """The loss is NaN or infinite; says at which step, and in which rows of the step's batch."""

    def __init__(self, step: int, rows: list[int]) -> None:
        self.step, self.rows = step, rows
        super().__init__(f"the training loss is not finite at step {step}, rows {rows}")


class Part(NamedTuple):
    """What one device computes at once of the batch of a step."""

    whole: int
    """Rows of the step, over all devices and parts."""
    rows: slice
    """Which of them are here."""


class EmulatorModule(pl.LightningModule, ABC, Generic[Drawn]):
    """Trains a conditional network; keeps its moving average beside it.

    Parameters
    ----------
    network
        The network to train.
    transform
        Field transform fitted on the training split.
    training
        Config section.
    seed
        Of everything that a step draws.
    pixel_mpch
        Side of a pixel [Mpc/h], for the spectra that are watched.
    """

    def __init__(
        self,
        network: Backbone,
        transform: FieldTransform,
        training: TrainingConfig,
        *,
        seed: int,
        pixel_mpch: float,
    ) -> None:
        super().__init__()
        self.seed, self.pixel_mpch = seed, pixel_mpch
        self.network = network
        self.shorter: AveragedModel | None = None
        """Second average of those from which others are made."""
        if training.ema == "power":
            self.ema, self.shorter = (build_power_average(network, length) for length in TRACKED)
        else:
            self.ema = build_ema(network, training.ema_decay)
        self.field_transform, self.training_config = transform, training
        self.weights = torch.tensor(channel_weights(transform.channels))
        self.watched: Batch | None = None
        """Windows of which members are drawn now and then."""
        self.masses: Tensor | None = None
        """These members, ``(batch, member, field, y, x)``; None in epochs that draw none."""
        self.scores: dict[str, float] = {}
        """Columns of the history that are not logged through Lightning."""

    @abstractmethod
    def columns(self) -> list[str]:
        """Columns of the history that are its own."""

    @abstractmethod
    def draw(self, batch: Batch, part: Part) -> Drawn:
        """All that is random in a part of a step: drawn for the whole step, its share returned.

        So it is the same step, however it is divided.
        """

    @abstractmethod
    def losses(self, batch: Batch, draws: Drawn) -> Tensor:
        """Loss of each row, ``(batch,)``."""

    def normalise(self, batch: Batch) -> tuple[Tensor, Encoded]:
        """Network's channels of the target, and the condition as the network sees it."""
        x = self.field_transform.transform(batch.target, batch.condition)
        return x, self.field_transform.encode(batch.condition)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Loss of one batch, or of one part of it, and what of it is the objective."""
        part = self._part(batch, batch_idx)
        torch.manual_seed(step_seed(self.seed, 0, self.global_step))
        draws = self.draw(batch, part)
        if part.rows.start:
            # dropout inside the network, which no two processes can share
            torch.manual_seed(step_seed(self.seed, part.rows.start, self.global_step))
        losses = self.losses(batch, draws)
        self._require_finite(losses, part.rows.start)
        return self.step_result(losses, draws, batch, batch_idx)

    def step_result(
        self, losses: Tensor, draws: Drawn, batch: Batch, batch_idx: int
    ) -> dict[str, Tensor]:
        """What is minimised (``loss``), and what is shown of it (``objective``)."""
        loss = losses.mean()
        return {"loss": loss, "objective": loss.detach()}

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Update the moving averages after the optimiser step."""
        if (batch_idx + 1) % self.training_config.accumulate == 0:
            for average in self.averages:
                average.update_parameters(self.network)

    @property
    def averages(self) -> list[AveragedModel]:
        """The average that validation watches, and behind it the other if two are tracked."""
        return [self.ema] if self.shorter is None else [self.ema, self.shorter]

    def configure_optimizers(self) -> Any:
        """See :func:`~emulator.training.optimiser.build_optimiser`."""
        return build_optimiser(self.network, self.other_parameters(), self.training_config)

    def other_parameters(self) -> list[nn.Parameter]:
        """Parameters beside those of the network."""
        return []

    def _part(self, batch: Batch, batch_idx: int) -> Part:
        parts, trainer = self.training_config.accumulate, self.trainer
        whole = len(batch.target) * parts * trainer.world_size
        part = batch_idx % parts
        return Part(whole, part_of(whole, parts, part, trainer.world_size, self.global_rank))

    def _require_finite(self, losses: Tensor, first: int) -> None:
        """Stop at a loss that is not finite, and say where it came from."""
        bad = (~torch.isfinite(losses.detach())).nonzero()[:, 0].tolist()
        if bad:
            raise NonFiniteLossError(self.global_step, [first + row for row in bad])


def step_seed(seed: int, stream: int, step: int) -> int:
    """Mix into 63 bits, so that neighbouring steps and streams share no stream."""
    words = torch.tensor([seed, stream, step], dtype=torch.int64)
    mixed = (words * torch.tensor([0x9E3779B97F4A7C1, 0x1B873593CC9E2D5, 0x2545F4914F6CDD1])).sum()
    return int(mixed) & 0x7FFFFFFFFFFFFFFF
