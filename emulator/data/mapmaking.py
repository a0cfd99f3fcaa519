"""Make the maps file of one simulation: project its snapshots, add halos, parameters and sums."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulator.config import DataConfig, EmbeddedSuite, FilesSuite, set_of
from emulator.data.maps import SPECIES, checked_masses, context_pyramid
from emulator.io import DataError, write_dataset
from emulator.metadata import provenance
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

    from emulator.data.catalogs import Halos
    from emulator.data.snapshots import Snapshot

PROJECTIONS = ("x", "y", "z")

CONVENTIONS = (
    "mass per pixel through the whole box; projection p sums over axis p; y and x are the other "
    "two axes in increasing order; pixel i covers [i, i+1) * pixel_mpch; comoving lengths"
)

_CHUNK = 128


def project_simulation(
    suite: EmbeddedSuite | FilesSuite,
    data_config: DataConfig,
    root: str | Path,
    simulation: str,
    output: str | Path,
    *,
    redraw: int = 0,
) -> None:
    """Project one simulation and write its maps file.

    Parameters
    ----------
    suite
        Layout of the files.
    data_config
        Pixels, kernel, block size and context factors.
    root
        Folder above the layout.
    simulation
        Name, e.g. ``"CV_0"``.
    output
        The file to write; it appears only when it is complete.
    redraw
        Number of a re-drawn hydro outcome (1, 2, ...); 0 is the simulation's own.

    Raises
    ------
    DataError
        Anything missing or damaged in the inputs, snapshots that are no twins, parameters that
        contradict the snapshot, or mass that got lost.
    """
    # particle code needs numba, which those who only read maps should not wait for
    from emulator.data.catalogs import read_halos
    from emulator.data.projection import project_pair, require_pair
    from emulator.data.snapshots import open_snapshot

    dmo = open_snapshot(suite.path("dmo_snapshot", root, simulation))
    kind = "redrawn_snapshot" if redraw else "hydro_snapshot"
    hydro = open_snapshot(suite.path(kind, root, simulation, redraw))
    omega_b = require_pair(dmo, hydro)
    attrs = _identity(suite, simulation)
    attrs |= _parameter_attrs(suite, root, simulation, dmo)
    halos = read_halos(suite.path("dmo_catalogue", root, simulation))
    n_pixels = data_config.n_pixels
    fields = np.empty((3, len(SPECIES), n_pixels, n_pixels), np.float32)
    context = {}
    for species, result in project_pair(
        dmo,
        hydro,
        n_pixels=n_pixels,
        kernel=data_config.deposit,
        block_particles=data_config.block_particles,
    ):
        fields[:, SPECIES.index(species)] = result.maps
        attrs[f"mass_particles_{species}"] = result.mass_particles_msunh
        attrs[f"mass_map_{species}"] = result.mass_map_msunh
        if species == "dmo":
            context = context_pyramid(fields[:, 0], data_config.context_factors)
    attrs |= _box_attrs(dmo, n_pixels, omega_b)
    notice = hydro.notice or dmo.notice
    attrs |= {"notice": notice} if notice else {}
    attrs |= provenance(
        "project",
        simulation=simulation,
        redraw=redraw,
        snapshots=[_below(root, s.paths[0]) for s in (dmo, hydro)],
        deposit=data_config.deposit,
        n_pixels=n_pixels,
    )
    _write_maps(fields, context, halos, attrs, output)


def _identity(suite: EmbeddedSuite | FilesSuite, simulation: str) -> dict[str, Any]:
    run = [name for name, members in suite.runs().items() if simulation in members]
    if not run:
        raise DataError(f"suite {suite.name}", f"simulation {simulation!r}", "no such simulation")
    return {
        "suite": suite.name,
        "set": set_of(simulation),
        "simulation": simulation,
        "run": run[0],
        "conventions": CONVENTIONS,
    }


def _parameter_attrs(
    suite: EmbeddedSuite | FilesSuite, root: str | Path, simulation: str, dmo: "Snapshot"
) -> dict[str, str]:
    from emulator.data.parameters import canonical_name, match_ranges, read_parameters, read_ranges

    table = suite.path("parameters", root, simulation)
    range_table = suite.path("ranges", root, simulation)
    params = read_parameters(table, simulation)
    ranges = match_ranges(params, read_ranges(range_table), range_table)
    for name, value in params.items():
        # one shifted row in the table would otherwise mislabel every simulation of a set
        if canonical_name(name) == "Omega_m" and abs(value - dmo.header.omega_m) > 1e-3 * value:
            raise DataError(
                f"{table}:{simulation}:{name}",
                f"Omega0 of {dmo.paths[0]}, {dmo.header.omega_m:.6g}",
                f"{value:.6g}",
            )
    return {
        "params": json.dumps(params),
        "param_ranges": json.dumps({name: asdict(entry) for name, entry in ranges.items()}),
    }


def _box_attrs(dmo: "Snapshot", n_pixels: int, omega_b: float) -> dict[str, float]:
    header = dmo.header
    return {
        "box_size_mpch": header.box_size_mpch,
        "pixel_mpch": header.box_size_mpch / n_pixels,
        "depth_mpch": header.box_size_mpch,
        "redshift": header.redshift,
        "hubble_h": header.hubble_h,
        "omega_m": header.omega_m,
        "omega_b": omega_b,
    }


def _below(root: str | Path, path: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _write_maps(
    fields: NDArray[np.float32],
    context: Mapping[int, NDArray[np.float32]],
    halos: "Halos",
    attrs: Mapping[str, Any],
    output: str | Path,
) -> None:
    import xarray as xr

    mass = {"units": str(Unit.MASS_PER_PIXEL)}
    length = {"units": str(Unit.LENGTH)}
    centres = (np.arange(fields.shape[-1]) + 0.5) * attrs["pixel_mpch"]
    label = {"units": str(Unit.DIMENSIONLESS)}
    dataset = xr.Dataset(
        {
            "maps": (
                ("projection", "species", "y", "x"),
                checked_masses(fields, f"{output}:maps"),
                {**mass, "long_name": "projected mass"},
            ),
            "halo_position": (("halo", "axis"), halos.position_mpch, length),
            "halo_m200c": ("halo", halos.m200c_msunh, {"units": str(Unit.MASS)}),
            "halo_r200c": ("halo", halos.r200c_mpch, length),
            **{
                f"context_{f}": (
                    ("projection", f"y_{f}", f"x_{f}"),
                    values,
                    {**mass, "long_name": f"DMO mass, mean over {f} x {f} pixels"},
                )
                for f, values in context.items()
            },
        },
        coords={
            "projection": ("projection", list(PROJECTIONS), label),
            "species": ("species", list(SPECIES), label),
            "y": ("y", centres, length),
            "x": ("x", centres, length),
        },
        attrs=dict(attrs),
    )
    write_dataset(dataset, output, encoding=_encoding(dataset))


def _encoding(dataset: "xr.Dataset") -> dict[str, dict[str, Any]]:
    """Chunks of one window and one species, so that a lazy cutout reads little; no fill values."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "f":
            encoding[str(name)] = {"_FillValue": None}
        if name == "maps" or str(name).startswith("context_"):
            lead = (1,) * (variable.ndim - 2)
            sides = (min(_CHUNK, size) for size in variable.shape[-2:])
            encoding[str(name)]["chunksizes"] = (*lead, *sides)
    return encoding
