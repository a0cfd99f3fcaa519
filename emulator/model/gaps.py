r"""Gaps of the network's channels: where one is not defined, and holds no zero either.

A gap is NaN until something random stands in it: unit noise, drawn together with the noise of the
process, of which it is the last channels. So it is a function of whatever that noise is a function
of: of seed and step in training, of the batch in validation. Which channels have gaps, and what
follows from it, is written in :mod:`emulator.model.hurdle`.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.data.condition import Condition
from emulator.model.broadcast import over_space
from emulator.model.field_transform import FieldTransform
from emulator.model.hurdle import empty_amplitudes


class Filled(NamedTuple):
    """Data without gaps, the noise of the process, and what an error costs."""

    x: Tensor
    eps: Tensor
    pixel_weights: Tensor | None
    """``(batch, channel, y, x)``; None: one everywhere."""

    @property
    def counted(self) -> Tensor | None:
        """Which values the loss sees, of the same shape; None: all."""
        return None if self.pixel_weights is None else self.pixel_weights > 0


class Gaps:
    """Makes gaps and fills them; where no channel has any, everything passes as it is.

    Parameters
    ----------
    transform
        Field transform of the model.
    """

    def __init__(self, transform: FieldTransform) -> None:
        self.transform = transform
        normalisation = transform.normalisation
        options = empty_amplitudes(normalisation.channels)
        self.n_channels = len(options)
        self.filled = [i for i, option in enumerate(options) if option != "zero"]
        self.masked = [i for i, option in enumerate(options) if option == "masked"]
        shares = normalisation.defined_share or ()
        self.costs = torch.tensor([1.0 / shares[i] for i in self.masked])

    @property
    def n_noise(self) -> int:
        """Channels of unit noise that a sample needs: of the process, and of what is filled."""
        return self.n_channels + len(self.filled)

    def leave(self, target: Tensor, condition: Condition) -> Tensor:
        """Network channels ``(batch, channel, y, x)`` of fields, NaN in gaps."""
        x = self.transform.transform(target, condition)
        if not self.filled:
            return x
        _, defined = self.transform.observe(target, condition)
        gaps = torch.zeros_like(x, dtype=torch.bool)
        gaps[:, self.filled] = defined[:, self.filled] == 0
        return torch.where(gaps, torch.nan, x)

    def noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Unit noise for :meth:`fill`, ``(batch, n_noise, y, x)``, drawn on the CPU."""
        shape = (len(x), self.n_noise, *x.shape[2:])
        return torch.randn(shape, generator=generator).to(x)

    def fill(self, x: Tensor, noise: Tensor) -> Filled:
        """Put the last channels of the noise into the gaps; the others are eps.

        Parameters
        ----------
        x
            As :meth:`leave` returns it.
        noise
            Unit noise, ``(batch, n_noise, y, x)``; or of as many channels as ``x``, if it has no
            gaps.
        """
        eps, rest = noise[:, : self.n_channels], noise[:, self.n_channels :]
        pixel_weights = None
        if self.masked:
            pixel_weights = torch.ones_like(x)
            there = ~torch.isnan(x[:, self.masked])
            pixel_weights[:, self.masked] = there * over_space(self.costs, x)
        if self.filled and rest.shape[1]:
            whole = x.clone()
            whole[:, self.filled] = torch.where(
                torch.isnan(x[:, self.filled]), rest, x[:, self.filled]
            )
            x = whole
        return Filled(x, eps, pixel_weights)

    def fill_from(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """``x`` with noise of a generator in its gaps; without gaps nothing is drawn."""
        return self.fill(x, self.noise(x, generator)).x if self.filled else x

    def log_density(self, gaps: Tensor, filled: Tensor) -> Tensor:
        r"""Log-density [nats] of the noise that fills the gaps, ``(batch,)``, float64.

        :math:`p(x) = E_n[p(x, n) / N(n)]`: subtracted from the log-density of filled data, it
        leaves an estimate of that of the data alone, which is never too large on average.

        Parameters
        ----------
        gaps, filled
            ``(batch, channel, y, x)``, before and after they were filled.
        """
        nats = -0.5 * (filled.double() ** 2 + math.log(2 * math.pi))
        return torch.where(torch.isnan(gaps), nats, 0.0).flatten(1).sum(1)
