r"""Windows that cover a box, and how much each counts where they overlap.

Each window counts with

.. math:: w(i, j) = \sin^2(\pi\,(i + 1/2) / n)\;\sin^2(\pi\,(j + 1/2) / n)

of its ``n`` pixels a side, over the sum of all windows there: least at its edges, where it sees
least of what surrounds a pixel, and smooth, so that no border is drawn. At half a window of overlap
the sum is one without being divided (:math:`\sin^2 + \cos^2`). The weight is nowhere zero, so that
a pixel at an open edge, which one window alone holds, is that window's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emulator.data.cutouts import periodic_pieces
from emulator.io import EmulatorError


@dataclass(frozen=True)
class Tiles:
    """Windows of a box.

    Parameters
    ----------
    shape
        Pixels of the box, ``(y, x)``.
    window
        Pixels a side of a window.
    stride
        From one window to the next.
    starts
        First rows, and first columns, of the windows; default: every stride, periodically.

    Raises
    ------
    EmulatorError
        A box smaller than a window, or a stride that leaves pixels uncovered.
    """

    shape: tuple[int, int]
    window: int
    stride: int
    starts: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def __post_init__(self) -> None:
        if min(self.shape) < self.window:
            raise EmulatorError(
                f"paint: a box of {self.shape} pixels is smaller than the {self.window} pixels of "
                "a window; pass it to sample() as a window with its surroundings"
            )
        if not 1 <= self.stride < self.window:
            raise EmulatorError(
                f"paint: windows of {self.window} pixels every {self.stride} do not overlap: "
                "overlap must lie between 0 and 1"
            )

    @property
    def corners(self) -> list[tuple[int, int]]:
        """First row and column of every window row by row."""
        rows, columns = self.starts or (range(0, size, self.stride) for size in self.shape)
        return [(row, column) for row in rows for column in columns]

    @property
    def centres(self) -> list[tuple[int, int]]:
        """Central pixel of every window, as cutouts count it."""
        half = self.window // 2
        return [(row + half, column + half) for row, column in self.corners]

    def weight(self) -> Tensor:
        """How much each pixel of a window counts, ``(y, x)``."""
        ramp = np.sin(np.pi * (np.arange(self.window) + 0.5) / self.window) ** 2
        return torch.from_numpy(np.outer(ramp, ramp).astype(np.float32))

    def cut(self, box: Tensor, corners: Sequence[tuple[int, int]]) -> Tensor:
        """Windows ``(tile, channel, y, x)`` of a box ``(channel, y, x)``."""
        return torch.stack([cut_window(box, *corner, self.window) for corner in corners])

    def add(self, box: Tensor, corners: Sequence[tuple[int, int]], windows: Tensor) -> None:
        """Add weighed windows ``(tile, channel, y, x)`` to a box ``(channel, y, x)``."""
        for corner, window in zip(corners, windows, strict=True):
            rows, columns = (
                periodic_pieces(first, self.window, size)
                for first, size in zip(corner, self.shape, strict=True)
            )
            for row, own_row in rows:
                for column, own_column in columns:
                    box[:, row, column] += window[:, own_row, own_column]

    def total(self, device: torch.device) -> Tensor:
        """Sum of all weights in every pixel of the box, ``(1, y, x)``."""
        total = torch.zeros((1, *self.shape), device=device)
        weight = self.weight().to(device)[None]
        self.add(total, self.corners, weight.expand(len(self.corners), 1, -1, -1))
        return total


def cut_window(field: Tensor, row: int, column: int, window: int) -> Tensor:
    """Window ``(..., y, x)`` of a field, whose first pixel this is, periodically."""
    bands = [field[..., rows, :] for rows, _ in periodic_pieces(row, window, field.shape[-2])]
    band = bands[0] if len(bands) == 1 else torch.cat(bands, dim=-2)
    parts = [band[..., columns] for columns, _ in periodic_pieces(column, window, field.shape[-1])]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
