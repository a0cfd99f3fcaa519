r"""The threshold of a hurdle field at which as many pixels are occupied as in truth.

A pixel is occupied where its occupancy, in the units of the network, exceeds :math:`t_0 = -m / s`
(mean and standard deviation of the training split). Subtracting a shift ``t`` asks for more than
:math:`t_0 + t`. Of N drawn values, ``k`` shall be above: the threshold is half way between the k-th
and the next in descending order, an exact quantile. Equal values are on one side of it together:
the side that comes closer. Where none shall be above, or all, it lies just outside of what was
drawn. Where already as many are above as shall be, it stays. Values of two peaks leave it anywhere
between them, so that it moves little.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from emulator.model.field_transform import network_channels
from emulator.sampling.ensemble import Emulator


class Hurdle(NamedTuple):
    """A hurdle field of a model, and how many of its pixels are occupied in truth."""

    name: str
    place: int  # of its occupancy among the channels of the network
    mean: Tensor
    std: Tensor
    share: float

    @classmethod
    def of(cls, model: Emulator, name: str, truth: xr.DataArray) -> "Hurdle":
        """One of :func:`hurdles_of`, with its truth ``(..., channel, ...)`` in its unit."""
        channels, transform = model.card.normalisation.channels, model.transform
        place = network_channels(channels).index(f"{name}{OCCUPANCY}")
        (floor,) = (channel.floor for channel in channels if channel.name == name)
        values = truth.sel(channel=name).astype(np.float32)
        mean, std = transform.mean[place].squeeze(), transform.std[place].squeeze()
        return cls(name, place, mean, std, float((values > floor).mean()))

    def shift(self, drawn: Sequence[Tensor]) -> float:
        """Shift of the channel after which as many pixels are occupied as in truth."""
        values = torch.cat([x[:, self.place] for x in drawn]).numpy()
        return threshold_shift(values, self.share, float(-self.mean / self.std))

    def occupied(self, drawn: Sequence[Tensor], shift: float) -> float:
        """Share of the pixels that the inverse transform takes for occupied."""
        values = torch.cat([x[:, self.place] for x in drawn])
        moved = (values - torch.tensor(shift).float()) * self.std + self.mean
        return float((moved > 0).double().mean())


OCCUPANCY = "_occupancy"
"""Suffix of the channel that decides; see :class:`emulator.model.transforms.Hurdle`."""


def hurdles_of(model: Emulator) -> list[str]:
    """Names of the fields that are empty or occupied."""
    channels = model.card.normalisation.channels
    names = network_channels(channels)
    return [channel.name for channel in channels if f"{channel.name}{OCCUPANCY}" in names]


def threshold_shift(values: NDArray[np.floating], share: float, threshold: float) -> float:
    """Shift after which this share of values exceeds a threshold.

    Parameters
    ----------
    values
        Drawn occupancies of all pixels, any shape.
    share
        Of the occupied ones, 0 to 1.
    threshold
        Without a shift, in the unit of the values.

    Raises
    ------
    ValueError
        No values, or a share outside of 0 to 1.
    """
    if not values.size or not 0.0 <= share <= 1.0:
        raise ValueError(f"expected values and a share of 0 to 1, got {values.size} and {share}")
    levels, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    # above[i]: values that exceed a threshold between the levels i - 1 and i
    above = np.concatenate([counts[::-1].cumsum()[::-1], [0]])
    wanted = round(share * values.size)
    best = int(np.abs(above - wanted).argmin())
    now = int((levels > threshold).argmax()) if levels[-1] > threshold else len(levels)
    if abs(above[now] - wanted) <= abs(above[best] - wanted):
        return 0.0
    outside = 1.0e-3 * max(levels[-1] - levels[0], 1.0)
    edges = np.concatenate([[levels[0] - outside], levels, [levels[-1] + outside]])
    return float(0.5 * (edges[best] + edges[best + 1]) - threshold)
