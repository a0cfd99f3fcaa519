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
from emulator.fields import SPECIES
from emulator.io import DataError, checked_values, is_archive, open_arrays
from emulator.projection.budget import require_cosmic_shares, require_same_matter_content
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
from emulator.suites.full_maps import FullMaps, below
from emulator.units import CRITICAL_DENSITY

TOLERANCE = 0.1
"""Of slabs, which matter leaves and enters: largest relative difference between the mean of the DMO
maps and the mean matter density, and between the fields' mass and that of their twin."""


def read_multifield(
    suite: MultifieldSuite, data_config: DataConfig, root: str | Path, simulation: str
) -> FullMaps:
    """Read the maps of one simulation.

    Parameters
    ----------
    suite
        Names of the files, maps a simulation, geometry and cosmology.
    data_config
        Pixels (those of the files: nothing is resampled) and context factors.
    root
        Folder above the files.
    simulation
        Name, e.g. ``"LH_12"``: the number after the last underscore counts simulations in the file.

    Returns
    -------
    FullMaps
        Periodic maps [Msun/h per pixel].

    Raises
    ------
    DataError
        A missing, damaged or foreign file, another number of pixels or of maps than expected,
        values that are negative or not finite, DMO maps whose mean is not that of the universe in
        the parameter table, fields that are not their shares of it, or parameters that a table
        without names gives and no range allows.
    """
    if data_config.slabs != 1:
        raise DataError(
            f"suite {suite.name}", "data.slabs: 1 (ready maps are slabs)", f"{data_config.slabs}"
        )
    first = _number(simulation) * suite.maps_per_simulation
    table = suite.path("parameters", root, simulation)
    rows = read_table(table, suite.parameter_names)
    params = parameters_of(rows, simulation)
    shape = (suite.maps_per_simulation * len(rows.rows), *[data_config.n_pixels] * 2)
    paths = [suite.path(species, root, simulation) for species in SPECIES]
    chosen = slice(first, first + suite.maps_per_simulation)
    density = [_read_field(path, chosen, shape) for path in paths]
    named = {canonical_name(name): value for name, value in params.items()}
    if "Omega_m" not in named:
        raise DataError(table, "the parameter Omega_m", f"only {', '.join(params)}")
    ranges = suite.path("ranges", root, simulation)
    if suite.parameter_names is not None:
        known = match_ranges(params, read_ranges(ranges), ranges)
        require_possible_parameters(params, known, f"{table}:{simulation}")
    _require_mean_density(density[0], named["Omega_m"], suite, paths[0])
    omega_b = named.get("Omega_b", suite.omega_b)
    masses = dict(zip(SPECIES[1:], (float(field.sum()) for field in density[1:]), strict=True))
    dmo, where = float(density[0].sum()), str(paths[1])
    require_cosmic_shares(masses, dmo, omega_b / named["Omega_m"], where, tolerance=TOLERANCE)
    require_same_matter_content(masses, dmo, where, tolerance=TOLERANCE)
    pixel = suite.box_size_mpch / data_config.n_pixels
    fields = np.stack([(field * pixel**2).astype(np.float32) for field in density], axis=1)
    attrs = {
        "box_size_mpch": suite.box_size_mpch,
        "pixel_mpch": pixel,
        "depth_mpch": suite.depth_mpch,
        "redshift": suite.redshift,
        "hubble_h": named.get("h", suite.hubble_h),
        "omega_m": named["Omega_m"],
        "omega_b": omega_b,
        "periodic": 1,
        **parameter_attrs(params, ranges),
        **mean_masses(fields),
    }
    return FullMaps(
        fields=fields,
        projections=tuple(str(i) for i in range(len(fields))),
        context=context_pyramid(fields[:, 0], data_config.context_factors),
        halos=Halos(np.empty((0, 3)), np.empty(0), np.empty(0)),
        attrs=attrs,
        sources=tuple(below(root, path) for path in paths),
    )


def _read_field(path: Path, chosen: slice, expected: tuple[int, ...]) -> NDArray[np.float64]:
    """Surface densities of the chosen maps; only they are read from the file."""
    with open_arrays(path, mmap_mode="r") as array:
        return _chosen(array, path, chosen, expected)


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
    return checked_values(array[chosen].astype(np.float64), f"{path}[{chosen.start}]")


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
