"""Painted members in one NetCDF file, written member by member: memory holds one of them.

HDF5 lays the file out and plain writes fill it, at the place that HDF5 names: where the disk fills
up, HDF5 crashes and a plain write is an error.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.fields import load_fields
from emulator.io import DataError, append_seal, atomic_path, open_hdf5, reserve, verify
from emulator.sampling.cf import describe
from emulator.sampling.painting.budget import add_masses
from emulator.sampling.painting.folder import OTHER, identity
from emulator.sampling.sums import FACTOR

if TYPE_CHECKING:
    import xarray as xr

_LABELS = 1 << 16
"""Bytes that HDF5 may need for what it says of the fields."""


def read_labels(path: Path) -> tuple[list[int], dict[str, object]]:
    """Numbers and :func:`~emulator.sampling.painting.folder.identity` of the members of a file.

    Raises
    ------
    DataError
        A damaged file, or one of something else.
    """
    import xarray as xr

    verify(path, hint=OTHER)
    try:
        with xr.open_dataset(path, engine="h5netcdf") as found:
            if found.attrs.get("stage") == "paint" and "member" in found.get("fields", found).dims:
                return found["member"].values.tolist(), identity(found)
    except (OSError, ValueError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(path, "a readable netCDF file", got) from error
    raise DataError(path, "members of a painted box", "something else", OTHER)


def read_plane(path: Path, *place: int) -> np.ndarray:
    """One field ``(y, x)`` of a file, by its row, slab (where there are slabs) and channel."""
    with open_hdf5(path) as handle:
        plane: np.ndarray = handle["fields"][place]
    return plane


def read_factors(path: Path) -> np.ndarray:
    """Factors ``(sum, member)`` of a file whose members hold sums."""
    with open_hdf5(path) as handle:
        factors: np.ndarray = handle[FACTOR][()]
    return factors


def write_netcdf(labels: "xr.Dataset", path: Path, plane: Callable[..., np.ndarray]) -> None:
    """Write members atomically, with a checksum.

    Parameters
    ----------
    labels
        All but the values of ``fields (member, ..., channel, y, x)``, which are not read.
    path
        The file.
    plane
        ``(y, x)`` of a row of ``fields``, a slab (where there are slabs) and a channel.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    fields = labels["fields"]
    labels = _with_masses(labels, plane)
    with atomic_path(path) as partial:
        partial.write_bytes(labels.drop_vars("fields").to_netcdf(engine="h5netcdf"))
        reserve(partial, fields.nbytes + _LABELS)
        first = _lay_out(partial, fields)
        with partial.open("r+b") as handle:
            handle.seek(first)
            for place in np.ndindex(fields.shape[:-2]):
                handle.write(np.ascontiguousarray(plane(*place), "<f4").data)
        append_seal(partial)


def _with_masses(labels: "xr.Dataset", plane: Callable[..., np.ndarray]) -> "xr.Dataset":
    """Labels with the masses of the members, whose fields are read one by one."""
    fields = labels["fields"]
    sums = np.empty(fields.shape[:-2])
    for place in np.ndindex(sums.shape):
        sums[place] = plane(*place).sum(dtype=np.float64)
    like = fields.isel(y=0, x=0, drop=True)
    like.attrs = {}
    known = load_fields(labels.attrs, labels["channel"].values.tolist(), "painted members")
    masses = add_masses(labels, like.copy(data=sums), known, labels.attrs["baryon_fraction"])
    return describe(masses)


def _lay_out(path: Path, fields: "xr.DataArray") -> int:
    """Add a variable whose values lie in the file in one piece; returns its first byte."""
    import h5netcdf
    import h5py

    with h5netcdf.File(path, "a") as handle:
        for dim, size in fields.sizes.items():
            if dim not in handle.dimensions:
                handle.dimensions[str(dim)] = size
        variable = handle.create_variable("fields", fields.dims, "<f4", fill_time="never")
        variable.attrs.update(fields.attrs)
    with h5py.File(path, "r+") as handle:
        dataset = handle["fields"]
        dataset[(-1,) * dataset.ndim] = 0.0  # HDF5 gives it its place
        place: int | None = dataset.id.get_offset()
    if place is None:
        raise DataError(path, "values in one piece", "none", "This is a fault of the package.")
    return place
