"""Training of the diffusion: one denoising step of each window."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from emulator.config import DiffusionConfig, TrainingConfig
from emulator.data.dataset import Batch, WindowDataset
from emulator.diffusion.bound import variational_bound
from emulator.diffusion.loss import training_loss
from emulator.diffusion.parameterization import Network
from emulator.diffusion.schedule import FixedLinear
from emulator.diffusion.times import build_times, low_discrepancy_times
from emulator.model.build import (
    build_parameterization,
    build_schedule,
    build_weight,
    data_noises,
)
from emulator.model.conditional import bind_condition, denoiser
from emulator.model.field_transform import Encoded, FieldTransform
from emulator.model.gaps import Gaps
from emulator.networks.backbone import Backbone, ParameterHead
from emulator.training.loaders import VALIDATION_SEED
from emulator.training.monitor import (
    MEMBERS,
    ErrorByNoise,
    bin_names,
    draw_ensemble,
    ensemble_names,
    score_ensemble,
)
from emulator.training.objectives.base import EmulatorModule, Part, step_seed
from emulator.training.objectives.tilt import MassTilt


class Draws(NamedTuple):
    """What is random in one part of a step."""

    eps: Tensor
    """Of the process, and behind it of what is filled (:class:`~emulator.model.gaps.Gaps`)."""
    t: Tensor
    importance: Tensor
    keep_params: Tensor | None
    keep_context: Tensor | None


class Kept(NamedTuple):
    """What the network is told of each sample, see :func:`bind_condition`; None: all."""

    keep_params: Tensor | None = None
    keep_context: Tensor | None = None


class Task(NamedTuple):
    """What is diffused of a batch, and by which network."""

    network: Network
    x: Tensor
    """``(batch, channel, y, x)``, NaN in gaps."""
    restore: Callable[[Tensor], Tensor]
    """From what is diffused to the network's channels."""
    beside: Tensor | None = None
    """Loss of each row that is trained beside that of the diffusion."""


class DiffusionModule(EmulatorModule[Draws]):
    """Trains a conditional denoiser.

    Parameters
    ----------
    network, transform, training, seed, pixel_mpch
        See :class:`~emulator.training.objectives.base.EmulatorModule`.
    diffusion
        Config section.
    """

    def __init__(
        self,
        network: Backbone,
        transform: FieldTransform,
        training: TrainingConfig,
        diffusion: DiffusionConfig,
        *,
        seed: int,
        pixel_mpch: float,
    ) -> None:
        super().__init__(network, transform, training, seed=seed, pixel_mpch=pixel_mpch)
        self.diffusion, self.errors = diffusion, ErrorByNoise()
        self.step_losses: list[tuple[Tensor, Tensor]] = []
        self.schedule, self.times = build_schedule(diffusion), build_times(diffusion.times)
        self.parameterization, self.weight = (
            build_parameterization(diffusion),
            build_weight(diffusion),
        )
        self.head = (
            ParameterHead(network.feature_width, len(transform.normalisation.params))
            if training.parameter_head_weight > 0
            else None
        )
        self.gaps = Gaps(transform)
        self.pixels = MassTilt(diffusion.mass_tilt, transform.normalisation.condition_floor_msunh)
        self.data_noise = torch.tensor(data_noises(transform.channels, diffusion.data_noise))

    def columns(self) -> list[str]:
        """Errors by noise, and scores of small ensembles."""
        return [*bin_names(), *ensemble_names([c.name for c in self.field_transform.channels])]

    def normalise(self, batch: Batch) -> tuple[Tensor, Encoded]:
        """Network's channels of the target, NaN in gaps; the condition as the network sees it."""
        x = self.gaps.leave(batch.target, batch.condition)
        return x, self.field_transform.encode(batch.condition)

    def draw(self, batch: Batch, part: Part) -> Draws:
        """Noise, times, and what the network is not told."""
        whole, share = part
        shape = (self.gaps.n_noise, *batch.target.shape[2:])
        eps = torch.randn((whole, *shape), device=batch.target.device)[share]
        t, importance = (values[share].to(eps) for values in self.times.draw(whole))
        n_params = batch.condition.params.shape[1]
        dropped = self.diffusion
        known = _known(whole, n_params, dropped.drop_params, dropped.drop_each_param)
        keep = [
            None if kept is None else kept[share].to(eps)
            for kept in (known, _keep((whole,), dropped.drop_context))
        ]
        return Draws(eps, t, importance, keep[0], keep[1])

    def losses(self, batch: Batch, draws: Draws) -> Tensor:
        """Weighted squared error of the network's output."""
        task = self.task(self.network, batch, Kept(draws.keep_params, draws.keep_context))
        losses = self._loss(task, batch, draws.eps, draws.t)
        return losses if task.beside is None else losses + task.beside

    def task(
        self,
        network: Callable[..., Tensor],
        batch: Batch,
        kept: Kept | None = None,
        *,
        copies: int = 1,
    ) -> Task:
        """What is diffused: here the network's channels themselves.

        Parameters
        ----------
        network
            In training, or averaged.
        batch
            Maps.
        kept
            What the network is told.
        copies
            Rows that it is bound for, of each of the batch.
        """
        x, given = self.normalise(batch)
        rows = given if copies == 1 else given.repeat(copies)
        return Task(
            bind_condition(network, rows, self.diffusion, **(kept or Kept())._asdict()),
            x,
            lambda drawn: drawn,
        )

    def step_result(
        self, losses: Tensor, draws: Draws, batch: Batch, batch_idx: int
    ) -> dict[str, Tensor]:
        """The objective weighs rows by the density of their times; the head is trained beside."""
        self._learn_times(draws.t, losses.detach(), batch_idx)
        objective = (draws.importance * losses).mean()
        loss = (
            objective if self.head is None else objective + self._head_loss(self.head, batch, draws)
        )
        return {"loss": loss, "objective": objective.detach()}

    @torch.no_grad()
    def measure(self, windows: WindowDataset) -> None:
        """Mean weight of a pixel, from training windows that no step sees."""
        self.pixels.measure_unless_even(windows)

    def _loss(self, task: Task, batch: Batch, eps: Tensor, t: Tensor) -> Tensor:
        """Training loss of each sample; ``eps`` holds the noise for gaps, too."""
        data = self.gaps.fill(task.x, eps)
        return training_loss(
            task.network, data.x, data.eps, t,
            pixel_weights=self.pixels.weigh(data.pixel_weights, batch.condition, data.x),
            schedule=self.schedule, parameterization=self.parameterization, weight=self.weight,
            channel_weights=self.weights.to(task.x), data_noise=self.data_noise,
        )  # fmt: skip

    def _learn_times(self, t: Tensor, losses: Tensor, batch_idx: int) -> None:
        """Tell the sampler of times the losses of a whole step, after its last part.

        Told of each part, it would draw the next part of the same step from another density.
        """
        parts = self.training_config.accumulate
        part = batch_idx % parts
        self.step_losses = [*(self.step_losses if part else ()), (t, losses)]
        if part == parts - 1:
            times, values = zip(*self.step_losses, strict=True)
            self.times.update(torch.cat(times), torch.cat(values))
            self.step_losses = []

    def _head_loss(self, head: ParameterHead, batch: Batch, draws: Draws) -> Tensor:
        """Weighted squared error of the parameters that the head reads off the clean fields."""
        x, given = self.normalise(batch)
        clean = self.gaps.fill(x, draws.eps).x
        error = head(self.network.features(clean, given.fields)) - given.params
        loss: Tensor = error.square().mean()
        self.log("head_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return self.training_config.parameter_head_weight * loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and bound of the averaged network on fixed windows, noise and times.

        The bound depends on the ends of gamma alone; it is estimated with gamma uniform between
        them, so that the estimates of different schedules compare.
        """
        generator = torch.Generator().manual_seed(step_seed(VALIDATION_SEED, 1, batch_idx))
        task = self.task(self.ema, batch)
        network, x = task.network, task.x
        eps = self.gaps.noise(x, generator)
        u = low_discrepancy_times(len(x), generator).to(x)
        loss = self._loss(task, batch, eps, u)
        schedule = FixedLinear(self.schedule.gamma_min, self.schedule.gamma_max)
        data = self.gaps.fill(x, eps)
        bound = variational_bound(
            denoiser(network, self.parameterization), data.x, data.eps, u,
            schedule=schedule, data_noise=self.data_noise, counted=data.counted,
        )  # fmt: skip
        self.errors.add(bound, schedule.gamma(u), torch.full_like(u, schedule.span))
        if batch_idx == 0:
            self.watched = batch
        terms = {
            "val_loss": loss if task.beside is None else loss + task.beside,
            "val_bits_per_dimension": bound.bits_per_dimension,
            "val_diffusion_nats": bound.diffusion,
            "val_prior_nats": bound.prior,
            "val_reconstruction_nats": bound.reconstruction,
        }
        self.log_dict(
            {name: value.mean() for name, value in terms.items()},
            batch_size=len(x),
            sync_dist=True,
        )

    def on_validation_epoch_start(self) -> None:
        """Forget the ensemble of an earlier epoch."""
        self.masses = None

    def on_validation_epoch_end(self) -> None:
        """Keep the error by noise level and, now and then, the scores of a small ensemble.

        They are not logged through Lightning, which would repeat them in epochs without any.
        """
        self.scores = self.errors.result()
        every = self.training_config.ensemble_every
        if every and (self.current_epoch + 1) % every == 0 and self.watched is not None:
            self.masses = self._draw_ensemble(self.watched)
            names = [channel.name for channel in self.field_transform.channels]
            self.scores |= score_ensemble(self.masses, self.watched, names, self.pixel_mpch)

    def _draw_ensemble(self, batch: Batch) -> Tensor:
        """A few members of every window of a batch, from the averaged network."""
        task = self.task(self.ema, batch, copies=MEMBERS)
        return draw_ensemble(
            denoiser(task.network, self.parameterization),
            lambda x, condition: self.field_transform.inverse_transform(task.restore(x), condition),
            batch,
            task.x.shape[1:],
            gamma_max=self.schedule.gamma_max,
            seed=VALIDATION_SEED,
        )

    def other_parameters(self) -> list[nn.Parameter]:
        """Of a schedule that learns, and of the head."""
        learned = [p for p in self.schedule.parameters() if p.requires_grad]
        return learned if self.head is None else [*learned, *self.head.parameters()]


def _keep(shape: tuple[int, ...], drop: float) -> Tensor | None:
    """0 where something is dropped, else 1; None where nothing ever is."""
    return (torch.rand(shape) >= drop).float() if drop > 0 else None


def _known(batch: int, n_params: int, drop_all: float, drop_each: float) -> Tensor | None:
    """Which parameters of which samples are known, ``(batch, param)``; None: all."""
    together = _keep((batch, 1), drop_all)
    alone = _keep((batch, n_params), drop_each)
    if together is None or alone is None:
        kept = together if alone is None else alone
        return None if kept is None else kept.expand(batch, n_params)
    return together * alone
