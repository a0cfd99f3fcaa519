"""Mass deposit: particles to periodic maps and meshes, mass-conserving, float64.

Maps are ``(projection, y, x)``. Along each of the ``axes`` the box is cut into ``slabs`` of equal
depth, and a projection is one slab: number ``a * slabs + s`` sums the particles of slab ``s`` along
``axes[a]``; y and x are the two other axes in increasing order, and pixel ``i`` covers ``[i, i+1)``
pixels. :mod:`~emulator.projection.kernels` describes the kernels; a cloud is never cut at the faces
of its slab, so that slabs add up to the whole.

The half-width of the adaptive kernel follows the local mean distance between particles,
``w = eta (m/rho)^(1/3)``, with ``rho`` from a coarse mesh of the same species. Sparse particles
thus overlap and the lattice they started from leaves no imprint in voids; in halos the width stays
at one pixel. A lattice of spacing ``s`` under tents of half-width ``s`` or ``2s`` is exactly
uniform, because the tent's transform ``sinc^2(k w/2)`` vanishes at the lattice's wave numbers.

Grids have a ghost pixel on every side (:func:`padded_shape`, :func:`without_ghosts`). Not
guaranteed: the same sums in another order of particles beyond float64 rounding.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError
from emulator.jit import njit
from emulator.projection import kernels
from emulator.projection.blocks import Block

Kernel = Literal["ngp", "cic", "tsc", "adaptive"]

AXES = (0, 1, 2)

_ORDERS = {"ngp": 1, "cic": 2, "tsc": 3, "adaptive": 0}
_MESH_SIDES = (4, 256)
_IDLE_COLUMNS = 14
"""Rows that lie a power of two apart in memory would share the same few places in the caches."""

_NO_WIDTH = np.empty(0, np.float32)


def mesh_side(n_particles: int) -> int:
    """Cells a side of the density mesh: about three particles a cell, at most 256 (64 MiB).

    With one particle a cell the particle itself would set the density of a void and keep its own
    tent too narrow; with many more, halos would look diffuse and be smeared.
    """
    low, high = _MESH_SIDES
    side: int = round((n_particles / 3.0) ** (1.0 / 3.0))
    return min(max(side, low), high)


def padded_shape(n_projections: int, n_pixels: int) -> tuple[int, int, int]:
    """Shape of maps with their ghost pixels, to deposit into."""
    return n_projections, n_pixels + 2, n_pixels + 2 + _IDLE_COLUMNS


def without_ghosts(grids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Periodic maps ``(projection, y, x)``: what lies in ghost pixels goes to the other side.

    The maps are a view of ``grids``, which are used up: call this once.
    """
    last = grids.shape[1] - 2
    maps = grids[:, 1:-1, 1 : last + 1]
    for inside, ghost in ((0, last + 1), (-1, 0)):
        maps[:, inside, :] += grids[:, ghost, 1 : last + 1]
        maps[:, :, inside] += grids[:, 1:-1, ghost]
        for other, corner in ((0, last + 1), (-1, 0)):
            maps[:, inside, other] += grids[:, ghost, corner]
    return maps


def deposit_maps(
    block: Block,
    grids: NDArray[np.float64],
    kernel: Kernel,
    *,
    axes: Sequence[int] = AXES,
    mesh: NDArray[np.float32] | None = None,
) -> float:
    """Add the particles of a block to maps.

    Parameters
    ----------
    block
        Particles, in the units of their file.
    grids
        As :func:`padded_shape` says for ``len(axes) * slabs`` projections [Msun/h per pixel],
        changed in place.
    kernel
        ``ngp``, ``cic``, ``tsc`` or ``adaptive``.
    axes
        Axes to project along.
    mesh
        For ``adaptive``: ``(m, m, m)`` [Msun/h per cell] with every particle of the species.

    Returns
    -------
    Mass of the particles [Msun/h], or the sum of their weights.

    Raises
    ------
    DataError
        Coordinates that are not finite or more than a box outside the box, masses that are negative
        or not finite; nothing has been deposited then.
    """
    if len(block.mass) == 0:
        return 0.0
    total, position = _sound(block)
    n = grids.shape[1] - 2
    scale = n / block.box_size
    half_width = _half_width(block, position, mesh, n) if kernel == "adaptive" else _NO_WIDTH
    weight = block.mass if block.weight is None else block.weight
    by_axis = grids.reshape(len(axes), -1, *grids.shape[1:])
    for axis, slabs in zip(axes, by_axis, strict=True):
        particles = (position, weight, block.mass_msunh, scale, axis)
        if kernel == "cic":
            kernels.cic_planes(*particles, slabs)
        else:
            kernels.cloud_planes(*particles, _ORDERS[kernel], half_width, slabs)
    return total


def deposit_mesh(
    block: Block, mesh: NDArray[Any], kernel: Literal["ngp", "cic", "tsc"] = "cic"
) -> float:
    """Add the particles of a block to a mesh ``(n, n, n)`` [Msun/h per cell]; return their mass.

    Raises
    ------
    DataError
        As :func:`deposit_maps`.
    """
    if len(block.mass) == 0:
        return 0.0
    total, position = _sound(block)
    scale = len(mesh) / block.box_size
    kernels.cloud_mesh(position, block.mass, block.mass_msunh, scale, _ORDERS[kernel], mesh)
    return total


def deposit_volume(
    block: Block,
    volume: NDArray[np.float64],
    kernel: Kernel,
    *,
    mesh: NDArray[np.float32] | None = None,
) -> float:
    """Add the particles of a block to a volume ``(z, y, x)`` [Msun/h per voxel].

    Voxel ``(k, j, i)`` covers ``[i, i+1)`` voxels along x, and so on. The rest, and errors, are
    those of :func:`deposit_maps`; a volume has no ghost pixels.
    """
    if len(block.mass) == 0:
        return 0.0
    total, position = _sound(block)
    n = len(volume)
    half_width = _half_width(block, position, mesh, n) if kernel == "adaptive" else _NO_WIDTH
    weight = block.mass if block.weight is None else block.weight
    scale = n / block.box_size
    kernels.cloud_volume(
        position, weight, block.mass_msunh, scale, _ORDERS[kernel], half_width, volume
    )
    return total


def _half_width(
    block: Block, position: NDArray[Any], mesh: NDArray[np.float32] | None, n_pixels: int
) -> NDArray[np.float32]:
    """Half-width of each tent [pixel]."""
    if mesh is None:
        raise ValueError("the adaptive kernel needs the density mesh")
    half_width = np.empty(len(block.mass), np.float32)
    cells = len(mesh) / block.box_size
    kernels.tent_half_width(
        position, block.mass, block.mass_msunh, cells, mesh, n_pixels, half_width
    )
    return half_width


def _sound(block: Block) -> tuple[float, NDArray[Any]]:
    """Total, and positions in ``[0, box)``: the block's own unless some must be wrapped."""
    position, box = block.position, block.box_size
    total, n_bad = _sum(block.mass)
    if n_bad or not np.isfinite(total):
        bad = block.mass[~(np.isfinite(block.mass) & (block.mass >= 0))]
        raise DataError(
            block.place("Masses"),
            "finite masses of zero or more",
            f"{len(bad)} others, e.g. {bad[0]:g}",
        )
    if _count_outside(position.reshape(-1), box):
        if not np.isfinite(position).all():
            raise DataError(block.place("Coordinates"), "finite values", "NaN or infinity")
        low, high = float(position.min()), float(position.max())
        if low < -box or high > 2.0 * box:
            raise DataError(
                block.place("Coordinates"),
                f"values within one box length of [0, {box:g}] (units of the file)",
                f"{low:g} to {high:g}",
                "Coordinates and BoxSize must have the same unit; suite.header can correct it.",
            )
        position = np.mod(position, box, dtype=np.float64)
        # a tiny negative coordinate rounds to exactly the box size
        position[position >= box] = 0.0
    if block.weight is not None:
        total = float(block.weight.sum())
    return total * block.mass_msunh, position


@njit(nogil=True, fastmath={"contract", "reassoc"})
def _sum(mass: NDArray[Any]) -> tuple[float, int]:
    """Sum in float64 and number of values that are negative or NaN, a vector at a time."""
    total, good = 0.0, 0
    for i in range(mass.shape[0]):
        total += mass[i]
        good += mass[i] >= 0.0
    return total, mass.shape[0] - good


@njit(nogil=True)
def _count_outside(coordinates: NDArray[Any], box: float) -> int:
    n_values: int = coordinates.shape[0]
    inside = 0
    for i in range(n_values):
        inside += (coordinates[i] >= 0.0) & (coordinates[i] < box)
    return n_values - inside
