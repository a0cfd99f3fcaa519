"""Files: open and check HDF5, write atomically.

A file either carries its final name and is whole, or it does not exist: writers fill a temporary
sibling and rename it. Readers raise :class:`DataError` that names file, key, what was expected and
what was found.
"""

import errno
import glob
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py
    import xarray as xr


class EmulatorError(Exception):
    """A problem that the user can mend; the command line prints it without a traceback."""

    exit_code = 1
    """What the command line returns."""


class DataError(EmulatorError):
    """A file that is missing, damaged, or not what a stage needs.

    Parameters
    ----------
    path
        The file, with the dataset or attribute inside it if there is one (``file:key``).
    expected, got
        What the reader needed and what it found.
    hint
        What the user can do about it.
    """

    def __init__(self, path: str | Path, expected: str, got: str, hint: str = "") -> None:
        message = f"{path}: expected {expected}, got {got}"
        super().__init__(f"{message}. {hint}" if hint else message)
        self._facts = (path, expected, got, hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way back from a worker process."""
        return type(self), self._facts


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; rename it to ``path`` only if the block succeeds.

    The temporary name keeps the suffix (netCDF writers look at it) and holds machine and process,
    so that two writers never share it. What a killed writer left is removed by the next writer of
    the same file on the same machine.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix, end = f".{path.stem}.{platform.node()}-", f".partial{path.suffix}"
    for orphan in path.parent.glob(f"{glob.escape(prefix)}*{glob.escape(end)}"):
        if not _is_running(int(orphan.name.removeprefix(prefix).removesuffix(end))):
            orphan.unlink(missing_ok=True)
    partial = path.with_name(f"{prefix}{os.getpid()}{end}")
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(partial, path)
    except IsADirectoryError as error:
        raise DataError(path, "a file, to be written", "a folder of that name") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DataError(
                path, "room to write the file", str(error), "Free some disk space and go on."
            ) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON atomically; NaN and infinity are refused, as JSON has neither."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; a missing or damaged one is a :class:`DataError` that names it."""
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "a JSON file", "no such file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(path, "valid JSON", f"a syntax error ({error})") from error


def is_file(path: Path) -> bool:
    """Whether there is such a file; a folder that may not be entered is a :class:`DataError`."""
    try:
        return path.is_file()
    except PermissionError as error:
        raise _forbidden(path, error) from error


def read_lines(path: Path, what: str) -> list[str]:
    """Lines of a text file; one that is missing, closed to us or not text is a `DataError`."""
    if not is_file(path):
        raise DataError(path, what, _absence(path))
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except PermissionError as error:
        raise _forbidden(path, error) from error
    except UnicodeDecodeError as error:
        raise DataError(path, what, f"no text ({error})") from error


def _absence(path: Path) -> str:
    return "a folder" if path.is_dir() else "no such file"


def _forbidden(path: Path, error: PermissionError) -> DataError:
    return DataError(path, "permission to read it", str(error), "Ask its owner, or see `ls -l`.")


@contextmanager
def open_hdf5(path: str | Path) -> Iterator["h5py.File"]:
    """Open an HDF5 file for reading; a missing, truncated or foreign one is a `DataError`."""
    import h5py

    path = Path(path)
    if not is_file(path):
        raise DataError(path, "an HDF5 file", _absence(path))
    try:
        handle = h5py.File(path, "r")
    except PermissionError as error:
        raise _forbidden(path, error) from error
    except OSError as error:
        raise DataError(
            path,
            "a readable HDF5 file",
            f"a truncated or foreign file ({error})",
            "Remove it and run the stage that writes it again.",
        ) from error
    with handle:
        yield handle


def require_attribute(attrs: Mapping[str, Any], name: str, where: str) -> Any:
    """One attribute, or a :class:`DataError` that lists those present in ``where``."""
    if name not in attrs:
        present = ", ".join(sorted(attrs)) or "none"
        raise DataError(where, f"attribute {name!r}", f"only {present}")
    return attrs[name]


def write_dataset(
    dataset: "xr.Dataset", path: str | Path, *, encoding: Mapping[str, Any] | None = None
) -> None:
    """Write an :class:`xarray.Dataset` to netCDF4 (HDF5) atomically."""
    with atomic_path(path) as partial:
        dataset.to_netcdf(partial, engine="h5netcdf", encoding=dict(encoding or {}))


def read_dataset(path: str | Path) -> "xr.Dataset":
    """Load a netCDF4 file into memory; a damaged one is a :class:`DataError`."""
    import xarray as xr

    path = Path(path)
    if not path.is_file():
        raise DataError(path, "a netCDF file", "no such file")
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            path, "a readable netCDF file", f"{type(error).__name__}: {error}"
        ) from error
