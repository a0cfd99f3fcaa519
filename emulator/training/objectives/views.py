r"""What a proper score looks at: fields at several scales, and their spectra.

A score of pixels alone does not ask whether pixels belong together. So the same members are also
scored by

* means over squares of 1, 2, 4 and 8 pixels and over the window, as
  :math:`c(\bar x) - c(\bar r)` with ``r`` the DMO mass times the cosmic share of the field and
  ``c`` the compression of its transform (a logarithm, of masses);
* the spectrum of the window, as :math:`\ln(P + P_0) - \ln(P_r + P_0)` in :data:`N_BANDS` bands of
  wave number, with ``P_0`` the power of one pixel at the floor; of a field that has none
  (``identity``, ``quantile``), at :data:`UNIT_OF_STD` of its standard deviation.

Each is divided by its scatter over training windows, so that a score of one says nothing is known.
"""

import math
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from emulator.config import Channel
from emulator.data.condition import Condition
from emulator.diffusion.spectrum import mode_shells
from emulator.metrics.power_spectrum import mode_weight
from emulator.metrics.scores import scales_of
from emulator.model.field_transform import (
    FieldTransform,
    cosmic_reference,
    of_network,
    transform_of,
)
from emulator.model.quantile import Quantile

N_BANDS = 6

UNIT_OF_STD = 0.01
"""About what a floor is in standard deviations of a field."""


def square_means(x: Tensor, side: int) -> Tensor:
    """Means over squares, ``(..., y, x)`` to ``(..., square)``; as wide as ``x`` at most.

    So the longer side of a window that is not square stands for the window.
    """
    height, width = _sides(x, side)
    rows, columns = x.shape[-2] // height, x.shape[-1] // width
    means: Tensor = x.unflatten(-1, (columns, width)).unflatten(-3, (rows, height)).mean((-3, -1))
    return means.flatten(-2)


def _sides(x: Tensor, side: int) -> tuple[int, int]:
    return min(side, x.shape[-2]), min(side, x.shape[-1])


@lru_cache(maxsize=8)
def _bands(height: int, width: int) -> Tensor:
    """Share of each mode of the half plane in the mean of each band, ``(band, mode)``."""
    shape = (height, width)
    shell = mode_shells(shape, torch.device("cpu"))[:, : width // 2 + 1]
    last = min(shape) // 2
    edges = torch.logspace(0.0, math.log10(last + 1), N_BANDS + 1).round().unique()
    weight = torch.from_numpy(mode_weight(width)[0]).to(torch.float32)  # the same in every row
    inside = [(shell >= low) & (shell < high) for low, high in pairwise(edges)]
    shares = torch.stack([weight * band for band in inside]).flatten(1)
    return shares / shares.sum(1, keepdim=True)


def band_power(x: Tensor) -> Tensor:
    """Power in bands of wave number, ``(..., y, x)`` to ``(..., band)``.

    In units of white noise of unit pixel variance; bands are about equal in ``ln k``, from the
    longest wave to the Nyquist frequency. The mean of the window is in none.
    """
    modes = torch.fft.rfft2(x - x.mean((-2, -1), keepdim=True), norm="ortho")
    power = (modes.real.square() + modes.imag.square()).flatten(-2)
    bands: Tensor = power @ _bands(*x.shape[-2:]).to(power).T
    return bands


class Views:
    """Views of fields beside what they would be if they followed the matter.

    Parameters
    ----------
    transform
        Says how values of each field compare.
    """

    def __init__(self, transform: FieldTransform) -> None:
        self.transform = transform
        self.units = torch.tensor(_units(transform))

    def __call__(self, fields: Tensor, condition: Condition) -> list[Tensor]:
        """Means over squares of each side, then the spectrum: each ``(batch, field, value)``.

        Parameters
        ----------
        fields
            ``(batch, field, y, x)`` in their units.
        condition
            Of the same batch.
        """
        fraction = self.transform.normalisation.baryon_fraction(condition.params).to(fields)
        dmo = condition.field.to(fields)
        channels = self.transform.channels
        followed = torch.stack([cosmic_reference(dmo, fraction, c.field) for c in channels], dim=1)
        sides = scales_of((fields.shape[-2], fields.shape[-1]))
        squares = [self._means(fields, side) - self._means(followed, side) for side in sides]
        return [*squares, self._power(fields) - self._power(followed)]

    def _means(self, fields: Tensor, side: int) -> Tensor:
        means, n_pixels = square_means(fields, side).unbind(1), math.prod(_sides(fields, side))
        compressed = [
            transform_of(channel).compress(mean, channel.floor, n_pixels)
            for mean, channel in zip(means, self.transform.channels, strict=True)
        ]
        return torch.stack(compressed, dim=1)

    def _power(self, fields: Tensor) -> Tensor:
        # in units of the floor: squares of numbers of Msun/h would leave the range of float32
        values = fields / self.units.to(fields)[:, None, None]
        return (band_power(values) + 1.0 / fields[0, 0].numel()).log()


def _units(transform: FieldTransform) -> list[float]:
    """Of the spectrum of each field: its floor, or what stands for one."""
    names = [channel.name for channel in of_network(transform.channels)]
    std = dict(zip(names, transform.normalisation.target_std, strict=True))
    return [_unit(channel, std[channel.name]) for channel in transform.channels]


def _unit(channel: Channel, std: float) -> float:
    own = transform_of(channel)
    if isinstance(own, Quantile):
        return UNIT_OF_STD * own.spread
    return UNIT_OF_STD * std if channel.transform == "identity" else channel.floor
