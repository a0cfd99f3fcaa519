r"""Halos in windows, and what lies around them in projection.

A halo at :math:`(y_0, x_0)` [pixel, from the corner of its window] with the radius :math:`R_{200c}`
has the annuli :math:`a R \le r < b R` of the map. Pixels on their rims count by their share, of
``8 x 8`` points a pixel, so that a field of one value has that value in every annulus, and the
mass of an aperture is that of a map that is even inside its pixels. All is projected through the
depth of the map: masses are those of a cylinder, not of a sphere.

Not guaranteed: a halo that several windows show counts once in each of them, and neighbours in
projection are not taken away. Truth and members share both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RADIUS_EDGES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
"""Edges of the annuli [R200c]; the first :data:`N_INNER` make up the aperture."""

N_INNER = 2

LOG_MASS_EDGES = np.array([11.5, 12.0, 12.5, 13.0, 13.5, 14.0, 15.0])
"""Edges of the bins of log10 M200c [Msun/h]; one grid for all files."""

POINTS = 8
"""Points along the side of a pixel."""

LEAST_PIXELS = 1.0
"""A smaller R200c [pixel] is not resolved: its aperture would be a share of one pixel."""


@dataclass(frozen=True, eq=False)
class WindowHalos:
    """Halos of the DMO catalogue whose centres lie in the windows of one ensemble.

    Attributes
    ----------
    sample
        ``(halo,)`` window.
    y, x
        ``(halo,)`` place from the corner of the window [pixel]; pixel ``i`` covers ``[i, i+1)``.
    m200c_msunh, r200c_mpch
        ``(halo,)`` mass [Msun/h] and comoving radius [Mpc/h].
    """

    sample: NDArray[np.int64]
    y: Array
    x: Array
    m200c_msunh: Array
    r200c_mpch: Array

    def __len__(self) -> int:
        return len(self.sample)


def annulus_weights(y: float, x: float, radii: Array, n_pixels: int) -> Array:
    """Share of every pixel in each annulus around a point.

    Parameters
    ----------
    y, x
        Centre [pixel].
    radii
        ``(annulus + 1,)`` increasing edges [pixel].
    n_pixels
        Pixels a side of the window.

    Returns
    -------
    ``(annulus, y, x)``, 0 to 1. Sums are areas [pixel], of rings inside the window: exact to the
    square of a point's side over the radius.
    """
    reach = radii[-1]
    rows, columns = (
        np.arange(max(int(np.floor(c - reach)), 0), min(int(np.ceil(c + reach)), n_pixels))
        for c in (y, x)
    )
    offsets = (np.arange(POINTS) + 0.5) / POINTS
    dy, dx = (
        (pixels[:, None] + offsets).ravel() - c
        for pixels, c in ((rows, y), (columns, x))
    )  # fmt: skip
    ring = np.searchsorted(radii, np.hypot(dy[:, None], dx[None, :]), side="right") - 1
    weights = np.zeros((len(radii) - 1, n_pixels, n_pixels))
    if not len(rows) or not len(columns):
        return weights
    shape = (len(rows), POINTS, len(columns), POINTS)
    for number in range(len(radii) - 1):
        share = (ring == number).reshape(shape).mean(axis=(1, 3))
        weights[number, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = share
    return weights


def is_inside(y: Array, x: Array, radius: Array, n_pixels: int) -> NDArray[np.bool_]:
    """Whether circles [pixel] lie in a window of ``n_pixels`` a side."""
    inside: NDArray[np.bool_] = (
        (np.minimum(y, x) >= radius) & (np.maximum(y, x) + radius <= n_pixels)
    )  # fmt: skip
    return inside
