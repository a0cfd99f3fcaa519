r"""Mass deposit: particles to projected maps, periodic, mass-conserving.

A particle of mass ``m`` at pixel coordinate ``u`` gives each pixel of a row the integral of a cloud
over that pixel. Clouds are separable; the projection along an axis simply leaves that axis out.

- *CIC*: a top-hat one pixel wide, two pixels an axis (Hockney & Eastwood 1988, section 5-3).
- *adaptive*: a tent (triangle) of half-width ``w``; pixel ``j`` receives
  ``F((j+1-u)/w) - F((j-u)/w)`` with the tent's cumulative ``F``, a closed form. The sum telescopes,
  so the weights add up to one to rounding, for any ``w`` and ``u``.

The half-width follows the local mean distance between particles, ``w = eta (m/rho)^(1/3)``, with
``rho`` from a coarse mesh of the same species. Sparse particles thus overlap and the lattice they
started from leaves no imprint in voids; in halos the width stays at one pixel. A lattice of spacing
``s`` under tents of half-width ``s`` or ``2s`` is exactly uniform, because the tent's transform
``sinc^2(k w/2)`` vanishes at the lattice's wave numbers.

Grids are ``(projection, row, column)`` float64: projection ``p`` sums over axis ``p``, row and
column are the two other axes in increasing order, pixel ``i`` covers ``[i, i+1)`` pixels.
Not guaranteed: the same sums in another order of particles beyond float64 rounding.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

ETA = 2.0
"""Half-width of the tent in units of the local mean distance between particles."""

WIDEST_FRACTION = 1.0 / 16.0
"""Largest half-width in units of the box: bounds the cost of a particle in an empty region."""

_MESH_SIDES = (4, 256)


def mesh_side(n_particles: int) -> int:
    """Cells a side of the density mesh: about three particles a cell, at most 256 (64 MiB).

    With one particle a cell the particle itself would set the density of a void and keep its own
    tent too narrow; with many more, halos would look diffuse and be smeared.
    """
    low, high = _MESH_SIDES
    return min(max(round((n_particles / 3.0) ** (1.0 / 3.0)), low), high)


@njit(cache=True, nogil=True)
def deposit_cic(
    position: FloatArray, mass: FloatArray, box_size_mpch: float, grids: FloatArray
) -> None:
    """Add particles to the three projections with the cloud-in-cell kernel.

    Parameters
    ----------
    position, mass
        Shapes ``(n, 3)`` in ``[0, box]`` [Mpc/h] and ``(n,)`` [Msun/h].
    box_size_mpch
        Side of the periodic box.
    grids
        Shape ``(3, n_pixels, n_pixels)`` [Msun/h per pixel], changed in place.
    """
    n = grids.shape[1]
    scale = n / box_size_mpch
    cell = np.empty((3, 2), np.int64)
    weight = np.empty((3, 2))
    for p in range(position.shape[0]):
        for axis in range(3):
            _cic(position[p, axis] * scale, n, cell[axis], weight[axis])
        for projection in range(3):
            a, b = (1 if projection == 0 else 0), (1 if projection == 2 else 2)
            for i in range(2):
                w = mass[p] * weight[a, i]
                for j in range(2):
                    grids[projection, cell[a, i], cell[b, j]] += w * weight[b, j]


@njit(cache=True, nogil=True)
def deposit_mesh(
    position: FloatArray, mass: FloatArray, box_size_mpch: float, mesh: NDArray[np.float32]
) -> None:
    """Add particles to a three-dimensional cloud-in-cell mesh ``(m, m, m)`` [Msun/h per cell]."""
    n = mesh.shape[0]
    scale = n / box_size_mpch
    cell = np.empty((3, 2), np.int64)
    weight = np.empty((3, 2))
    for p in range(position.shape[0]):
        for axis in range(3):
            _cic(position[p, axis] * scale, n, cell[axis], weight[axis])
        for i in range(2):
            for j in range(2):
                w = mass[p] * weight[0, i] * weight[1, j]
                for k in range(2):
                    mesh[cell[0, i], cell[1, j], cell[2, k]] += w * weight[2, k]


@njit(cache=True, nogil=True)
def tent_half_width(
    position: FloatArray,
    mass: FloatArray,
    box_size_mpch: float,
    mesh: NDArray[np.float32],
    n_pixels: int,
    half_width: FloatArray,
) -> None:
    r"""Half-width of each particle's tent [pixel].

    .. math:: w = \min\left(\max\left(1, \eta\,(m/\rho)^{1/3} / \Delta\right), n/16\right)

    with the pixel :math:`\Delta`, ``n`` pixels a side and the density :math:`\rho` interpolated
    (CIC) from ``mesh``, which must already hold every particle of the species.

    Parameters
    ----------
    position, mass
        Shapes ``(n, 3)`` in ``[0, box]`` [Mpc/h] and ``(n,)`` [Msun/h].
    box_size_mpch
        Side of the periodic box.
    mesh
        Shape ``(m, m, m)`` [Msun/h per cell].
    n_pixels
        Pixels a side of the map.
    half_width
        Shape ``(n,)`` [pixel], filled.
    """
    n = mesh.shape[0]
    scale = n / box_size_mpch
    pixels_per_cell = n_pixels / n
    widest = max(1.0, WIDEST_FRACTION * n_pixels)
    cell = np.empty((3, 2), np.int64)
    weight = np.empty((3, 2))
    for p in range(position.shape[0]):
        for axis in range(3):
            _cic(position[p, axis] * scale, n, cell[axis], weight[axis])
        in_cell = 0.0
        for i in range(2):
            for j in range(2):
                w = weight[0, i] * weight[1, j]
                for k in range(2):
                    in_cell += w * weight[2, k] * mesh[cell[0, i], cell[1, j], cell[2, k]]
        # a massless particle has no density to follow: any width is right for it
        spacing = (mass[p] / in_cell) ** (1.0 / 3.0) * pixels_per_cell if in_cell > 0.0 else 1.0
        half_width[p] = min(max(1.0, ETA * spacing), widest)


@njit(cache=True, nogil=True)
def deposit_tent(
    position: FloatArray,
    mass: FloatArray,
    half_width: FloatArray,
    box_size_mpch: float,
    grids: FloatArray,
) -> None:
    r"""Add particles to the three projections with tents of their own half-widths.

    .. math:: F(t) = \tfrac12 (1+t)^2 \;(t \le 0), \qquad 1 - \tfrac12 (1-t)^2 \;(t > 0)

    Parameters
    ----------
    position, mass, half_width
        Shapes ``(n, 3)`` in ``[0, box]`` [Mpc/h], ``(n,)`` [Msun/h], ``(n,)`` [pixel].
    box_size_mpch
        Side of the periodic box.
    grids
        Shape ``(3, n_pixels, n_pixels)`` [Msun/h per pixel], changed in place.
    """
    if position.shape[0] == 0:
        return
    n = grids.shape[1]
    scale = n / box_size_mpch
    reach = 2 * math.ceil(half_width.max()) + 3
    cell = np.empty((3, reach), np.int64)
    weight = np.empty((3, reach))
    size = np.empty(3, np.int64)
    for p in range(position.shape[0]):
        for axis in range(3):
            size[axis] = _tent(
                position[p, axis] * scale, half_width[p], n, cell[axis], weight[axis]
            )
        for projection in range(3):
            a, b = (1 if projection == 0 else 0), (1 if projection == 2 else 2)
            for i in range(size[a]):
                w = mass[p] * weight[a, i]
                row = grids[projection, cell[a, i]]
                for j in range(size[b]):
                    row[cell[b, j]] += w * weight[b, j]


@njit(cache=True, nogil=True, inline="always")
def _cic(u: float, n: int, cell: NDArray[np.int64], weight: FloatArray) -> None:
    """Two periodic cells and weights of a one-cell top-hat centred at cell coordinate ``u``."""
    left = math.floor(u - 0.5)
    fraction = u - 0.5 - left
    cell[0] = left if left >= 0 else left + n
    cell[1] = left + 1 if left + 1 < n else left + 1 - n
    weight[0] = 1.0 - fraction
    weight[1] = fraction


@njit(cache=True, nogil=True)
def _tent(u: float, w: float, n: int, cell: NDArray[np.int64], weight: FloatArray) -> int:
    """Periodic cells and weights of a tent of half-width ``w`` at ``u``; returns how many."""
    first = math.floor(u - w)
    last = math.floor(u + w)
    below = 0.0
    for k in range(last - first + 1):
        t = (first + k + 1 - u) / w
        above = 1.0 - 0.5 * (1.0 - t) ** 2 if t > 0.0 else 0.5 * (1.0 + t) ** 2
        if t >= 1.0:
            above = 1.0
        cell[k] = (first + k) % n
        weight[k] = above - below
        below = above
    return last - first + 1
