"""Inspection of one simulation: every file opened, and, if asked, every particle read."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from emulator.checks.findings import Inspection, Level
from emulator.checks.particles import inspect_dmo, inspect_hydro
from emulator.config import (
    DataConfig,
    EmbeddedSuite,
    FilesSuite,
    MultifieldSuite,
    SamplesSuite,
    SuiteConfig,
)
from emulator.projection.twins import require_mean_density, require_pair, require_same_matter
from emulator.readers.catalogs import Halos, read_halos
from emulator.readers.headers import LENGTHS, MASSES, FileUnit, scale
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import match_ranges, parameters_of, read_ranges, seed_of
from emulator.readers.snapshots import DARK_MATTER, Snapshot, open_snapshot
from emulator.units import CRITICAL_DENSITY


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
    inputs = suite.inputs(root, simulation)
    if isinstance(suite, SamplesSuite):
        # all but the table of ranges
        found.facts["windows"] = len(inputs) - 1
        if len(inputs) == 1:
            pattern = suite.path("samples", root, simulation)
            found.add(Level.ERROR, "files", f"{pattern}: expected windows, got no such file")
    missing = [path for path in inputs if not path.is_file()]
    for path in missing:
        found.add(Level.ERROR, "files", f"{path}: expected a file, got no such file")
    if isinstance(suite, MultifieldSuite):
        _inspect_parameters(found, suite, root)
    if particles and not found.findings:
        found.attempt("values", partial(_read_ready, suite, data_config, root, simulation))
    return found


def _read_ready(
    suite: MultifieldSuite | SamplesSuite, data_config: DataConfig, root: str | Path, name: str
) -> None:
    from emulator.suites.multifield import read_multifield
    from emulator.suites.samples import read_samples

    if isinstance(suite, MultifieldSuite):
        read_multifield(suite, data_config, root, name)
    else:
        read_samples(suite, data_config, root, name)


def _inspect_snapshots(
    found: Inspection, suite: EmbeddedSuite | FilesSuite, root: str | Path, *, particles: bool
) -> None:
    dmo, hydro = (
        found.attempt(
            kind.replace("_", " "),
            partial(open_snapshot, suite.path(kind, root, found.simulation), suite.header),
        )
        for kind in ("dmo_snapshot", "hydro_snapshot")
    )
    params = _inspect_parameters(found, suite, root)
    for name, snapshot in (("dmo", dmo), ("hydro", hydro)):
        if snapshot is not None:
            found.facts[name] = _snapshot_facts(snapshot)
    if dmo is None:
        return
    mass = found.facts["dmo"]["dark_matter_msunh"]
    if mass is not None:
        found.attempt("density", partial(require_mean_density, dmo, mass))
    table = suite.path("parameters", root, found.simulation)
    where = f"{table}:{found.simulation}"
    found.attempt("parameters", partial(require_same_matter, params, dmo, where))
    path = suite.path("dmo_catalogue", root, found.simulation)
    halos = found.attempt("catalogue", partial(read_halos, path, dmo.header))
    if halos is not None:
        found.facts["halos"] = _halo_facts(halos)
    are_twins = hydro is not None and _are_twins(found, dmo, hydro)
    if particles:
        dmo_maps = inspect_dmo(found, dmo, halos, path)
        if hydro is not None:
            inspect_hydro(found, hydro, dmo_maps if are_twins else None)


def _are_twins(found: Inspection, dmo: Snapshot, hydro: Snapshot) -> bool:
    # a density that is wrong has been told already, and is the first thing to mend
    if any(finding.subject == "density" for finding in found.findings):
        return False
    return found.attempt("pair", partial(require_pair, dmo, hydro)) is not None


def _inspect_parameters(
    found: Inspection, suite: EmbeddedSuite | FilesSuite | MultifieldSuite, root: str | Path
) -> Mapping[str, float]:
    """Parameters and their ranges; no parameters if they cannot be read."""
    table = suite.path("parameters", root, found.simulation)
    names = None if isinstance(suite, EmbeddedSuite) else suite.parameter_names
    read = found.attempt("parameters", partial(read_table, table, names))
    params = read and found.attempt("parameters", partial(parameters_of, read, found.simulation))
    if read is None or params is None:
        return {}
    found.facts["params"] = params
    found.facts["seed"] = found.attempt("seed", partial(seed_of, read, found.simulation))
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
    return params


def _snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    header = snapshot.header
    table = header.mass_table_msunh
    counts = header.counts or ()
    spacing = mass = None
    count = snapshot.count(DARK_MATTER)
    if count:
        spacing = header.box_size_mpch / count ** (1.0 / 3.0)
        if len(table) > DARK_MATTER and table[DARK_MATTER] > 0:
            mass = count * table[DARK_MATTER]
    matter = header.omega_m * CRITICAL_DENSITY * header.box_size_mpch**3
    return {
        "files": len(snapshot.paths),
        "box_size_mpch": header.box_size_mpch,
        "redshift": header.redshift,
        "omega_m": header.omega_m,
        "omega_b": header.omega_b,
        "hubble_h": header.hubble_h,
        "length_unit": _unit(LENGTHS, header.length_mpch, header.hubble_h),
        "mass_unit": _unit(MASSES, header.mass_msunh, header.hubble_h),
        "length_unit_mpch": header.length_mpch,
        "mass_unit_msunh": header.mass_msunh,
        "particles": {str(kind): count for kind, count in enumerate(counts) if count},
        "mass_table_msunh": {str(kind): mass for kind, mass in enumerate(table) if mass},
        "dark_matter_spacing_mpch": spacing,
        "dark_matter_msunh": mass,
        "matter_of_the_box_msunh": matter,
    }


def _unit(names: Mapping[str, FileUnit], value: float, hubble_h: float) -> str | None:
    """Label of a unit; ``None`` for one that has none."""
    same = (name for name, unit in names.items() if math.isclose(value, scale(unit, hubble_h)))
    return next(same, None)


def _halo_facts(halos: Halos) -> dict[str, Any]:
    mass = halos.m200c_msunh
    return {
        "count": len(mass),
        "least_msunh": float(mass.min()) if len(mass) else None,
        "most_msunh": float(mass.max()) if len(mass) else None,
    }
