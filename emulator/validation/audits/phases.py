r"""Is one map another, at any shift? Phases of their large modes, correlated.

For maps :math:`a` and :math:`b` with modes :math:`\hat a_k` and the :math:`N` modes of
:math:`0 < \max(|k_y|, |k_x|) \le K` (in units of the longest wave),

.. math:: r(s) = \frac1N \sum_k e^{i k s} \frac{\hat a_k \hat b_k^*}{|\hat a_k \hat b_k|}

is 1 at the shift between a map and itself. It is taken on a grid of :math:`2 K + 2` shifts along
each axis; midway between four of them it is still :math:`(2 / \pi)^2 \approx 0.4`. Of maps that
have nothing to do with each other :math:`r` scatters by :math:`1 / \sqrt N` about 0, whatever
their spectra: the largest of ``n`` values is about :math:`\sqrt{2 \ln n / N}`.

References
----------
The phase correlation image alignment method (Kuglin, Hines 1975).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

MOST_WAVES = 15
"""Largest ``K``: 960 modes."""

FLOOR = 1.0e-3
"""Of maps in units of their mean, before the logarithm: a few halos would be all phases."""


def waves_of(n_pixels: int) -> int:
    """``K`` of maps of this side: below their Nyquist wave."""
    return min(MOST_WAVES, (n_pixels - 1) // 2)


def count_modes(waves: int) -> int:
    """``N``: modes of the full plane, without the mean."""
    return (2 * waves + 1) ** 2 - 1


def phases_of(maps: NDArray[np.floating]) -> NDArray[np.complex64]:
    """Phases ``(..., 2 K + 2, K + 2)`` of the half plane, of logarithms of positive maps.

    Parameters
    ----------
    maps
        ``(..., n, n)`` periodic, zero or more.
    """
    mean = maps.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    logs = np.log(np.maximum(maps / np.where(mean > 0, mean, 1.0), FLOOR))
    modes, waves = fft.rfft2(logs), waves_of(maps.shape[-1])
    found = np.zeros((*maps.shape[:-2], 2 * waves + 2, waves + 2), np.complex64)
    kept = modes[..., : waves + 1]
    found[..., : waves + 1, : waves + 1] = kept[..., : waves + 1, :]
    found[..., -waves:, : waves + 1] = kept[..., -waves:, :]
    found[..., 0, 0] = 0.0
    size = np.abs(found)
    unit: NDArray[np.complex64] = np.where(size > 0, found / np.where(size > 0, size, 1.0), 0.0)
    return unit.astype(np.complex64)


def largest_correlation(
    one: NDArray[np.complex64], others: NDArray[np.complex64]
) -> NDArray[np.float64]:
    """Largest ``r`` over all shifts ``(other,)`` of one map with others; see :func:`phases_of`."""
    side = one.shape[-2]
    product = others * np.conj(one)
    table = fft.irfft2(product, s=(side, side)) * (side**2 / count_modes(side // 2 - 1))
    largest: NDArray[np.float64] = table.max(axis=(-2, -1)).astype(np.float64)
    return largest


def expected_by_chance(n_pairs: int, waves: int) -> float:
    """About the largest ``r`` of so many pairs of independent maps, over all shifts."""
    n_values = max(2, n_pairs) * (2 * waves + 2) ** 2
    return float(np.sqrt(2.0 * np.log(n_values) / count_modes(waves)))
