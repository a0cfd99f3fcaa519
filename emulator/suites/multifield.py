r"""Ready maps in the form of the CAMELS Multifield Dataset as a source of maps.

One ``.npy`` file a field and set holds surface densities ``(map, y, x)`` [(Msun/h) / (Mpc/h)^2] of
thin slabs; map ``i`` belongs to simulation ``i // maps_per_simulation``. A mass a pixel is

.. math:: M = \Sigma\, (L / n)^2

with box side :math:`L` and :math:`n` pixels. The field ``dmo`` is the total matter of the N-body
twin (``Mtot`` of ``Nbody``), ``dm_hydro`` the dark matter of the hydrodynamic run (``Mcdm``). The
dataset says neither which axis a map sums over nor which slab it is, so projections are labelled by
their number, and there are no halos.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.config import DataConfig, MultifieldSuite
from emulator.fields import CONDITION, Field
from emulator.io import DataError, checked_values, is_archive, open_arrays
from emulator.projection.budget import require_shares_of_matter
from emulator.projection.pyramid import context_pyramid, mean_masses
from emulator.readers.catalogs import Halos
from emulator.readers.parameter_table import canonical_name, read_table
from emulator.readers.parameters import (
    match_ranges,
    parameter_attrs,
    parameters_of,
    read_ranges,
    require_possible_parameters,
)
from emulator.suites.base import Probe
from emulator.suites.existing import ExistingSuite
from emulator.suites.findings import Inspection
from emulator.suites.full_maps import FullMaps, below
from emulator.suites.table_checks import inspect_parameters
from emulator.suites.timing import probe_reading
from emulator.units import CRITICAL_DENSITY

TOLERANCE = 0.1
"""Of slabs, which matter leaves and enters: largest relative difference between the mean of the DMO
maps and the mean matter density, and between the fields' mass and that of their twin."""


class Multifield(ExistingSuite):
    """Ready maps: one array a field and set."""

    config: MultifieldSuite

    def inputs(self, data: DataConfig, simulation: str) -> list[Path]:
        """Arrays of the fields, and the tables; see :meth:`Suite.inputs`."""
        names = [field.name for field in (CONDITION, *data.targets)]
        kinds = (*names, "parameters", "ranges")
        return [self.config.path(kind, self.root, simulation) for kind in kinds]

    def n_projections(self, data: DataConfig) -> int:
        """Maps of a simulation."""
        return self.config.maps_per_simulation

    def read_maps(
        self, data: DataConfig, simulation: str, *, redraw: int = 0, workers: int = 1
    ) -> FullMaps:
        """Read the maps of one simulation: the number after the last underscore counts them.

        See :meth:`Suite.read_maps`. Refused are also another number of pixels or of maps than
        expected (nothing is resampled), DMO maps whose mean is not that of the universe in the
        parameter table, fields that are not their shares of it, and parameters that a table without
        names gives and no range allows.
        """
        config = self.config
        if data.slabs != 1:
            raise DataError(
                f"suite {config.name}", "data.slabs: 1 (ready maps are slabs)", f"{data.slabs}"
            )
        table = config.path("parameters", self.root, simulation)
        rows = read_table(table, config.parameter_names)
        params = parameters_of(rows, simulation)
        fields = (CONDITION, *data.targets)
        paths = [config.path(field.name, self.root, simulation) for field in fields]
        n_maps, first = config.maps_per_simulation, _number(simulation)
        shape = (n_maps * len(rows.rows), data.n_pixels, data.n_pixels)
        chosen = slice(first * n_maps, (first + 1) * n_maps)
        values = [
            _read_field(path, chosen, shape, field)
            for path, field in zip(paths, fields, strict=True)
        ]
        named = {canonical_name(name): value for name, value in params.items()}
        if "Omega_m" not in named:
            raise DataError(table, "the parameter Omega_m", f"only {', '.join(params)}")
        ranges = config.path("ranges", self.root, simulation)
        if config.parameter_names is not None:
            known = match_ranges(params, read_ranges(ranges), ranges)
            require_possible_parameters(params, known, f"{table}:{simulation}")
        _require_mean_density(values[0], named["Omega_m"], config, paths[0])
        omega_b = named.get("Omega_b", config.omega_b)
        sums = {field: float(value.sum()) for field, value in zip(fields, values, strict=True)}
        require_shares_of_matter(
            sums, omega_b / named["Omega_m"], str(paths[1]), shares=TOLERANCE, content=TOLERANCE
        )
        pixel = config.box_size_mpch / data.n_pixels
        for field, value in zip(fields, values, strict=True):
            if field.adds_up:
                value *= pixel**2
        maps = np.stack([value.astype(np.float32) for value in values], axis=1)
        return FullMaps(
            values=maps,
            fields=data.targets,
            projections=tuple(str(i) for i in range(len(maps))),
            context=context_pyramid(maps[:, 0], data.context_factors),
            halos=Halos(np.empty((0, 3)), np.empty(0), np.empty(0)),
            attrs={
                "box_size_mpch": config.box_size_mpch,
                "pixel_mpch": pixel,
                "depth_mpch": config.depth_mpch,
                "redshift": config.redshift,
                "hubble_h": named.get("h", config.hubble_h),
                "omega_m": named["Omega_m"],
                "omega_b": omega_b,
                "periodic": 1,
                **parameter_attrs(params, ranges),
                **mean_masses(maps, data.targets),
            },
            sources=tuple(below(self.root, path) for path in paths),
        )

    def inspect(self, data: DataConfig, simulation: str, *, deep: bool) -> Inspection:
        """See :meth:`Suite.inspect`."""
        found = Inspection(simulation)
        for path in self.inputs(data, simulation):
            found.require_file(path)
        inspect_parameters(found, self.config, self.root)
        if deep and not found.findings:
            found.attempt("values", lambda: self.read_maps(data, simulation))
        return found

    def probe(self, data: DataConfig) -> Probe:
        """Read the first simulation."""
        return probe_reading(self, data)


def _read_field(
    path: Path, chosen: slice, expected: tuple[int, ...], field: Field
) -> NDArray[np.float64]:
    """Surface densities, or means, of the chosen maps; only they are read from the file."""
    with open_arrays(path, mmap_mode="r") as array:
        values = _chosen(array, path, chosen, expected)
    return checked_values(values, f"{path}[{chosen.start}]", signed=field.signed)


def _chosen(
    array: Any, path: Path, chosen: slice, expected: tuple[int, ...]
) -> NDArray[np.float64]:
    if is_archive(array) or array.dtype.kind != "f":
        kind = "an archive" if is_archive(array) else array.dtype
        raise DataError(path, "one array of floating-point numbers", f"{kind}")
    if array.ndim != 3 or array.shape[1] != array.shape[2]:
        raise DataError(path, "maps of shape (map, n, n)", f"shape {array.shape}")
    if array.shape[1] != expected[1]:
        raise DataError(
            path,
            f"maps of {expected[1]} pixels a side (data.n_pixels)",
            f"{array.shape[1]}",
            f"Set data.n_pixels: {array.shape[1]}; maps are not resampled.",
        )
    if len(array) != expected[0]:
        raise DataError(
            path,
            f"{expected[0]} maps (suite.maps_per_simulation times the rows of the parameter table)",
            f"{len(array)}",
        )
    return np.asarray(array[chosen], np.float64)


def _require_mean_density(
    density: NDArray[np.float64], omega_m: float, suite: MultifieldSuite, path: Path
) -> None:
    expected = omega_m * CRITICAL_DENSITY * suite.depth_mpch
    mean = float(density.mean())
    if not abs(mean / expected - 1.0) <= TOLERANCE:
        pixel_area = (suite.box_size_mpch / density.shape[-1]) ** 2
        raise DataError(
            path,
            f"a mean surface density of Omega_m rho_c depth = {expected:.4g} (Msun/h)/(Mpc/h)^2",
            f"{mean:.4g}, {mean / expected:.4g} times that",
            f"A mass a pixel would be {pixel_area:.4g} times that. Check the unit of the maps, "
            "suite.depth_mpch, suite.box_size_mpch, and that the table is of this set.",
        )


def _number(simulation: str) -> int:
    digits = simulation.rsplit("_", 1)[-1]
    if not digits.isdigit():
        raise DataError(
            f"simulation {simulation!r}", "a name that ends in its number in the file", digits
        )
    return int(digits)


SUITE = Multifield
