"""Training of a consistency model: a student that learns where the paths of a diffusion end."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from emulator.config import EVALUATIONS, DiffusionConfig, TrainingConfig
from emulator.data.dataset import Batch, WindowDataset
from emulator.diffusion.consistency import Ladder, Renoise, consistency_loss
from emulator.diffusion.parameterization import Denoiser
from emulator.diffusion.solvers import solve
from emulator.diffusion.times import low_discrepancy_times
from emulator.model.build import build_parameterization
from emulator.model.conditional import bind_condition, denoiser
from emulator.model.field_transform import Encoded, FieldTransform
from emulator.model.gaps import Gaps
from emulator.networks.backbone import Backbone
from emulator.training.loaders import VALIDATION_SEED
from emulator.training.monitor import MEMBERS, ensemble_names, score_ensemble
from emulator.training.objectives.base import EmulatorModule, Part, step_seed
from emulator.training.objectives.tilt import MassTilt


class Draws(NamedTuple):
    """What is random in one part of a step."""

    eps: Tensor
    """Of the process, and behind it of what is filled (:class:`~emulator.model.gaps.Gaps`)."""
    level: Tensor
    """Upper level of each row."""


class ConsistencyModule(EmulatorModule[Draws]):
    """Distils a conditional denoiser.

    Parameters
    ----------
    network, transform, training, seed, pixel_mpch
        See :class:`~emulator.training.objectives.base.EmulatorModule`; the network holds the
        weights of the teacher.
    diffusion
        Config section, of teacher and student.
    teacher
        Its network, in evaluation mode; it is not trained.
    ladder
        Levels that are compared.
    """

    def __init__(
        self,
        network: Backbone,
        transform: FieldTransform,
        training: TrainingConfig,
        diffusion: DiffusionConfig,
        teacher: nn.Module,
        ladder: Ladder,
        *,
        seed: int,
        pixel_mpch: float,
    ) -> None:
        super().__init__(network, transform, training, seed=seed, pixel_mpch=pixel_mpch)
        self.diffusion, self.ladder, self.teacher = diffusion, ladder, teacher
        self.parameterization, self.gaps = build_parameterization(diffusion), Gaps(transform)
        floor = transform.normalisation.condition_floor_msunh
        self.pixels = MassTilt(diffusion.mass_tilt, floor)

    @torch.no_grad()
    def measure(self, windows: WindowDataset) -> None:
        """Mean weight of a pixel, from training windows that no step sees."""
        self.pixels.measure_unless_even(windows)

    def columns(self) -> list[str]:
        """Scores of small ensembles."""
        return ensemble_names([channel.name for channel in self.field_transform.channels])

    def normalise(self, batch: Batch) -> tuple[Tensor, Encoded]:
        """Network's channels of the target, NaN in gaps; the condition as the network sees it."""
        x = self.gaps.leave(batch.target, batch.condition)
        return x, self.field_transform.encode(batch.condition)

    def draw(self, batch: Batch, part: Part) -> Draws:
        """Noise, and levels that are spread over the step."""
        shape = (part.whole, self.gaps.n_noise, *batch.target.shape[2:])
        eps = torch.randn(shape, device=batch.target.device)[part.rows]
        level = self._levels(low_discrepancy_times(part.whole))[part.rows]
        return Draws(eps, level.to(eps.device))

    def losses(self, batch: Batch, draws: Draws) -> Tensor:
        """Distance of the student's answers at neighbouring levels."""
        return self._loss(self.network, batch, draws)

    def _loss(self, network: nn.Module, batch: Batch, draws: Draws) -> Tensor:
        x, given = self.normalise(batch)
        data = self.gaps.fill(x, draws.eps)
        return consistency_loss(
            self._denoiser(network, given), self._denoiser(self.teacher, given),
            data.x, data.eps, draws.level, ladder=self.ladder,
            channel_weights=self.weights,
            pixel_weights=self.pixels.weigh(data.pixel_weights, batch.condition, data.x),
        )  # fmt: skip

    def _denoiser(self, network: nn.Module, given: Encoded) -> Denoiser:
        return denoiser(bind_condition(network, given, self.diffusion), self.parameterization)

    def _levels(self, u: Tensor) -> Tensor:
        """Levels of numbers in [0, 1)."""
        return (u * self.ladder.levels).long().clamp(max=self.ladder.levels - 1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss of the averaged network on fixed windows, noise and levels."""
        generator = torch.Generator().manual_seed(step_seed(VALIDATION_SEED, 1, batch_idx))
        eps = self.gaps.noise(self.normalise(batch)[0], generator)
        level = self._levels(low_discrepancy_times(len(eps), generator))
        loss = self._loss(self.ema, batch, Draws(eps, level.to(eps.device)))
        self.log("val_loss", loss.mean(), batch_size=len(loss), sync_dist=True)
        if batch_idx == 0:
            self.watched = batch

    def on_validation_epoch_end(self) -> None:
        """A small ensemble from the averaged network, every few epochs."""
        self.scores, self.masses = {}, None
        every = self.training_config.ensemble_every
        if every and (self.current_epoch + 1) % every == 0 and self.watched is not None:
            self.masses = self._draw_ensemble(self.watched)
            names = [channel.name for channel in self.field_transform.channels]
            self.scores = score_ensemble(self.masses, self.watched, names, self.pixel_mpch)

    @torch.no_grad()
    def _draw_ensemble(self, batch: Batch) -> Tensor:
        """Members of every window, ``(batch, member, field, y, x)``; always of the same noise."""
        x, given = self.normalise(batch)
        generator = torch.Generator().manual_seed(VALIDATION_SEED)
        shape = (len(x) * MEMBERS, *x.shape[1:])

        def noise() -> Tensor:
            return torch.randn(shape, generator=generator).to(x)

        network = self._denoiser(self.ema, given.repeat(MEMBERS))
        drawn = solve(Renoise(), network, noise(), self.ladder.visited(EVALUATIONS), noise)
        fields = self.field_transform.inverse_transform(drawn, batch.condition.repeat(MEMBERS))
        members: Tensor = fields.unflatten(0, (-1, MEMBERS))
        return members
