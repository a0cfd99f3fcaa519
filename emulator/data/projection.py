r"""Projection: a pair of snapshots to the mass maps of four species.

A map is the mass in each pixel column through the whole box, ``M_ij = \sum_p m_p W_ij(x_p)``, so
that its sum is the mass of the particles. Memory is bounded by the grids (three projections in
float64, and a density mesh of at most 256^3) plus one block of particles, whatever the snapshot.

Left out: black holes (``PartType5``) and tracers; the model's baryons are gas and stars.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emulator.data import deposit
from emulator.data.snapshots import DARK_MATTER, GAS, STARS, Selection, Snapshot
from emulator.io import DataError

FloatArray = NDArray[np.float64]
Blocks = Callable[[], Iterator[tuple[FloatArray, FloatArray]]]

MASS_TOLERANCE = 1.0e-6
"""Largest relative difference between the mass of a map and of its particles."""

_AGREEMENT = 1.0e-4


@dataclass(frozen=True)
class SpeciesMap:
    """Maps ``(projection, y, x)`` [Msun/h per pixel] and masses of particles and map [Msun/h]."""

    maps: FloatArray
    mass_particles_msunh: float
    mass_map_msunh: float


def project_pair(
    dmo: Snapshot,
    hydro: Snapshot,
    *,
    n_pixels: int,
    kernel: Literal["cic", "adaptive"],
    block_particles: int,
) -> Iterator[tuple[str, SpeciesMap]]:
    """Project the species ``dmo, dm_hydro, gas, stars``, one after the other.

    Stars are always deposited with CIC: they sit in the centres of halos, start from no lattice,
    and are so few that the distance to the next one (the adaptive width) is that between galaxies;
    a galaxy would be smeared over an empty region and its occupancy lost.

    Parameters
    ----------
    dmo, hydro
        Snapshots of the same phases; :func:`require_pair` has accepted them.
    n_pixels
        Pixels a side.
    kernel
        ``cic`` or ``adaptive`` (see :mod:`emulator.data.deposit`).
    block_particles
        Particles read at a time.

    Yields
    ------
    Species and its maps.

    Raises
    ------
    DataError
        A species without particles (stars may have none), or a map that does not hold the mass of
        its particles to 1e-6.
    """
    sources: dict[str, list[tuple[Snapshot, int, Selection]]] = {
        "dmo": [(dmo, DARK_MATTER, "all")],
        "dm_hydro": [(hydro, DARK_MATTER, "all")],
        "gas": [(hydro, GAS, "all"), (hydro, STARS, "wind")],
        "stars": [(hydro, STARS, "stars")],
    }
    for species, parts in sources.items():
        snapshot, particle_type, _ = parts[0]
        count = snapshot.count(particle_type)
        where = f"{snapshot.paths[0]}:PartType{particle_type}"
        if count == 0 and species != "stars":
            raise DataError(where, f"particles ({species})", "none")
        result = project_species(
            partial(_stream, parts, block_particles),
            count,
            box_size_mpch=snapshot.header.box_size_mpch,
            n_pixels=n_pixels,
            kernel="cic" if species == "stars" else kernel,
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
    blocks: Blocks,
    n_particles: int,
    *,
    box_size_mpch: float,
    n_pixels: int,
    kernel: Literal["cic", "adaptive"],
) -> SpeciesMap:
    """Project one species; ``blocks()`` streams its particles and is called once a pass.

    Parameters
    ----------
    blocks
        Returns an iterator over positions ``(n, 3)`` in ``[0, box]`` [Mpc/h] and masses ``(n,)``
        [Msun/h]. The adaptive kernel takes two passes: density, then deposit.
    n_particles
        Rough number of particles; sets the side of the density mesh.
    box_size_mpch, n_pixels, kernel
        Box, pixels a side, kernel.

    Returns
    -------
    SpeciesMap
        ``mass_map_msunh`` is the mean over the three projections.
    """
    grids = np.zeros((3, n_pixels, n_pixels))
    mesh = None
    if kernel == "adaptive":
        mesh = np.zeros((deposit.mesh_side(n_particles),) * 3, np.float32)
        for position, mass in blocks():
            deposit.deposit_mesh(position, mass, box_size_mpch, mesh)
    total = 0.0
    half_width = np.empty(0)
    for position, mass in blocks():
        total += float(mass.sum())
        if mesh is None:
            deposit.deposit_cic(position, mass, box_size_mpch, grids)
            continue
        if len(half_width) < len(mass):
            half_width = np.empty(len(mass))
        width = half_width[: len(mass)]
        deposit.tent_half_width(position, mass, box_size_mpch, mesh, n_pixels, width)
        deposit.deposit_tent(position, mass, width, box_size_mpch, grids)
    return SpeciesMap(grids, total, float(grids.sum(axis=(1, 2)).mean()))


def require_pair(dmo: Snapshot, hydro: Snapshot) -> float:
    """Check that two snapshots are of the same box, time and cosmology; return Omega_b.

    Raises
    ------
    DataError
        If they differ by more than 1e-4 (in 1+z for the redshift), or neither says Omega_b.
    """
    one, other = dmo.header, hydro.header
    facts = {
        "BoxSize": (one.box_size_mpch, other.box_size_mpch),
        "Redshift (1+z)": (1.0 + one.redshift, 1.0 + other.redshift),
        "Omega0": (one.omega_m, other.omega_m),
        "HubbleParam": (one.hubble_h, other.hubble_h),
    }
    # GADGET's dark-matter-only headers leave OmegaBaryon out or write zero
    if one.omega_b and other.omega_b:
        facts["OmegaBaryon"] = (one.omega_b, other.omega_b)
    for name, (expected, got) in facts.items():
        if not abs(got - expected) <= _AGREEMENT * abs(expected):
            raise DataError(
                f"{hydro.paths[0]}:Header/{name.split()[0]}",
                f"{name} = {expected:.8g} as in {dmo.paths[0]}",
                f"{got:.8g}",
                "The two must be twins: same box, phases, cosmology and output time.",
            )
    omega_b = other.omega_b or one.omega_b
    if not omega_b:
        raise DataError(
            f"{hydro.paths[0]}:Header", "attribute 'OmegaBaryon'", "none", "Add it to the header."
        )
    return omega_b


def _stream(
    parts: list[tuple[Snapshot, int, Selection]], block_particles: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    for snapshot, particle_type, select in parts:
        if snapshot.count(particle_type):
            yield from snapshot.blocks(particle_type, block_particles, select=select)
