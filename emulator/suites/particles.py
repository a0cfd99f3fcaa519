"""Particles: every one of a pair is read, onto coarse maps that show whether the files are twins.

Each kind is read whatever became of the others, so that one damaged dataset hides no other.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from emulator.projection.blocks import parts_of
from emulator.projection.pair import SpeciesMap, project_species
from emulator.projection.twins import (
    require_halos_on_peaks,
    require_hydro_matter,
    require_mean_density,
    require_same_phases,
)
from emulator.readers.catalogs import Halos
from emulator.readers.snapshots import BLACK_HOLES, DARK_MATTER, GAS, STARS, Snapshot
from emulator.suites.findings import Inspection, Level

COARSE_PIXELS = 64
"""Pixels a side of the maps."""

_BLOCK_PARTICLES = 1_048_576
_HYDRO_TYPES = {"dm_hydro": DARK_MATTER, "gas": GAS, "stars": STARS, "black_holes": BLACK_HOLES}
_ALONE_TYPES = {"dm_fine": DARK_MATTER}
_MAY_BE_NONE = ("stars", "black_holes")


def inspect_dmo(
    found: Inspection, dmo: Snapshot, halos: Halos | None, catalogue: str
) -> NDArray[np.float64] | None:
    """Read the dark-matter-only particles: their values, their density, and halos on their peaks.

    Returns
    -------
    Maps ``(3, y, x)`` [Msun/h per pixel], or ``None`` where they cannot be read.
    """
    result = _read(found, "dmo", dmo, DARK_MATTER)
    if result is None:
        return None
    found.facts["mass_msunh"] = {"dmo": result.mass_particles_msunh}
    # where the header gives the masses, it has told the density already
    if found.facts["dmo"]["dark_matter_msunh"] is None:
        found.attempt("density", partial(require_mean_density, dmo, result.mass_particles_msunh))
    if halos is not None:
        pixel = dmo.header.box_size_mpch / COARSE_PIXELS
        peaks = partial(require_halos_on_peaks, halos, result.maps[2], pixel, catalogue)
        found.attempt("halos", peaks)
    return result.maps


def inspect_hydro(
    found: Inspection, hydro: Snapshot, dmo_maps: NDArray[np.float64] | None, *, alone: bool = False
) -> None:
    """Read the hydrodynamic particles: their values, and phases and mass of the other twin.

    Parameters
    ----------
    found
        Where facts and findings go.
    hydro
        The snapshot; tracers are not read.
    dmo_maps
        Of the twin, from :func:`inspect_dmo`; ``None`` if there is nothing to compare with.
    alone
        Whether it is a run of dark matter alone: gas in it is matter that its fields leave out.
    """
    types = _ALONE_TYPES if alone else _HYDRO_TYPES
    results = {name: _read(found, name, hydro, kind) for name, kind in types.items()}
    masses = {name: r.mass_particles_msunh for name, r in results.items() if r is not None}
    found.facts.setdefault("mass_msunh", {}).update(masses)
    dark = next(result for name, result in results.items() if types[name] == DARK_MATTER)
    if dmo_maps is None or dark is None:
        return
    phases = partial(require_same_phases, dmo_maps, dark.maps, str(hydro.paths[0]))
    found.attempt("phases", phases)
    header = found.facts["hydro"]
    omega_b = header["omega_b"] or found.facts["dmo"]["omega_b"]
    if len(masses) == len(types) and omega_b:
        masses["dmo"] = found.facts["mass_msunh"]["dmo"]
        fraction = omega_b / header["omega_m"]
        found.attempt("mass", partial(require_hydro_matter, hydro, masses, "ignore", fraction))


def _read(
    found: Inspection, name: str, snapshot: Snapshot, particle_type: int
) -> SpeciesMap | None:
    parts = parts_of(snapshot, particle_type)
    if not parts and name not in _MAY_BE_NONE:
        where = f"{snapshot.paths[0]}:PartType{particle_type}"
        found.add(Level.ERROR, f"particles ({name})", f"{where}: expected particles, got none")
        return None
    project = partial(
        project_species,
        parts,
        n_pixels=COARSE_PIXELS,
        kernel="cic",
        block_particles=_BLOCK_PARTICLES,
    )
    return found.attempt(f"particles ({name})", project)
