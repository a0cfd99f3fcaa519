"""Zarr stores: opened lazily, or refused by name."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.io.errors import DataError
from emulator.io.extras import require_extra

if TYPE_CHECKING:
    import xarray as xr

_MARKS = ("zarr.json", ".zgroup", ".zarray")


def open_store(path: str | Path) -> "xr.Dataset":
    """Open a Zarr store, of format 2 or 3; values are read where they are needed.

    Raises
    ------
    DataError
        What is no store, or a damaged one.
    EmulatorError
        Without the package zarr.
    """
    import xarray as xr

    path = Path(path)
    require_extra("zarr", "formats", f"{path}: a Zarr store")
    if not any((path / name).is_file() for name in _MARKS):
        got = "a folder without its metadata" if path.is_dir() else "no such folder"
        raise DataError(path, "a Zarr store", got)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to open Zarr store with consolidated")
            return xr.open_dataset(path, engine="zarr", chunks=None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(path, "a readable Zarr group", got) from error
