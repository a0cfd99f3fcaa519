"""Maps of dark-matter-only snapshots: the part of a pair that is given, or all there is."""

from pathlib import Path
from typing import Any

import numpy as np

from emulator.config import DataConfig
from emulator.domain import matter_of
from emulator.fields import CONDITION
from emulator.io import DataError
from emulator.projection.blocks import parts_of
from emulator.projection.pair import SpeciesMap, project_field, projection_labels
from emulator.projection.pyramid import context_pyramid
from emulator.projection.twins import (
    require_alone,
    require_halos_on_peaks,
    require_mean_density,
    require_same_matter,
    sums_along_axes,
)
from emulator.readers.catalogs import Halos, read_halos
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import range_attrs
from emulator.readers.snapshots import DARK_MATTER, Snapshot, open_snapshot
from emulator.suites.full_maps import FullMaps, below
from emulator.suites.outputs import output_parameters, output_ranges, require_stated_redshift


def project_alone(
    config: Any, root: Path, data: DataConfig, simulation: str, *, redraw: int, workers: int
) -> FullMaps:
    """Project one dark-matter-only snapshot that has no twin: a target to be painted.

    ``config`` is the section of a suite of snapshots; the rest, and errors, are those of
    :meth:`emulator.suites.base.Suite.read_maps`.
    """
    path = config.path("dmo_snapshot", root, simulation)
    if redraw:
        raise DataError(
            path, "a hydrodynamic twin whose baryons are re-drawn", "none",
            "suite.layout.hydro_snapshot is null: leave --redraw-baryons out.",
        )  # fmt: skip
    dmo = open_snapshot(path, config.header)
    require_stated_redshift(config, simulation, dmo)
    omega_b = require_alone(dmo)
    table = config.path("parameters", root, simulation)
    params = output_parameters(config, read_table(table, config.parameter_names), simulation)
    ranges = output_ranges(config, params, config.path("ranges", root, simulation))
    require_same_matter(params, dmo, f"{table}:{simulation}")
    catalogue = catalogue_of(config, root, simulation)
    halos = halos_of(catalogue, dmo)
    result = project_field(
        CONDITION,
        parts_of(dmo, DARK_MATTER),
        f"{dmo.paths[0]}:PartType{DARK_MATTER}",
        n_pixels=data.n_pixels,
        slabs=data.slabs,
        dimensions=data.dimensions,
        kernel=data.deposit,
        block_particles=data.block_particles,
        scheduler=data.scheduler,
        workers=workers,
    )
    require_whole(dmo, result, halos, str(catalogue))
    values = result.maps.astype(np.float32)[:, None]
    return FullMaps(
        values=values,
        fields=(),
        projections=projection_labels(data.slabs, data.dimensions),
        context=context_pyramid(values[:, 0], data.context_factors),
        halos=halos,
        domain=matter_of(data.dimensions),
        attrs={
            **range_attrs(params, ranges),
            f"mass_particles_{CONDITION.name}": result.mass_particles_msunh,
            f"mass_map_{CONDITION.name}": result.mass_map_msunh,
            **facts_of_box(dmo, data, omega_b),
            **({"notice": dmo.notice} if dmo.notice else {}),
        },
        sources=(below(root, dmo.paths[0]),),
    )


def catalogue_of(config: Any, root: Path, simulation: str) -> Path | None:
    """Catalogue of a dark-matter-only run; None where the suite has none."""
    if "dmo_catalogue" in config.layout.absent:
        return None
    path: Path = config.path("dmo_catalogue", root, simulation)
    return path


def halos_of(catalogue: Path | None, dmo: Snapshot) -> Halos:
    """Halos of a catalogue; none where there is no catalogue."""
    if catalogue is None:
        return Halos(np.empty((0, 3)), np.empty(0), np.empty(0))
    return read_halos(catalogue, dmo.header)


def require_whole(dmo: Snapshot, result: SpeciesMap, halos: Halos, where: str) -> None:
    """Check that maps hold the matter of the box, and halos lie on their peaks.

    Raises
    ------
    DataError
        See :mod:`emulator.projection.twins`; ``where`` names the catalogue.
    """
    require_mean_density(dmo, result.mass_particles_msunh)
    n_pixels = result.maps.shape[-1]
    along_axes = sums_along_axes(result.maps)
    along_z = along_axes.reshape(3, -1, n_pixels, n_pixels)[2].sum(axis=0)
    require_halos_on_peaks(halos, along_z, dmo.header.box_size_mpch / n_pixels, where)


def facts_of_box(dmo: Snapshot, data: DataConfig, omega_b: float) -> dict[str, Any]:
    """Attributes of a maps file that say what its box is."""
    header = dmo.header
    return {
        "box_size_mpch": header.box_size_mpch,
        "pixel_mpch": header.box_size_mpch / data.n_pixels,
        "depth_mpch": header.box_size_mpch / data.n_layers,
        "periodic": 1,
        "redshift": header.redshift,
        "hubble_h": header.hubble_h,
        "omega_m": header.omega_m,
        "omega_b": omega_b,
        "deposit": data.deposit,
    }
