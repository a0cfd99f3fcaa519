r"""Projection: the particles of a pair of snapshots to maps of fields.

A map is the mass in each pixel column through a slab of the box, ``M_ij = \sum_p m_p W_ij(x_p)``,
so that its sum is the mass of the particles; a volume is the mass in each voxel of the box. Memory
is bounded by the grids (float64, and a density mesh of at most 256^3), once a worker, plus one
block of particles, whatever the snapshot.

Tracers are left out and, unless a field asks for them, black holes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.fields import Field
from emulator.io import DataError
from emulator.projection.blocks import Block, Part, parts_of, read_blocks
from emulator.projection.deposit import (
    AXES,
    Kernel,
    deposit_maps,
    deposit_mesh,
    deposit_volume,
    mesh_side,
    padded_shape,
    without_ghosts,
)
from emulator.projection.workers import sum_over
from emulator.readers.snapshots import BLACK_HOLES, DARK_MATTER, GAS, STARS, Snapshot

FloatArray = NDArray[np.float64]

PARTICLE_TYPES = {
    "dark_matter": DARK_MATTER,
    "gas": GAS,
    "stars": STARS,
    "black_holes": BLACK_HOLES,
}
"""Number of the particle type that a kind is stored as."""

MASS_TOLERANCE = 1.0e-6
"""Largest relative difference between the mass of a map and of its particles."""


class SpeciesMap(NamedTuple):
    """Maps ``(projection, y, x)`` [Msun/h per pixel] and masses of particles and map [Msun/h].

    ``mass_map_msunh`` is the mean over the three axes. A volume ``(projection, z, y, x)`` is the
    only projection there is.
    """

    maps: FloatArray
    mass_particles_msunh: float
    mass_map_msunh: float


def projection_labels(slabs: int, dimensions: int = 2) -> tuple[str, ...]:
    """Names of the projections: ``x, y, z``, or ``x0, x1, ...`` with slabs; ``box`` of a volume."""
    if dimensions == 3:
        return ("box",)
    names = ("x", "y", "z")
    return names if slabs == 1 else tuple(f"{name}{s}" for name in names for s in range(slabs))


def parts_by_kind(
    hydro: Snapshot, *, wind: Literal["gas", "stars"], black_holes: Literal["ignore", "stars"]
) -> dict[str, list[Part]]:
    """Particles of a hydrodynamic run by kind.

    Parameters
    ----------
    hydro
        The snapshot.
    wind, black_holes
        What wind particles count as (AREPO stores gas that travels in a galactic wind with the
        stars), and whether black holes count as stars.
    """
    gas, holes = parts_of(hydro, GAS), parts_of(hydro, BLACK_HOLES)
    stars = parts_of(hydro, STARS, "stars" if wind == "gas" else "all")
    return {
        "dark_matter": parts_of(hydro, DARK_MATTER),
        "gas": [*gas, *(parts_of(hydro, STARS, "wind") if wind == "gas" else [])],
        "stars": [*stars, *(holes if black_holes == "stars" else [])],
        "black_holes": holes,
    }


def parts_for(field: Field, kinds: Mapping[str, Sequence[Part]]) -> list[Part]:
    """Particles that a field of the hydrodynamic run is made from; see :func:`parts_by_kind`."""
    parts = [part for kind in field.particles for part in kinds[kind]]
    # gas in a wind has a mass, but none of the properties of a gas cell
    return parts if field.adds_up else [part for part in parts if part.select != "wind"]


def project_field(
    field: Field,
    parts: Sequence[Part],
    where: str,
    *,
    n_pixels: int,
    slabs: int = 1,
    dimensions: int = 2,
    kernel: Kernel,
    block_particles: int,
    scheduler: str = "threads",
    workers: int = 1,
) -> SpeciesMap:
    """Project one field: a mass, the mass-weighted mean of a property, or a sum per area.

    Sparse fields are deposited with CIC where the kernel is adaptive: stars sit in the centres of
    halos, start from no lattice, and are so few that the distance to the next one (the adaptive
    width) is that between galaxies; a galaxy would be smeared over an empty region and its
    occupancy lost.

    Parameters
    ----------
    field
        What to project.
    parts
        Its particles; of a sparse field possibly none.
    where
        The snapshot, for messages.
    n_pixels, slabs, dimensions
        Pixels a side, slabs along each axis, and 3 for a volume.
    kernel
        See :mod:`emulator.projection.kernels`.
    block_particles
        Particles read at a time.
    scheduler, workers
        See :func:`emulator.projection.workers.sum_over`.

    Raises
    ------
    DataError
        No particles, a map that does not hold the mass of its particles, or what they sum up to,
        to 1e-6, or a mean where there is no particle.
    """
    if not parts and not field.sparse:
        raise DataError(where, f"particles ({field.name})", "none")
    if field.sparse and kernel == "adaptive":
        kernel = "cic"
    mesh = None
    if kernel == "adaptive":  # once, for a mean and its weights
        mesh = density_mesh(parts, block_particles, scheduler=scheduler, workers=workers)
    project = partial(
        project_species,
        parts,
        n_pixels=n_pixels,
        slabs=slabs,
        dimensions=dimensions,
        kernel=kernel,
        block_particles=block_particles,
        mesh=mesh,
        scheduler=scheduler,
        workers=workers,
    )
    mass = project(sum_of=field.sum_of)
    difference = abs(mass.mass_map_msunh - mass.mass_particles_msunh)
    if not difference <= MASS_TOLERANCE * mass.mass_particles_msunh:
        unit = "Msun/h" if field.sum_of is None else "Mpc^2"
        raise DataError(
            where,
            f"maps of {field.name} that hold {mass.mass_particles_msunh:.9e} {unit}",
            f"{mass.mass_map_msunh:.9e}",
        )
    if field.sum_of is not None:
        area = _pixel_area_mpc2(parts[0].snapshot, n_pixels) if parts else 1.0
        return mass._replace(maps=mass.maps / area)
    if field.mean_of is None:
        return mass
    n_empty = int((mass.maps <= 0).sum())
    if n_empty:
        raise DataError(
            where,
            f"particles in every pixel, for the mean of {field.mean_of} ({field.name})",
            f"{n_empty} of {mass.maps.size} pixels without",
            "Use data.deposit: adaptive, or fewer data.n_pixels.",
        )
    weighted = project(mean_of=field.mean_of).maps
    return mass._replace(maps=weighted / mass.maps)


def _pixel_area_mpc2(snapshot: Snapshot, n_pixels: int) -> float:
    """Area of a pixel as it was at the time of the snapshot: physical, without h [Mpc^2]."""
    header = snapshot.header
    comoving = header.box_size_mpch / header.hubble_h / n_pixels
    return (comoving / (1.0 + header.redshift)) ** 2


def project_species(
    parts: Sequence[Part],
    *,
    n_pixels: int,
    slabs: int = 1,
    dimensions: int = 2,
    kernel: Kernel,
    block_particles: int,
    axes: Sequence[int] = AXES,
    mean_of: str | None = None,
    sum_of: Literal["compton_y"] | None = None,
    mesh: NDArray[np.float32] | None = None,
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
    dimensions
        3: a volume, which has neither axes nor slabs.
    mean_of
        Weigh the masses by this property of the particles.
    sum_of
        Deposit this property instead: maps and sums are in its unit.
    mesh
        Their density for the adaptive kernel, from :func:`density_mesh`; None: made here.
    block_particles, scheduler, workers
        As :func:`project_field`.
    """
    share = partial(sum_over, parts, scheduler=scheduler, workers=workers)
    if kernel == "adaptive" and mesh is None:
        mesh = density_mesh(parts, block_particles, scheduler=scheduler, workers=workers)
    if dimensions == 3:
        in_volume = partial(deposit_volume, kernel=kernel, mesh=mesh)
        task = partial(_deposit_into, in_volume, block_particles, mean_of, sum_of)
        volume, total = share(task, (n_pixels,) * 3, np.float64)
        return SpeciesMap(volume[None], total, float(volume.sum()))
    in_maps = partial(deposit_maps, kernel=kernel, axes=tuple(axes), mesh=mesh)
    task = partial(_deposit_into, in_maps, block_particles, mean_of, sum_of)
    grids, total = share(task, padded_shape(len(axes) * slabs, n_pixels), np.float64)
    maps = without_ghosts(grids)
    return SpeciesMap(maps, total, float(maps.sum() / len(axes)))


def density_mesh(
    parts: Sequence[Part], block_particles: int, *, scheduler: str, workers: int
) -> NDArray[np.float32]:
    """Mass of all parts in the cells of a coarse mesh, which the adaptive kernel follows."""
    side = mesh_side(sum(len(part) for part in parts))
    task, shape = partial(_mesh_of, block_particles), (side,) * 3
    mesh, _ = sum_over(parts, task, shape, np.float32, scheduler=scheduler, workers=workers)
    return mesh


def _mesh_of(block_particles: int, part: Part, mesh: NDArray[Any]) -> float:
    return sum(deposit_mesh(block, mesh) for block in read_blocks(part, block_particles))


def _deposit_into(
    deposit: Callable[[Block, NDArray[Any]], float],
    block_particles: int,
    mean_of: str | None,
    sum_of: Literal["compton_y"] | None,
    part: Part,
    grids: NDArray[Any],
) -> float:
    blocks = read_blocks(part, block_particles, mean_of=mean_of, sum_of=sum_of)
    return sum(deposit(block, grids) for block in blocks)
