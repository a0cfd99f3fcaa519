"""Inspection of a pair of snapshots, or of a dark-matter-only one: every file opened.

If asked, every particle is read, too.
"""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from emulator.config import DataConfig
from emulator.fields import Field, of_dark_matter_alone
from emulator.projection.blocks import read_blocks
from emulator.projection.pair import parts_by_kind, parts_for
from emulator.projection.twins import (
    require_alone,
    require_mean_density,
    require_pair,
    require_same_matter,
)
from emulator.readers.catalogs import Halos
from emulator.readers.headers import LENGTHS, MASSES, FileUnit, scale
from emulator.readers.snapshots import DARK_MATTER, Snapshot, open_snapshot
from emulator.suites.dmo_maps import catalogue_of, halos_of
from emulator.suites.findings import Inspection
from emulator.suites.outputs import require_stated_redshift
from emulator.suites.particles import inspect_dmo, inspect_hydro
from emulator.suites.table_checks import inspect_parameters
from emulator.units import CRITICAL_DENSITY


def inspect_pair(
    config: Any, root: str | Path, data: DataConfig, simulation: str, *, particles: bool
) -> Inspection:
    """Open the files of one pair; if asked, read every particle.

    ``config`` is the section of a suite of snapshots.
    """
    found = Inspection(simulation)
    alone = of_dark_matter_alone(data.targets)
    hydro = _inspect_snapshots(found, config, root, particles=particles, alone=alone)
    if hydro is not None:
        for field in data.targets:
            found.attempt(f"field {field.name}", partial(require_properties, hydro, field))
    return found


def require_properties(hydro: Snapshot, field: Field) -> None:
    """Check that particles have the property that a field is made of, on one particle of each part.

    Raises
    ------
    DataError
        A property that is missing, or is none.
    """
    if field.adds_up:
        return
    for part in parts_for(field, parts_by_kind(hydro, wind="gas", black_holes="ignore")):
        first, _ = part.split_at(1)
        for _ in read_blocks(first, 1, mean_of=field.mean_of, sum_of=field.sum_of):
            pass


def _inspect_snapshots(
    found: Inspection, config: Any, root: str | Path, *, particles: bool, alone: bool
) -> Snapshot | None:
    dmo, hydro = (
        None
        if kind in config.layout.absent
        else found.attempt(
            kind.replace("_", " "),
            partial(open_snapshot, config.path(kind, root, found.simulation), config.header),
        )
        for kind in ("dmo_snapshot", "hydro_snapshot")
    )
    params = inspect_parameters(found, config, root)
    for name, snapshot in (("dmo", dmo), ("hydro", hydro)):
        if snapshot is not None:
            found.facts[name] = _snapshot_facts(snapshot)
    if dmo is None:
        return hydro
    stated = partial(require_stated_redshift, config, found.simulation, dmo)
    found.attempt("redshift", stated)
    mass = found.facts["dmo"]["dark_matter_msunh"]
    if mass is not None:
        found.attempt("density", partial(require_mean_density, dmo, mass))
    table = config.path("parameters", root, found.simulation)
    where = f"{table}:{found.simulation}"
    found.attempt("parameters", partial(require_same_matter, params, dmo, where))
    if not config.has_twins:
        found.attempt("target", partial(require_alone, dmo))
    path = catalogue_of(config, Path(root), found.simulation)
    halos = found.attempt("catalogue", partial(halos_of, path, dmo))
    if halos is not None and path is not None:
        found.facts["halos"] = _halo_facts(halos)
    are_twins = hydro is not None and _are_twins(found, dmo, hydro)
    if particles:
        dmo_maps = inspect_dmo(found, dmo, halos, str(path))
        if hydro is not None:
            inspect_hydro(found, hydro, dmo_maps if are_twins else None, alone=alone)
    return hydro


def _are_twins(found: Inspection, dmo: Snapshot, hydro: Snapshot) -> bool:
    # a density that is wrong has been told already, and is the first thing to mend
    if any(finding.subject == "density" for finding in found.findings):
        return False
    return found.attempt("pair", partial(require_pair, dmo, hydro)) is not None


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
