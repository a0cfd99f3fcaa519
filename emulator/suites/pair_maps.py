"""Maps of a pair of snapshots: a simulation and its dark-matter-only twin, projected."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emulator.config import DataConfig
from emulator.fields import CONDITION, Field, of_dark_matter_alone
from emulator.projection.blocks import Part, mass_of_parts, parts_of
from emulator.projection.pair import (
    PARTICLE_TYPES,
    SpeciesMap,
    parts_by_kind,
    parts_for,
    project_field,
    project_species,
    projection_labels,
)
from emulator.projection.pyramid import context_pyramid
from emulator.projection.twins import (
    require_hydro_matter,
    require_pair,
    require_same_matter,
    require_same_parameters,
    require_same_phases,
)
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import range_attrs
from emulator.readers.snapshots import DARK_MATTER, Snapshot, open_snapshot
from emulator.suites.dmo_maps import catalogue_of, facts_of_box, halos_of, require_whole
from emulator.suites.full_maps import FullMaps, below
from emulator.suites.outputs import output_parameters, output_ranges, require_stated_redshift

PROBE_PARTICLES = 2_000_000

MATTER = {"dark_matter": "dm_hydro", "gas": "gas", "stars": "stars"}
"""Kinds of particles that make up matter, and what checks call them."""

MATTER_ALONE = {"dark_matter": "dm_fine"}
"""The same of a run of dark matter alone."""


class Pair(NamedTuple):
    """Snapshots of one simulation and of its twin, and the particles of the first by kind."""

    dmo: Snapshot
    hydro: Snapshot
    kinds: Mapping[str, list[Part]]

    def parts(self, field: Field) -> list[Part]:
        """Particles that a field is made from."""
        if field.run == "dmo":
            return parts_of(self.dmo, DARK_MATTER)
        return parts_for(field, self.kinds)

    def where(self, field: Field) -> str:
        """File and group of a field's particles, for messages."""
        path = (self.dmo if field.run == "dmo" else self.hydro).paths[0]
        return f"{path}:PartType{PARTICLE_TYPES[field.particles[0]]}"


def project_pair(
    config: Any, root: Path, data: DataConfig, simulation: str, *, redraw: int, workers: int
) -> FullMaps:
    """Project the pair of snapshots of one simulation.

    ``config`` is the section of a suite of snapshots; the rest, and errors, are those of
    :meth:`emulator.suites.base.Suite.read_maps`.
    """
    n_pixels = data.n_pixels
    black_holes = getattr(config, "black_holes", "ignore")
    pair = _open(config, root, simulation, redraw)
    dmo, hydro, _ = pair
    require_stated_redshift(config, simulation, dmo)
    omega_b = require_pair(dmo, hydro)
    attrs: dict[str, Any] = _parameters(config, root, simulation, dmo, hydro)
    catalogue = catalogue_of(config, root, simulation)
    halos = halos_of(catalogue, dmo)
    labels, fields = projection_labels(data.slabs), (CONDITION, *data.targets)
    values = np.empty((len(labels), len(fields), n_pixels, n_pixels), np.float32)
    masses: dict[str, float] = {}
    for index, field in enumerate(fields):
        result = _project(field, pair, data, workers)
        values[:, index] = result.maps
        if field.adds_up:
            masses[field.name] = result.mass_particles_msunh
            attrs[f"mass_particles_{field.name}"] = result.mass_particles_msunh
            attrs[f"mass_map_{field.name}"] = result.mass_map_msunh
        if field is CONDITION:
            require_whole(dmo, result, halos, str(catalogue))
        elif field.adds_up and field.particles == ("dark_matter",):
            require_same_phases(values[:, 0], result.maps, str(hydro.paths[0]))
    matter = _matter(pair, data.targets, masses)
    require_hydro_matter(hydro, matter, black_holes, omega_b / dmo.header.omega_m)
    attrs |= facts_of_box(dmo, data, omega_b)
    # what the config decides about particles, for the record
    choices = ("black_holes", "wind")
    attrs |= {name: getattr(config, name) for name in choices if hasattr(config, name)}
    notice = hydro.notice or dmo.notice
    return FullMaps(
        values=values,
        fields=data.targets,
        projections=labels,
        context=context_pyramid(values[:, 0], data.context_factors),
        halos=halos,
        attrs=attrs | ({"notice": notice} if notice else {}),
        sources=tuple(below(root, snapshot.paths[0]) for snapshot in (dmo, hydro)),
    )


def projection_rate(dmo: Snapshot, data: DataConfig) -> float:
    """Particles that a core projects in a second, from the first ones of a snapshot.

    Raises
    ------
    DataError
        What is wrong with this snapshot.
    """
    part, _ = parts_of(dmo, DARK_MATTER)[0].split_at(PROBE_PARTICLES)
    seconds = 0.0
    for probed in (part.split_at(1)[0], part):  # the first call compiles
        start = time.perf_counter()
        project_species(
            [probed],
            n_pixels=data.n_pixels,
            slabs=data.slabs,
            kernel=data.deposit,
            block_particles=data.block_particles,
        )
        seconds = time.perf_counter() - start
    return len(part) / seconds


def _open(config: Any, root: Path, simulation: str, redraw: int) -> Pair:
    dmo = open_snapshot(config.path("dmo_snapshot", root, simulation), config.header)
    kind = "redrawn_snapshot" if redraw else "hydro_snapshot"
    hydro = open_snapshot(config.path(kind, root, simulation, redraw), config.header)
    kinds = parts_by_kind(
        hydro,
        wind=getattr(config, "wind", "gas"),
        black_holes=getattr(config, "black_holes", "ignore"),
    )
    return Pair(dmo, hydro, kinds)


def _project(field: Field, pair: Pair, data: DataConfig, workers: int) -> SpeciesMap:
    return project_field(
        field,
        pair.parts(field),
        pair.where(field),
        n_pixels=data.n_pixels,
        slabs=data.slabs,
        kernel=data.deposit,
        block_particles=data.block_particles,
        scheduler=data.scheduler,
        workers=workers,
    )


def _matter(pair: Pair, fields: Sequence[Field], masses: Mapping[str, float]) -> dict[str, float]:
    """Mass of each kind of particle: that of its field, or read if no field is just that."""
    own = {f.particles[0]: masses[f.name] for f in fields if f.adds_up and len(f.particles) == 1}
    names = MATTER_ALONE if of_dark_matter_alone(fields) else MATTER
    return {"dmo": masses[CONDITION.name]} | {
        name: own[kind] if kind in own else mass_of_parts(pair.kinds[kind])
        for kind, name in names.items()
    }


def _parameters(
    config: Any, root: Path, simulation: str, dmo: Snapshot, hydro: Snapshot
) -> dict[str, str]:
    table = config.path("parameters", root, simulation)
    params = output_parameters(config, read_table(table, config.parameter_names), simulation)
    require_same_matter(params, dmo, f"{table}:{simulation}")
    require_same_parameters(params, hydro, f"{table}:{simulation}")
    ranges = output_ranges(config, params, config.path("ranges", root, simulation))
    return range_attrs(params, ranges)
