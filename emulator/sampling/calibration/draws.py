"""What a model draws in these windows with noise of any size, and again with another threshold.

Noise is a function of window and member, so all draws start from the same: a factor of 1.1 changes
the spread by what the factor does, and by nothing else.
"""

import copy
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.model.broadcast import over_space
from emulator.model.field_transform import Encoded, of_network
from emulator.sampling.calibration.occupancy import Hurdle, hurdles_of
from emulator.sampling.calibration.statistic import Floats, Statistic
from emulator.sampling.ensemble import Emulator
from emulator.sampling.samplers import CalibratedSampler, Known, Sampler
from emulator.sampling.task import Task


class Drawn(NamedTuple):
    """Logarithms ``(field, side)`` of spread over skill, and what is behind them."""

    log_ratios: Floats
    channels: list[Tensor]  # (batch, channel, y, x), before the shift, in the order of the draws
    shift: Floats  # (channel,)


class _Keeping(CalibratedSampler):
    """Keeps what it draws."""

    def __init__(self, sampler: Sampler, noise_scale: Tensor, shift: Tensor) -> None:
        super().__init__(sampler, noise_scale, shift)
        self.kept: list[Tensor] = []

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`."""
        x = super().draw(given, noise, options, known)
        self.kept.append(x.cpu())
        return x


class _Replaying(CalibratedSampler):
    """Returns what was kept, in the same order, with another shift."""

    def __init__(self, sampler: Sampler, kept: list[Tensor], shift: Tensor) -> None:
        super().__init__(sampler, torch.ones(sampler.noise_channels), shift)
        self.left = list(kept)

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`."""
        x = self.left.pop(0).to(given.fields)
        return x - over_space(self.shift, x)


class Draws:
    """Draws of one model in the windows of a task.

    Parameters
    ----------
    model
        As it was trained.
    task
        Windows and truth.
    sampling
        Options and seed.
    n_members
        Of each window.
    """

    def __init__(
        self, model: Emulator, task: Task, sampling: SamplingConfig, n_members: int
    ) -> None:
        self.model, self.task, self.sampling, self.n_members = model, task, sampling, n_members
        self.statistic = Statistic(task, model.fields)
        self.trained: Drawn | None = None  # with factors of 1: asked for by every fit
        self.hurdles = [Hurdle.of(model, name, self.statistic.truth) for name in hurdles_of(model)]
        self.owners = [channel.name for channel in of_network(model.card.normalisation.channels)]

    def noise_scale(self, logs: Floats) -> Tensor:
        """Factors ``(noise_channels,)`` from their logarithms ``(field, scaled copy)``."""
        sampler, rows = self.model.sampler, [self.model.channels.index(n) for n in self.owners]
        scale = torch.ones(sampler.noise_channels // len(rows), len(rows))
        for column, number in enumerate(sampler.scaled_copies):
            scale[number] = torch.from_numpy(np.exp(logs[rows, column]))
        return scale.flatten()

    def draw(self, logs: Floats, matched: Collection[str] = ()) -> Drawn:
        """Draw with these factors.

        Parameters
        ----------
        logs
            Logarithms ``(field, scaled copy)``.
        matched
            Hurdle fields whose threshold is moved, so that as many pixels are occupied as in truth;
            it stays where no field could have what is then drawn.

        Raises
        ------
        EmulatorError
            If what is drawn is not finite, or no field can have it.
        """
        none = np.zeros(len(self.owners))
        if self.trained is None or logs.any():
            sampler = _Keeping(self.model.sampler, self.noise_scale(logs), torch.from_numpy(none))
            plain = Drawn(self.statistic.log_ratios(self._sample(sampler)), sampler.kept, none)
            self.trained = self.trained if logs.any() else plain
        else:
            plain = self.trained
        shift = none.copy()
        for hurdle in self.hurdles:
            if hurdle.name in matched:
                shift[hurdle.place] = hurdle.shift(plain.channels)
        if not shift.any():
            return plain
        replay = _Replaying(self.model.sampler, plain.channels, torch.from_numpy(shift))
        try:
            return Drawn(self.statistic.log_ratios(self._sample(replay)), plain.channels, shift)
        except EmulatorError:
            return plain

    def _sample(self, sampler: Sampler) -> xr.DataArray:
        model = copy.copy(self.model)
        model.sampler = sampler
        drawn = model.sample(
            self.task.conditions,
            self.task.params,
            n_members=self.n_members,
            seed=self.sampling.seed,
            sampling=self.sampling,
        )
        return drawn["fields"].reset_coords(drop=True)
