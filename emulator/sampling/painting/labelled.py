"""A DMO map out of labelled arrays: of the pipeline's own maps, or of others, in xarray's terms."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.fields import CONDITION
from emulator.io import DataError, is_file, open_store
from emulator.model.card import Grid
from emulator.model.redshift import said_redshift
from emulator.sampling.grids import require_same_grid, require_same_spacing
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

_AXES = ("y", "x")
WINDOWS = "Windows are drawn as arrays: sample(windows, params, large_scale=...)."
"""What can be done with ready windows."""


def open_labelled(path: Path) -> "xr.Dataset":
    """Open a Zarr store or a NetCDF file lazily.

    Raises
    ------
    DataError
        A file that is missing, damaged, or of another kind.
    """
    import xarray as xr

    if path.suffix == ".zarr":
        return open_store(path)
    if not is_file(path):
        raise DataError(path, "a NetCDF file", "no such file")
    try:
        return xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(path, "a readable NetCDF file", got) from error


def map_of(
    source: "xr.Dataset | xr.DataArray", grid: Grid, projection: str | None, where: str
) -> tuple[np.ndarray, dict[str, float] | None, bool]:
    """The DMO map ``(y, x)`` [Msun/h per pixel] of labelled arrays, and what they say of it.

    Parameters
    ----------
    source
        ``maps (projection, species, y, x)`` as files of the pipeline hold it, ``dmo`` with
        dimensions ``(y, x)`` or ``(projection, y, x)``, or one variable of either kind. Values may
        be in a file, or computed by dask: only the map is read.
    grid
        Of the model: what the attributes say must agree.
    projection
        Label of the map; default: the first.
    where
        The file, for messages.

    Returns
    -------
    The map, the parameters they name, and whether it is periodic (attribute ``periodic``; a map
    that does not say is).

    Raises
    ------
    DataError
        Several variables and none called ``maps`` or ``dmo``, other dimensions, a projection or
        species that is not there, ready windows in place of a box, another grid or unit, or pixels
        without a value.
    """
    import xarray as xr

    found = _variable(source, where) if isinstance(source, xr.Dataset) else source
    attrs = {**source.attrs, **found.attrs}
    require_same_grid(attrs, grid, where)
    periodic = is_periodic(attrs)
    if not periodic and "species" in found.dims:
        raise DataError(where, "maps of a whole box", "ready windows", WINDOWS)
    for name, label in (("species", CONDITION.name), ("projection", projection)):
        if name in found.dims:
            found = _choose(found, name, label, where)
        elif name == "projection" and projection is not None:
            raise DataError(f"{where}:projection", repr(projection), "one map without a label")
    _require_mass(found, where)
    require_same_spacing(found, grid, where)
    own = said_redshift(_params(attrs, where), attrs, grid, where)
    return _plane(found, where), own, periodic


def _require_mass(found: "xr.DataArray", where: str) -> None:
    """The unit of the map, which stands beside the species where these have several."""
    beside = found.coords.get("unit")
    said = found.attrs.get("units") if beside is None else beside.values.tolist()
    if isinstance(said, list):  # of several species, none of which was chosen
        return
    said = said.decode() if isinstance(said, bytes) else said
    if said not in (None, str(Unit.MASS_PER_PIXEL)):
        raise DataError(
            f"{where}:units", repr(str(Unit.MASS_PER_PIXEL)), repr(said),
            "Convert the values and set attrs['units'].",
        )  # fmt: skip


def is_periodic(attrs: Mapping[Any, Any]) -> bool:
    """Whether opposite edges of a map touch, as its attributes say; one that does not say is."""
    return bool(np.all(attrs.get("periodic", True)))


def _variable(dataset: "xr.Dataset", where: str) -> "xr.DataArray":
    names = [str(name) for name in dataset.data_vars]
    for name in ("maps", CONDITION.name):
        if name in names:
            return dataset[name]
    if len(names) != 1:
        raise DataError(
            where, f"a variable maps or {CONDITION.name}, or one alone",
            ", ".join(names) or "none", f"Rename the map: ds.rename(NAME='{CONDITION.name}').",
        )  # fmt: skip
    return dataset[names[0]]


def _choose(found: "xr.DataArray", name: str, label: str | None, where: str) -> "xr.DataArray":
    """One entry of ``species`` or ``projection``; without labels they count from 0."""
    values = found[name].values.tolist()
    labels = [each.decode() if isinstance(each, bytes) else str(each) for each in values]
    if not labels or (label is not None and label not in labels):
        wanted = f"one {name} at least" if label is None else repr(label)
        raise DataError(f"{where}:{name}", wanted, f"only {', '.join(labels) or 'none'}")
    return found.isel({name: 0 if label is None else labels.index(label)})


def _plane(found: "xr.DataArray", where: str) -> np.ndarray:
    """Values ``(y, x)``, whatever the order of the axes; two without these names are taken so."""
    dims = tuple(map(str, found.dims))
    if set(dims) == set(_AXES):
        found = found.transpose(*_AXES)
    elif len(dims) != 2 or set(dims) & set(_AXES):
        raise DataError(
            f"{where}:{found.name or 'map'}",
            "one map (y, x), or (projection, y, x), or (projection, species, y, x)",
            f"({', '.join(dims)})",
            "Rename the dimensions, or choose one entry of the others with .isel().",
        )
    place = f"{where}:{found.name or 'map'}"
    values = found.to_numpy()
    if values.dtype.kind not in "fiu":
        raise DataError(place, "numbers", str(values.dtype))
    if n_missing := int(np.isnan(values).sum()):
        raise DataError(place, "a value in every pixel", f"{n_missing} that are NaN or masked")
    return values


def _params(attrs: Mapping[Any, Any], where: str) -> dict[str, float] | None:
    if "params" not in attrs:
        return None
    try:
        said: dict[str, float] = json.loads(attrs["params"])
        return {name: float(value) for name, value in said.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where}:params", "JSON of values by name", repr(attrs["params"])[:80]
        ) from error
