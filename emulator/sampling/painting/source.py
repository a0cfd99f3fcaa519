"""Where a map comes from: an array, an xarray object, or a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.config.suites.redshifts import PARAMETER
from emulator.data.maps import read_maps
from emulator.fields import CONDITION
from emulator.io import DataError
from emulator.model.card import Grid
from emulator.sampling.grids import require_same_grid
from emulator.sampling.painting.labelled import WINDOWS, map_of, open_labelled

if TYPE_CHECKING:
    import xarray as xr


class Source(NamedTuple):
    """A map, the parameters that came with it, and whether it is all of its box."""

    field: np.ndarray
    params: Mapping[str, float] | None
    periodic: bool = True
    """Whether opposite edges touch, as far as the source says."""


def read_source(
    source: "Source | np.ndarray | xr.DataArray | xr.Dataset | str | Path",
    grid: Grid,
    projection: str | None = None,
) -> Source:
    """A DMO map ``(y, x)`` [Msun/h per pixel].

    Parameters
    ----------
    source
        What was read already; an array; a DataArray or Dataset, in memory or not (see
        :func:`~emulator.sampling.painting.labelled.map_of`), whose attributes ``pixel_mpch``,
        ``depth_mpch`` and ``redshift``, if it has them, must be those of the training; a Zarr store
        or NetCDF file (``.zarr``, ``.nc``) of one; a maps file of the pipeline (``.h5``), which
        holds its parameters; a dark-matter-only snapshot (``.hdf5``, one file or any of a family),
        see :func:`~emulator.sampling.painting.snapshot.project_snapshot`; or a file of one array
        (``.npy``).
    grid
        Of the model.
    projection
        Which map of a maps file or snapshot, by its label (``x``, ``y``, ``z``: the axis that is
        summed); default: the first.

    Raises
    ------
    DataError
        A file of another kind, a projection that it does not hold, another pixel, depth or
        redshift than those of the training, or ready windows in place of a box.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix == ".hdf5":
            # projection needs packages that a model alone does not
            from emulator.sampling.painting.snapshot import project_snapshot_at

            field, redshift = project_snapshot_at(path, grid, projection)
            return Source(field, None if grid.redshift is not None else {PARAMETER: redshift})
        if path.suffix == ".h5":
            return _of_maps(path, grid, projection)
        if path.suffix == ".npy":
            return Source(_load(path), None)
        if path.suffix in (".zarr", ".nc"):
            with open_labelled(path) as dataset:
                return Source(*map_of(dataset, grid, projection, str(path)))
        raise DataError(
            path,
            "a maps file (.h5), a snapshot (.hdf5), labelled arrays (.zarr, .nc) or one array "
            "(.npy)",
            path.suffix or "no suffix",
            WINDOWS if path.suffix == ".npz" else "",
        )
    if isinstance(source, np.ndarray) or not hasattr(source, "dims"):
        return Source(np.asarray(source), None)
    name = getattr(source, "name", None)
    where = name if isinstance(name, str) else "map"
    return Source(*map_of(source, grid, projection, where))


def _of_maps(path: Path, grid: Grid, projection: str | None) -> Source:
    maps = read_maps(path, lazy=True)
    require_same_grid(maps.attrs, grid, str(path))
    if not maps.periodic:
        raise DataError(path, "maps of a whole box", "ready windows", WINDOWS)
    label = maps.projections[0] if projection is None else projection
    if label not in maps.projections:
        raise DataError(f"{path}:projection", repr(label), f"only {', '.join(maps.projections)}")
    number = maps.projections.index(label)
    field = np.asarray(maps.maps[number, maps.species_index(CONDITION.name)])
    maps.close()
    return Source(field, dict(maps.params))


def _load(path: Path) -> np.ndarray:
    try:
        values: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(path, "an array as numpy.save writes it", str(error)) from error
    return values
