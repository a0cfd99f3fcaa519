"""Labelled arrays: :class:`xarray.Dataset` to netCDF4 (HDF5) files, sealed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.io.atomic import write_bytes
from emulator.io.errors import DataError
from emulator.io.seal import seal_of, verify
from emulator.io.text import absent, is_file

if TYPE_CHECKING:
    import xarray as xr


def write_dataset(
    dataset: "xr.Dataset", path: str | Path, *, encoding: Mapping[str, Any] | None = None
) -> None:
    """Write an :class:`xarray.Dataset` to netCDF4 (HDF5) atomically, with its checksum.

    It is made in memory first: HDF5 itself crashes when the disk fills up, a plain write is an
    error.
    """
    blob = dataset.to_netcdf(engine="h5netcdf", encoding=dict(encoding or {}))
    write_bytes(path, blob, seal_of(blob))


def read_dataset(path: str | Path) -> "xr.Dataset":
    """Load a netCDF4 file that this project wrote; a damaged one is a :class:`DataError`."""
    import xarray as xr

    path = Path(path)
    if not is_file(path):
        raise absent(path, "a netCDF file")
    verify(path)
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            path, "a readable netCDF file", f"{type(error).__name__}: {error}"
        ) from error
