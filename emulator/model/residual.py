r"""A mean and a spread in one pass, and what is left of the data once they are taken out.

A network is asked twice. At ``z = 0`` it gives, for every channel, the mean :math:`\mu(c)` and the
logarithm of the standard deviation :math:`s(c)` of the data given the condition ``c``. What is
left,

.. math:: r = (x - \mu(c)) / s(c) ,

has mean zero and variance one whatever the condition, as a noise schedule assumes. This is what is
diffused, by the same network, which sees :math:`\mu` and :math:`\ln s` beside ``z``. So what a mean
tells, large scales and responses to parameters above all, is learned from every window at full
strength, and not once more at every noise level.

The two channels of a hurdle field are seen by the network and stay as they are (:math:`\mu = 0` and
:math:`s = 1` in the formula): an occupancy that is nearly certain would have residuals of many
standard deviations, and an amplitude is not defined everywhere.

The network's channels are, in this order, those of ``z`` (of its output: what the diffusion
predicts), of :math:`\mu` and of :math:`\ln s`.

References
----------
Mardani et al. (2025), Comm. Earth Environ. 6, 124, arXiv:2309.15214 (a regression, and a diffusion
of its residual; there one after the other, and with one scale for all pixels).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.config import Channel
from emulator.diffusion.parameterization import Network
from emulator.model.broadcast import over_space
from emulator.model.build import COPIES
from emulator.model.conditional import one_pass
from emulator.model.field_transform import of_network

LOG_SCALES = (-5.0, 3.0)
"""Range of ``ln s``: beyond it nothing is normalised any more."""


class Centre(NamedTuple):
    """Mean and log standard deviation of a batch, each ``(batch, channel, y, x)``."""

    mean: Tensor
    log_scale: Tensor
    moved: Tensor
    """``(channel, 1, ...)``: 1 where a channel is centred, 0 where it stays as it is."""

    def remove(self, x: Tensor) -> Tensor:
        """Residual of network channels; NaN stays NaN."""
        return (x - self.moved * self.mean) * torch.exp(-self.moved * self.log_scale)

    def add(self, residual: Tensor) -> Tensor:
        """Network channels of a residual."""
        return self.moved * self.mean + residual * torch.exp(self.moved * self.log_scale)

    def log_volume(self) -> Tensor:
        """Log of the determinant of :meth:`add`, ``(batch,)``."""
        return (self.moved * self.log_scale).flatten(1).sum(1)

    def detach(self) -> "Centre":
        """The same without gradients."""
        return Centre(self.mean.detach(), self.log_scale.detach(), self.moved)

    def repeat(self, n_times: int) -> "Centre":
        """Every row ``n_times``, one after the other."""
        mean, log_scale = (part.repeat_interleave(n_times, 0) for part in self[:2])
        return Centre(mean, log_scale, self.moved)


def moved_channels(channels: Sequence[Channel]) -> Tensor:
    """Which channels of the network are centred, ``(channel,)`` of 1 and 0."""
    moved = [float(channel.transform != "hurdle") for channel in of_network(channels)]
    return torch.tensor(moved)


def centre_of(network: Network, like: Tensor, moved: Tensor) -> Centre:
    """Mean and spread of a batch, in one pass.

    Parameters
    ----------
    network
        Bound to its condition, without diffusion.
    like
        Of the shape of the network channels, ``(batch, channel, y, x)``; its values are not read.
    moved
        See :func:`moved_channels`.
    """
    copies = COPIES["residual"]
    nothing = torch.cat([torch.zeros_like(like)] * copies, dim=1)
    _, mean, log_scale = one_pass(network, nothing).chunk(copies, dim=1)
    return Centre(mean, log_scale.clamp(*LOG_SCALES), over_space(moved, mean))


def seeing(network: Callable[..., Tensor], centre: Centre) -> Callable[..., Tensor]:
    """Network of the residual: of as many channels as it has, and told its centre."""

    def of_residual(z: Tensor, *given: Tensor) -> Tensor:
        seen = torch.cat([z, centre.mean.to(z), centre.log_scale.to(z)], dim=1)
        return network(seen, *given)[:, : z.shape[1]]

    return of_residual
