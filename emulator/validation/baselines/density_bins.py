r"""Bins of the DMO pixel and of its surroundings, each with enough pixels of the training.

A pixel of overdensity :math:`1 + \delta = m / \bar m` and the mean :math:`1 + \delta_5` of the
square of 5 x 5 pixels around it belongs to one cell: a bin of :math:`\delta`, and within it a bin
of :math:`\delta_5`. Edges are quantiles of the training pixels, so that the counts follow from
their number; bins of fewer than ``fewest`` pixels are merged with their neighbour.

Not guaranteed: cells are equally fine everywhere; the last ones are wide in density.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SQUARE = 5
"""Pixels a side of the surroundings."""
SHARES = (
    *np.linspace(0.0, 0.9, 19).tolist(),
    0.925,
    0.95,
    0.965,
    0.98,
    0.99,
    0.995,
    0.998,
    0.999,
    0.9995,
)
"""Of the training pixels below each edge: fine where there is most matter."""
SUB_SHARES = tuple(np.linspace(0.0, 1.0, 8, endpoint=False).tolist())
"""The same for the surroundings of the pixels of a bin."""


@dataclass(frozen=True)
class DensityBins:
    """Cells of ``(pixel, surroundings)``.

    Attributes
    ----------
    pixel_edges
        ``(bin,)`` lower edges of the overdensity; the first bin has no lower end.
    square_edges
        ``(bin, sub-bin)`` lower edges of the surroundings in each bin; infinite where a bin has
        fewer sub-bins.
    """

    pixel_edges: NDArray[np.float32]
    square_edges: NDArray[np.float32]

    @property
    def n_cells(self) -> int:
        """Number of cells, some of which may not exist."""
        return int(self.square_edges.size)

    @property
    def n_bins(self) -> int:
        """Number of bins of the pixel; each holds ``n_cells / n_bins`` cells."""
        return len(self.pixel_edges)

    def bin_of(self, pixel: NDArray[np.float32]) -> NDArray[np.int64]:
        """Bin of the pixel alone, of any shape."""
        found = np.searchsorted(self.pixel_edges, pixel, side="right") - 1
        return np.maximum(found, 0).astype(np.int64)

    def cell_of(self, pixel: NDArray[np.float32], square: NDArray[np.float32]) -> NDArray[np.int64]:
        """Cell of pixels and their surroundings, of one shape."""
        bins = self.bin_of(pixel)
        sub: NDArray[np.int64] = (square[..., None] >= self.square_edges[bins]).sum(-1) - 1
        cells: NDArray[np.int64] = bins * self.square_edges.shape[1] + np.maximum(sub, 0)
        return cells


def overdensities(dmo: NDArray[np.float32], *, periodic: bool) -> NDArray[np.float32]:
    """``m / mean`` of every pixel and of the square around it.

    Parameters
    ----------
    dmo
        ``(projection, y, x)`` DMO maps [Msun/h per pixel], or a volume.
    periodic
        Whether opposite edges touch; if not, the edge pixels repeat.

    Returns
    -------
    ``(2, projection, y, x)``, dimensionless; the mean is that of all maps.
    """
    mean = float(dmo.mean(dtype=np.float64)) or 1.0
    pixel = (dmo / mean).astype(np.float32)
    mode = "wrap" if periodic else "nearest"
    square = ndimage.uniform_filter(pixel, size=(1, *(SQUARE,) * (dmo.ndim - 1)), mode=mode)
    return np.stack([pixel, square])


def fit_bins(
    pixel: NDArray[np.float32], square: NDArray[np.float32], *, fewest: int
) -> DensityBins:
    """Bins of training pixels ``(pixel,)`` with at least ``fewest`` in each cell.

    Fewer pixels than that in all make one cell.
    """
    order = np.argsort(pixel, kind="stable")
    starts = _starts(pixel[order], SHARES, fewest)
    ends = [*starts[1:], len(order)]
    rows = np.full((len(starts), len(SUB_SHARES)), np.inf, np.float32)
    for row, start, end in zip(rows, starts, ends, strict=True):
        around = np.sort(square[order[start:end]])
        first = _starts(around, SUB_SHARES, fewest)
        row[: len(first)] = around[first]
    return DensityBins(pixel[order][starts], rows)


def _starts(values: NDArray[np.float32], shares: Sequence[float], fewest: int) -> list[int]:
    """Where bins of sorted values start; equal values share a bin, small bins are merged."""
    n, starts = len(values), [0]
    for share in shares[1:]:
        # the first of all that are equal to the value at this share
        start = int(np.searchsorted(values, values[min(int(share * n), n - 1)], side="left"))
        if start - starts[-1] >= fewest and n - start >= fewest:
            starts.append(start)
    return starts
