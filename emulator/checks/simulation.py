"""Inspection of one simulation: every file opened, and, if asked, every particle read."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.checks.findings import Inspection, Level
from emulator.config import (
    DataConfig,
    EmbeddedSuite,
    FilesSuite,
    HeaderFacts,
    MultifieldSuite,
    SamplesSuite,
    SuiteConfig,
)
from emulator.data.catalogs import Halos, read_halos
from emulator.data.parameters import match_ranges, read_parameters, read_ranges, read_seed
from emulator.data.projection import project_pair
from emulator.data.snapshots import DARK_MATTER, Snapshot, open_snapshot
from emulator.data.twins import (
    require_halos_on_peaks,
    require_mean_density,
    require_pair,
    require_same_phases,
)

COARSE_PIXELS = 64
"""Pixels a side of the maps that reading all particles makes."""

_MASS_AGREEMENT = 0.05
_SPECIES_OF_HYDRO = ("dm_hydro", "gas", "stars")


def inspect_simulation(
    suite: SuiteConfig,
    data_config: DataConfig,
    root: str | Path,
    simulation: str,
    *,
    particles: bool,
) -> Inspection:
    """Open the files of one simulation and check them against each other.

    Parameters
    ----------
    suite, data_config
        Sections of the config.
    root
        Folder above the files.
    simulation
        Its name.
    particles
        Also read all particles (or all values of ready maps and windows).

    Returns
    -------
    Inspection
        Nothing that a reader refuses is raised: it is a finding.
    """
    found = Inspection(simulation)
    if isinstance(suite, EmbeddedSuite | FilesSuite):
        _inspect_snapshots(found, suite, root, particles=particles)
        return found
    missing = [path for path in suite.inputs(root, simulation) if not path.is_file()]
    for path in missing:
        found.add(Level.ERROR, "files", f"{path}: expected a file, got no such file")
    if isinstance(suite, MultifieldSuite):
        _inspect_parameters(found, suite, root)
    if particles and not missing:
        found.attempt("values", partial(_read_ready, suite, data_config, root, simulation))
    return found


def _read_ready(
    suite: MultifieldSuite | SamplesSuite, data_config: DataConfig, root: str | Path, name: str
) -> None:
    from emulator.data.multifield import read_multifield
    from emulator.data.samples import read_samples

    if isinstance(suite, MultifieldSuite):
        read_multifield(suite, data_config, root, name)
    else:
        read_samples(suite, data_config, root, name)


def _inspect_snapshots(
    found: Inspection, suite: EmbeddedSuite | FilesSuite, root: str | Path, *, particles: bool
) -> None:
    facts = suite.header if isinstance(suite, FilesSuite) else HeaderFacts()
    dmo, hydro = (
        found.attempt(
            kind.replace("_", " "),
            partial(open_snapshot, suite.path(kind, root, found.simulation), facts),
        )
        for kind in ("dmo_snapshot", "hydro_snapshot")
    )
    omega_m = _inspect_parameters(found, suite, root)
    for name, snapshot in (("dmo", dmo), ("hydro", hydro)):
        if snapshot is not None:
            found.facts[name] = _snapshot_facts(snapshot)
    if dmo is None:
        return
    if omega_m is not None and abs(omega_m - dmo.header.omega_m) > 1e-3 * omega_m:
        found.add(
            Level.ERROR,
            "parameters",
            f"{dmo.paths[0]}: expected Omega_m = {omega_m:g} as in the parameter table, "
            f"got {dmo.header.omega_m:g}",
        )
    path = suite.path("dmo_catalogue", root, found.simulation)
    halos = found.attempt("catalogue", partial(read_halos, path, dmo.header))
    if halos is not None:
        found.facts["halos"] = _halo_facts(halos)
    if hydro is None or found.attempt("pair", partial(require_pair, dmo, hydro)) is None:
        return
    if particles:
        found.attempt("particles", partial(_read_particles, found, suite, dmo, hydro, halos, path))


def _read_particles(
    found: Inspection,
    suite: EmbeddedSuite | FilesSuite,
    dmo: Snapshot,
    hydro: Snapshot,
    halos: Halos | None,
    catalogue: Path,
) -> None:
    """A coarse projection: it meets every fault that the projection itself would meet."""
    options: dict[str, Any] = {}
    if isinstance(suite, FilesSuite):
        options = {"wind": suite.wind, "black_holes": suite.black_holes}
    masses: dict[str, float] = {}
    dmo_maps: NDArray[np.float64] | None = None
    for species, result in project_pair(
        dmo, hydro, n_pixels=COARSE_PIXELS, kernel="cic", block_particles=1_048_576, **options
    ):
        masses[species] = result.mass_particles_msunh
        if species == "dmo":
            dmo_maps = result.maps
            require_mean_density(dmo, masses["dmo"])
            if halos is not None:
                pixel = dmo.header.box_size_mpch / COARSE_PIXELS
                require_halos_on_peaks(halos, dmo_maps[2], pixel, str(catalogue))
        elif species == "dm_hydro" and dmo_maps is not None:
            require_same_phases(dmo_maps, result.maps, str(hydro.paths[0]))
    found.facts["mass_msunh"] = masses
    ratio = sum(masses[name] for name in _SPECIES_OF_HYDRO) / masses["dmo"]
    if not abs(ratio - 1.0) <= _MASS_AGREEMENT:
        found.add(
            Level.ERROR,
            "mass",
            f"{hydro.paths[0]}: expected the matter of the dark-matter-only twin, "
            f"{masses['dmo']:.4g} Msun/h to {_MASS_AGREEMENT:.0%}, got {ratio:.4g} times that",
        )


def _inspect_parameters(
    found: Inspection, suite: EmbeddedSuite | FilesSuite | MultifieldSuite, root: str | Path
) -> float | None:
    """Parameters and their ranges; returns Omega_m."""
    table = suite.path("parameters", root, found.simulation)
    names = None if isinstance(suite, EmbeddedSuite) else suite.parameter_names
    params = found.attempt(
        "parameters", partial(read_parameters, table, found.simulation, names=names)
    )
    if params is None:
        return None
    found.facts["params"] = params
    found.facts["seed"] = read_seed(table, found.simulation) if names is None else None
    path = suite.path("ranges", root, found.simulation)
    ranges = found.attempt("ranges", lambda: match_ranges(params, read_ranges(path), path))
    for name, entry in (ranges or {}).items():
        if not entry.min <= params[name] <= entry.max:
            found.add(
                Level.WARNING,
                f"range of {name}",
                f"{table}:{found.simulation}:{name}: {params[name]:g} is outside "
                f"[{entry.min:g}, {entry.max:g}] of {path.name}",
            )
    return params.get("Omega_m", params.get("Omega0"))


def _snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    header = snapshot.header
    table = header.mass_table_msunh
    counts = header.counts or ()
    spacing = None
    if snapshot.count(DARK_MATTER):
        spacing = header.box_size_mpch / snapshot.count(DARK_MATTER) ** (1.0 / 3.0)
    return {
        "files": len(snapshot.paths),
        "box_size_mpch": header.box_size_mpch,
        "redshift": header.redshift,
        "omega_m": header.omega_m,
        "omega_b": header.omega_b,
        "hubble_h": header.hubble_h,
        "length_unit_mpch": header.length_mpch,
        "mass_unit_msunh": header.mass_msunh,
        "particles": {str(kind): count for kind, count in enumerate(counts) if count},
        "mass_table_msunh": {str(kind): mass for kind, mass in enumerate(table) if mass},
        "dark_matter_spacing_mpch": spacing,
    }


def _halo_facts(halos: Halos) -> dict[str, Any]:
    mass = halos.m200c_msunh
    return {
        "count": len(mass),
        "least_msunh": float(mass.min()) if len(mass) else None,
        "most_msunh": float(mass.max()) if len(mass) else None,
    }
