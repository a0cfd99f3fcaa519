"""Snapshots as a source of maps: a pair of simulations, projected, with halos and parameters."""

from pathlib import Path
from typing import Any

import numpy as np

from emulator.config import DataConfig, EmbeddedSuite, FilesSuite
from emulator.fields import SPECIES
from emulator.projection.pair import project_pair, projection_labels
from emulator.projection.pyramid import context_pyramid
from emulator.projection.twins import (
    require_halos_on_peaks,
    require_hydro_matter,
    require_mean_density,
    require_pair,
    require_same_matter,
    require_same_parameters,
    require_same_phases,
)
from emulator.readers.catalogs import read_halos
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import parameter_attrs, parameters_of
from emulator.readers.snapshots import Snapshot, open_snapshot
from emulator.suites.full_maps import FullMaps, below


def project_snapshots(
    suite: EmbeddedSuite | FilesSuite,
    data_config: DataConfig,
    root: str | Path,
    simulation: str,
    *,
    redraw: int = 0,
    workers: int = 1,
) -> FullMaps:
    """Project the pair of snapshots of one simulation.

    Parameters and errors are those of :func:`~emulator.suites.mapmaking.project_simulation`.
    """
    dmo = open_snapshot(suite.path("dmo_snapshot", root, simulation), suite.header)
    kind = "redrawn_snapshot" if redraw else "hydro_snapshot"
    hydro = open_snapshot(suite.path(kind, root, simulation, redraw), suite.header)
    omega_b = require_pair(dmo, hydro)
    attrs: dict[str, Any] = _parameters(suite, root, simulation, dmo, hydro)
    catalogue = suite.path("dmo_catalogue", root, simulation)
    halos = read_halos(catalogue, dmo.header)
    labels = projection_labels(data_config.slabs)
    n_pixels = data_config.n_pixels
    fields = np.empty((len(labels), len(SPECIES), n_pixels, n_pixels), np.float32)
    context = {}
    black_holes = suite.black_holes if isinstance(suite, FilesSuite) else "ignore"
    for species, result in project_pair(
        dmo,
        hydro,
        n_pixels=n_pixels,
        slabs=data_config.slabs,
        kernel=data_config.deposit,
        block_particles=data_config.block_particles,
        wind=suite.wind if isinstance(suite, FilesSuite) else "gas",
        black_holes=black_holes,
        scheduler=data_config.scheduler,
        workers=workers,
    ):
        fields[:, SPECIES.index(species)] = result.maps
        attrs[f"mass_particles_{species}"] = result.mass_particles_msunh
        attrs[f"mass_map_{species}"] = result.mass_map_msunh
        if species == "dmo":
            require_mean_density(dmo, result.mass_particles_msunh)
            along_z = result.maps.reshape(3, -1, n_pixels, n_pixels)[2].sum(axis=0)
            pixel = dmo.header.box_size_mpch / n_pixels
            require_halos_on_peaks(halos, along_z, pixel, str(catalogue))
            context = context_pyramid(fields[:, 0], data_config.context_factors)
        elif species == "dm_hydro":
            require_same_phases(fields[:, 0], result.maps, str(hydro.paths[0]))
    masses = {name: float(attrs[f"mass_particles_{name}"]) for name in SPECIES}
    require_hydro_matter(hydro, masses, black_holes, omega_b / dmo.header.omega_m)
    attrs |= {
        "box_size_mpch": dmo.header.box_size_mpch,
        "pixel_mpch": dmo.header.box_size_mpch / n_pixels,
        "depth_mpch": dmo.header.box_size_mpch / data_config.slabs,
        "periodic": 1,
        "redshift": dmo.header.redshift,
        "hubble_h": dmo.header.hubble_h,
        "omega_m": dmo.header.omega_m,
        "omega_b": omega_b,
        "deposit": data_config.deposit,
    }
    if isinstance(suite, FilesSuite):
        attrs |= {"black_holes": suite.black_holes, "wind": suite.wind}
    notice = hydro.notice or dmo.notice
    return FullMaps(
        fields=fields,
        projections=labels,
        context=context,
        halos=halos,
        attrs=attrs | ({"notice": notice} if notice else {}),
        sources=tuple(below(root, snapshot.paths[0]) for snapshot in (dmo, hydro)),
    )


def _parameters(
    suite: EmbeddedSuite | FilesSuite,
    root: str | Path,
    simulation: str,
    dmo: Snapshot,
    hydro: Snapshot,
) -> dict[str, str]:
    table = suite.path("parameters", root, simulation)
    names = suite.parameter_names if isinstance(suite, FilesSuite) else None
    params = parameters_of(read_table(table, names), simulation)
    require_same_matter(params, dmo, f"{table}:{simulation}")
    require_same_parameters(params, hydro, f"{table}:{simulation}")
    return parameter_attrs(params, suite.path("ranges", root, simulation))
