r"""Two-dimensional bispectra of square maps: how strongly three modes that close belong together.

With modes :math:`\hat f(\mathbf k) = \sum_x f(x) e^{-i k x}` of a map of :math:`n^2` pixels and
side :math:`L`, and bins :math:`b` of wave number,

.. math:: B(b_1, b_2, b_3) = \frac{L^4}{n^6}
          \langle \hat f(\mathbf k_1) \hat f(\mathbf k_2) \hat f(\mathbf k_3)
          \rangle_{\mathbf k_i \in b_i,\ \mathbf k_1 + \mathbf k_2 + \mathbf k_3 = 0}

so that white noise of third central moment :math:`\kappa_3` has :math:`B = \kappa_3 (L/n)^4`. The
mean over triangles is one of maps (Scoccimarro 2000): with :math:`f_b` the map of the modes of a
bin, and :math:`1_b` that of modes that are all one, it is :math:`\sum_x f_{b_1} f_{b_2} f_{b_3} /
\sum_x 1_{b_1} 1_{b_2} 1_{b_3}`. Bins end at a third of the modes of a side, beyond which sums of
three close by the pixel's grid alone.

Not guaranteed: a window cut from a larger map is not periodic; compare maps that are cut alike.

References
----------
The bispectrum: from theory to observations (Scoccimarro 2000), https://doi.org/10.1086/317248
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from emulator.metrics.power_spectrum import Modes, mode_weight, shell_index

Array = NDArray[np.float64]

MOST_BINS = 10
LEAST_WIDTH = 2
"""Shells of a bin."""
SMALLEST_SIDE = 3 * LEAST_WIDTH
"""Pixels a side for one bin."""


@dataclass(frozen=True, eq=False)
class Triangles:
    """Bins of wave number for maps of one size, and the triangles of equal bins in them.

    Attributes
    ----------
    masks
        ``(bin, n, n // 2 + 1)`` modes of the half plane in each bin.
    k_hmpc
        ``(bin,)`` mean wave number of its modes [h/Mpc].
    equilateral, squeezed
        ``(bin,)`` sums of ``1_b 1_b 1_b`` and of ``1_b 1_b 1_0``; 0 for ``b = 0`` in the latter.
    norm
        ``L^4 / n^6`` [(Mpc/h)^4].
    """

    masks: NDArray[np.bool_]
    k_hmpc: Array
    equilateral: Array
    squeezed: Array
    norm: float


@functools.lru_cache(maxsize=16)
def build_triangles(n_pixels: int, pixel_mpch: float) -> Triangles:
    """Bins of two shells or more, ten at most, up to a third of ``n_pixels``.

    Raises
    ------
    ValueError
        If the map is smaller than 6 pixels a side.
    """
    if n_pixels < SMALLEST_SIDE:
        raise ValueError(
            f"a bispectrum needs at least {SMALLEST_SIDE} pixels a side, got {n_pixels}"
        )
    last = n_pixels // 3
    width = max(LEAST_WIDTH, -(-last // MOST_BINS))
    shells = shell_index(n_pixels)
    # a component beyond the third would close by the grid; shells round the length up
    masks = np.stack([
        (shells >= start) & (shells < start + width) & _inside(n_pixels)
        for start in range(1, last - width + 2, width)
    ])  # fmt: skip
    ones = _maps_of_bins(np.ones(shells.shape, complex), masks)
    fundamental = 2.0 * np.pi / (n_pixels * pixel_mpch)
    rows = fft.fftfreq(n_pixels, 1.0 / n_pixels)
    radius = np.hypot(rows[:, None], np.arange(n_pixels // 2 + 1)[None, :])
    weight = masks * mode_weight(n_pixels)
    k = fundamental * (weight * radius).sum((1, 2)) / weight.sum((1, 2))
    equilateral, squeezed = _closed_sums(ones)
    norm = (n_pixels * pixel_mpch) ** 4 / n_pixels**6
    return Triangles(masks, k, equilateral, squeezed, norm)


def bispectra(modes: Modes, triangles: Triangles) -> tuple[Array, Array]:
    """Equilateral and squeezed bispectrum of maps.

    Parameters
    ----------
    modes
        ``(..., n, n // 2 + 1)`` from :func:`~emulator.metrics.power_spectrum.fourier_modes`.
    triangles
        Bins of this size.

    Returns
    -------
    ``(..., bin)`` each [(Mpc/h)^4 times the cubed unit of the map]: of three modes of one bin, and
    of two modes of a bin with one of the first (NaN in the first).

    Notes
    -----
    Estimator: mean over closed triangles, unbiased for a periodic map of zero mean. A Gaussian
    field has 0, with a scatter of ``sqrt(6 P^3 L^2 / N)`` for N equilateral triangles. One map is
    enough. Cubes are not linear in the map: members are transformed one by one.
    """
    equilateral, squeezed = _closed_sums(_maps_of_bins(modes, triangles.masks))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (
            triangles.norm * equilateral / triangles.equilateral,
            triangles.norm
            * squeezed
            / np.where(triangles.squeezed > 0, triangles.squeezed, np.nan),
        )


def _inside(n_pixels: int) -> NDArray[np.bool_]:
    """Modes whose components are at most a third of the side: three of them close in truth."""
    rows = np.abs(fft.fftfreq(n_pixels, 1.0 / n_pixels))[:, None]
    columns = np.arange(n_pixels // 2 + 1)[None, :]
    inside: NDArray[np.bool_] = 3 * np.maximum(rows, columns) < n_pixels
    return inside


def _maps_of_bins(modes: Modes, masks: NDArray[np.bool_]) -> Array:
    """Maps ``(..., bin, n, n)`` of the modes of each bin."""
    side = masks.shape[1]
    maps: Array = fft.irfft2(modes[..., None, :, :] * masks, s=(side, side), axes=(-2, -1))
    return maps


def _closed_sums(maps: Array) -> tuple[Array, Array]:
    """Sums over pixels of ``m_b m_b m_b`` and ``m_b m_b m_0``, ``(..., bin)``."""
    square = maps**2
    squeezed = (square * maps[..., :1, :, :]).sum(axis=(-2, -1))
    squeezed[..., 0] = 0.0
    return (square * maps).sum(axis=(-2, -1)), squeezed
