r"""Projection: a pair of snapshots to the mass maps of four species.

A map is the mass in each pixel column through a slab of the box, ``M_ij = \sum_p m_p W_ij(x_p)``,
so that its sum is the mass of the particles. Memory is bounded by the grids (float64, and a density
mesh of at most 256^3), once a worker, plus one block of particles, whatever the snapshot.

Left out: tracers and, unless asked for, black holes; the model's baryons are gas and stars.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError
from emulator.projection.blocks import Part, parts_of, read_blocks
from emulator.projection.deposit import (
    AXES,
    Kernel,
    deposit_maps,
    deposit_mesh,
    mesh_side,
    padded_shape,
    without_ghosts,
)
from emulator.projection.workers import sum_over
from emulator.readers.snapshots import BLACK_HOLES, DARK_MATTER, GAS, STARS, Snapshot

FloatArray = NDArray[np.float64]

MASS_TOLERANCE = 1.0e-6
"""Largest relative difference between the mass of a map and of its particles."""


@dataclass(frozen=True)
class SpeciesMap:
    """Maps ``(projection, y, x)`` [Msun/h per pixel] and masses of particles and map [Msun/h].

    ``mass_map_msunh`` is the mean over the three axes.
    """

    maps: FloatArray
    mass_particles_msunh: float
    mass_map_msunh: float


def projection_labels(slabs: int) -> tuple[str, ...]:
    """Names of the projections: ``x, y, z``, or ``x0, x1, ...`` with slabs."""
    names = ("x", "y", "z")
    return names if slabs == 1 else tuple(f"{name}{s}" for name in names for s in range(slabs))


def project_pair(
    dmo: Snapshot,
    hydro: Snapshot,
    *,
    n_pixels: int,
    slabs: int = 1,
    kernel: Kernel,
    block_particles: int,
    wind: Literal["gas", "stars"] = "gas",
    black_holes: Literal["ignore", "stars"] = "ignore",
    scheduler: str = "threads",
    workers: int = 1,
) -> Iterator[tuple[str, SpeciesMap]]:
    """Project the species ``dmo, dm_hydro, gas, stars``, one after the other.

    Stars are deposited with CIC where the kernel is adaptive: they sit in the centres of halos,
    start from no lattice, and are so few that the distance to the next one (the adaptive width) is
    that between galaxies; a galaxy would be smeared over an empty region and its occupancy lost.

    Parameters
    ----------
    dmo, hydro
        Snapshots of the same phases, accepted by :mod:`emulator.projection.twins`.
    n_pixels, slabs
        Pixels a side, and slabs along each axis.
    kernel
        See :mod:`emulator.projection.kernels`.
    block_particles
        Particles read at a time.
    wind, black_holes
        What wind particles count as, and whether black holes count as stars.
    scheduler, workers
        See :func:`emulator.projection.workers.sum_over`.

    Yields
    ------
    Species and its maps.

    Raises
    ------
    DataError
        A species without particles (stars may have none), or a map that does not hold the mass of
        its particles to 1e-6.
    """
    # AREPO stores gas that travels in a galactic wind with the stars
    wind_parts = parts_of(hydro, STARS, "wind") if wind == "gas" else []
    holes = parts_of(hydro, BLACK_HOLES) if black_holes == "stars" else []
    stars = parts_of(hydro, STARS, "stars" if wind == "gas" else "all")
    sources = {
        "dmo": parts_of(dmo, DARK_MATTER),
        "dm_hydro": parts_of(hydro, DARK_MATTER),
        "gas": [*parts_of(hydro, GAS), *wind_parts],
        "stars": [*stars, *holes],
    }
    numbers = {"dmo": DARK_MATTER, "dm_hydro": DARK_MATTER, "gas": GAS, "stars": STARS}
    for species, parts in sources.items():
        path = (dmo if species == "dmo" else hydro).paths[0]
        where = f"{path}:PartType{numbers[species]}"
        if not parts and species != "stars":
            raise DataError(where, f"particles ({species})", "none")
        result = project_species(
            parts,
            n_pixels=n_pixels,
            slabs=slabs,
            kernel="cic" if species == "stars" and kernel == "adaptive" else kernel,
            block_particles=block_particles,
            scheduler=scheduler,
            workers=workers,
        )
        difference = abs(result.mass_map_msunh - result.mass_particles_msunh)
        if not difference <= MASS_TOLERANCE * result.mass_particles_msunh:
            raise DataError(
                where,
                f"maps of {species} that hold {result.mass_particles_msunh:.9e} Msun/h",
                f"{result.mass_map_msunh:.9e}",
            )
        yield species, result


def project_species(
    parts: Sequence[Part],
    *,
    n_pixels: int,
    slabs: int = 1,
    kernel: Kernel,
    block_particles: int,
    axes: Sequence[int] = AXES,
    scheduler: str = "threads",
    workers: int = 1,
) -> SpeciesMap:
    """Project the particles of some parts of snapshots.

    Parameters
    ----------
    parts
        From :func:`~emulator.projection.blocks.parts_of`; possibly none.
    n_pixels, slabs, kernel, axes
        Pixels a side, slabs along each axis, kernel, axes to project along. The adaptive kernel
        takes two passes over the files: density, then deposit.
    block_particles, scheduler, workers
        As :func:`project_pair`.
    """
    share = partial(sum_over, parts, scheduler=scheduler, workers=workers)
    mesh = None
    if kernel == "adaptive":
        side = mesh_side(sum(len(part) for part in parts))
        mesh, _ = share(partial(_mesh_of, block_particles), (side,) * 3, np.float32)
    task = partial(_maps_of, block_particles, kernel, tuple(axes), mesh)
    grids, total = share(task, padded_shape(len(axes) * slabs, n_pixels), np.float64)
    maps = without_ghosts(grids)
    return SpeciesMap(maps, total, float(maps.sum() / len(axes)))


def _mesh_of(block_particles: int, part: Part, mesh: NDArray[Any]) -> float:
    return sum(deposit_mesh(block, mesh) for block in read_blocks(part, block_particles))


def _maps_of(
    block_particles: int,
    kernel: Kernel,
    axes: tuple[int, ...],
    mesh: NDArray[np.float32] | None,
    part: Part,
    grids: NDArray[Any],
) -> float:
    blocks = read_blocks(part, block_particles)
    return sum(deposit_maps(block, grids, kernel, axes=axes, mesh=mesh) for block in blocks)
