"""What the network sees of a box, a few windows at a time: the DMO map and its block means.

The maps are kept, the windows are not: those of a box hold each pixel of each layer several times.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from emulator.sampling.painting.tiles import cut_window


class Layers:
    """The DMO map of a box and its block means, as :func:`~emulator.data.cutouts.extract` cuts.

    Parameters
    ----------
    maps
        One a factor, ``(y / factor, x / factor)``, in any unit.
    factors
        Pixels a side of a block: 1, and those of the context.
    window
        Pixels a side of a window, in each layer.
    """

    def __init__(self, maps: Sequence[Tensor], factors: Sequence[int], window: int) -> None:
        self.maps, self.factors, self.window = tuple(maps), tuple(factors), window

    def cut(self, corners: Sequence[tuple[int, int]]) -> Tensor:
        """Windows ``(tile, layer, y, x)`` whose first pixels are these of the finest map."""
        return torch.stack([self._window(corner) for corner in corners])

    def _window(self, corner: tuple[int, int]) -> Tensor:
        half = self.window // 2
        parts = []
        for field, factor in zip(self.maps, self.factors, strict=True):
            # of the centre, as cutouts count: half a window of blocks before it
            row, column = ((first + half - self.window * factor // 2) // factor for first in corner)
            parts.append(cut_window(field, row, column, self.window))
        return torch.stack(parts)
