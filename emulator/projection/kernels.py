r"""Deposit kernels: how much of a particle's mass each pixel receives.

A particle at pixel coordinate ``u`` is a cloud; a pixel receives the integral of the cloud over the
pixel. Clouds are separable, so that a projection along an axis simply leaves that axis out. With
``d`` the distance from the centre of the particle's own pixel (Hockney & Eastwood 1988, chapter 5):

- *NGP*: a point; its pixel receives all.
- *CIC*: a top-hat one pixel wide; two pixels an axis, linear in ``u``.
- *TSC*: a triangle two pixels wide; three pixels an axis, ``(1/2 - d)^2 / 2``, ``3/4 - d^2`` and
  ``(1/2 + d)^2 / 2``.
- *tent*: a triangle of any half-width ``w >= 1``; pixel ``j`` receives
  ``F((j+1-u)/w) - F((j-u)/w)`` with :math:`F(t) = (1+t)^2/2` for :math:`t \le 0`,
  :math:`1 - (1-t)^2/2` above. The sum telescopes: the weights add up to one to rounding, for any
  ``w`` and ``u``.

Positions lie in ``[0, box)`` (:mod:`~emulator.projection.deposit` sees to it), in any precision and
unit; ``scale`` turns them into pixels. Maps are padded with one ghost pixel on every side: pixel
``i`` is row ``i + 1``, so that no kernel asks where the box ends.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.jit import njit

FloatArray = NDArray[np.float64]

ETA = 2.0
"""Half-width of a tent in units of the local mean distance between particles."""

WIDEST_FRACTION = 1.0 / 16.0
"""Largest half-width in units of the box: bounds the cost of a particle in an empty region."""


@njit(nogil=True, fastmath={"contract"})
def cic_planes(
    position: NDArray[Any],
    mass: NDArray[Any],
    mass_unit: float,
    scale: float,
    axis: int,
    grids: FloatArray,
) -> None:
    """Add particles to the padded slabs ``(slab, n + 2, stride)`` along one axis: the CIC kernel.

    This is :func:`cloud_planes` for the kernel that matters most, without branches and loops over
    weights. Left pixel and share are the whole part and the rest of ``u + 1/2`` (padded rows).
    """
    slabs, stride = grids.shape[0], np.uint64(grids.shape[2])
    plane, one = np.uint64(grids.shape[1]) * stride, np.uint64(1)
    row, col = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    thickness = scale * slabs / (grids.shape[1] - 2)
    flat = grids.reshape(-1)
    for p in range(position.shape[0]):
        u, v = position[p, row] * scale + 0.5, position[p, col] * scale + 0.5
        i, j = np.int32(u), np.int32(v)
        m = mass[p] * mass_unit
        above = m * (u - i)
        below = m - above
        right_below, right_above = below * (v - j), above * (v - j)
        pixel = np.uint64(np.uint32(i)) * stride + np.uint64(np.uint32(j))
        if slabs > 1:
            pixel += np.uint64(min(int(position[p, axis] * thickness), slabs - 1)) * plane
        flat[pixel] += below - right_below
        flat[pixel + one] += right_below
        flat[pixel + stride] += above - right_above
        flat[pixel + stride + one] += right_above


@njit(nogil=True)
def cloud_planes(
    position: NDArray[Any],
    mass: NDArray[Any],
    mass_unit: float,
    scale: float,
    axis: int,
    order: int,
    half_width: NDArray[np.float32],
    grids: FloatArray,
) -> None:
    """Add particles to the padded slabs ``(slab, n + 2, stride)`` along one axis.

    ``order``: 1 NGP, 2 CIC, 3 TSC, 0 tents of ``half_width`` ``(n_particles,)`` [pixel].
    """
    slabs, n = grids.shape[0], grids.shape[1] - 2
    row, col = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    thickness = scale * slabs / n
    reach = order if order > 0 else 2 * math.ceil(half_width.max()) + 3
    rows, cols = np.empty(reach, np.int64), np.empty(reach, np.int64)
    row_weights, col_weights = np.empty(reach), np.empty(reach)
    for p in range(position.shape[0]):
        u, v = position[p, row] * scale, position[p, col] * scale
        slab = min(int(position[p, axis] * thickness), slabs - 1)
        if order > 0:
            n_rows = _cloud(u, n, order, rows, row_weights)
            n_cols = _cloud(v, n, order, cols, col_weights)
        else:
            n_rows = _tent(u, half_width[p], n, rows, row_weights)
            n_cols = _tent(v, half_width[p], n, cols, col_weights)
        for i in range(n_rows):
            share = mass[p] * mass_unit * row_weights[i]
            for j in range(n_cols):
                grids[slab, rows[i] + 1, cols[j] + 1] += share * col_weights[j]


@njit(nogil=True)
def cloud_mesh(
    position: NDArray[Any],
    mass: NDArray[Any],
    mass_unit: float,
    scale: float,
    order: int,
    mesh: NDArray[Any],
) -> None:
    """Add particles to a mesh ``(n, n, n)`` (not padded); ``order``: 1 NGP, 2 CIC, 3 TSC."""
    n = mesh.shape[0]
    cell, weight = np.empty((3, 3), np.int64), np.empty((3, 3))
    for p in range(position.shape[0]):
        for axis in range(3):
            _cloud(position[p, axis] * scale, n, order, cell[axis], weight[axis])
        for i in range(order):
            for j in range(order):
                share = mass[p] * mass_unit * weight[0, i] * weight[1, j]
                for k in range(order):
                    mesh[cell[0, i], cell[1, j], cell[2, k]] += share * weight[2, k]


@njit(nogil=True)
def cloud_volume(
    position: NDArray[Any],
    mass: NDArray[Any],
    mass_unit: float,
    scale: float,
    order: int,
    half_width: NDArray[np.float32],
    volume: FloatArray,
) -> None:
    """Add particles to a volume ``(z, y, x)`` of ``n`` voxels a side (not padded).

    ``order``: 1 NGP, 2 CIC, 3 TSC, 0 tents of ``half_width`` ``(n_particles,)`` [voxel].
    """
    n = volume.shape[0]
    reach = order if order > 0 else 2 * math.ceil(half_width.max()) + 3
    cell, weight = np.empty((3, reach), np.int64), np.empty((3, reach))
    count = np.empty(3, np.int64)
    for p in range(position.shape[0]):
        for axis in range(3):
            u = position[p, axis] * scale
            if order > 0:
                count[axis] = _cloud(u, n, order, cell[axis], weight[axis])
            else:
                count[axis] = _tent(u, half_width[p], n, cell[axis], weight[axis])
        m = mass[p] * mass_unit
        for k in range(count[2]):
            for j in range(count[1]):
                share = m * weight[2, k] * weight[1, j]
                for i in range(count[0]):
                    volume[cell[2, k], cell[1, j], cell[0, i]] += share * weight[0, i]


@njit(nogil=True)
def tent_half_width(
    position: NDArray[Any],
    mass: NDArray[Any],
    mass_unit: float,
    scale: float,
    mesh: NDArray[np.float32],
    n_pixels: int,
    half_width: NDArray[np.float32],
) -> None:
    r"""Half-width of each particle's tent [pixel].

    .. math:: w = \min\left(\max\left(1, \eta\,(m/\rho)^{1/3} / \Delta\right), n/16\right)

    with the pixel :math:`\Delta`, ``n`` pixels a side and the density :math:`\rho` interpolated
    (CIC) from ``mesh``, which must already hold every particle of the species. ``scale`` turns
    positions into cells of the mesh.
    """
    n = mesh.shape[0]
    pixels_per_cell = n_pixels / n
    widest = max(1.0, WIDEST_FRACTION * n_pixels)
    cell, weight = np.empty((3, 3), np.int64), np.empty((3, 3))
    for p in range(position.shape[0]):
        for axis in range(3):
            _cloud(position[p, axis] * scale, n, 2, cell[axis], weight[axis])
        in_cell = 0.0
        for i in range(2):
            for j in range(2):
                share = weight[0, i] * weight[1, j]
                for k in range(2):
                    in_cell += share * weight[2, k] * mesh[cell[0, i], cell[1, j], cell[2, k]]
        # a massless particle has no density to follow: any width is right for it
        m = mass[p] * mass_unit
        spacing = (m / in_cell) ** (1.0 / 3.0) * pixels_per_cell if in_cell > 0.0 else 1.0
        half_width[p] = min(max(1.0, ETA * spacing), widest)


@njit(nogil=True, inline="always")
def _cloud(u: float, n: int, order: int, cell: NDArray[np.int64], weight: FloatArray) -> int:
    """Periodic cells and weights of a cloud at ``u``; returns how many."""
    if order == 2:
        left = math.floor(u - 0.5)
        weight[1] = u - 0.5 - left
        weight[0] = 1.0 - weight[1]
        cell[0], cell[1] = left % n, (left + 1) % n
        return 2
    own = math.floor(u)
    if order == 1:
        cell[0], weight[0] = own % n, 1.0
        return 1
    d = u - own - 0.5
    cell[0], cell[1], cell[2] = (own - 1) % n, own % n, (own + 1) % n
    weight[0], weight[1], weight[2] = 0.5 * (0.5 - d) ** 2, 0.75 - d * d, 0.5 * (0.5 + d) ** 2
    return 3


@njit(nogil=True)
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
