"""Files of named arrays in several formats, read alike: ``.npz``, netCDF and HDF5, Zarr."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulator.config.suites.arrays import FORMATS
from emulator.io import (
    DataError,
    array_errors,
    dataset_of,
    is_archive,
    names_in,
    open_arrays,
    open_hdf5,
    require_extra,
)

if TYPE_CHECKING:
    import h5py

Rows = slice | NDArray[np.int64]
_HDF5 = (".nc", ".h5", ".hdf5")


class ArrayFile(ABC):
    """Named arrays of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array.

        Raises
        ------
        DataError
            No such array (those there are get listed), or one that holds no numbers.
        """

    @abstractmethod
    def read(self, name: str, rows: Rows | None = None) -> NDArray[Any]:
        """An array, or some of its rows; see :meth:`shape`."""

    def _absent(self, name: str, present: list[str]) -> DataError:
        return DataError(
            f"{self.path}:{name}", "an array", f"only {', '.join(present[:12]) or 'none'}",
            "suite.arrays says what the array of a field is called.",
        )  # fmt: skip


@contextmanager
def open_array_file(path: str | Path) -> Iterator[ArrayFile]:
    """Open a file by what its name ends in.

    Raises
    ------
    DataError
        Another ending, or a file that is missing, damaged or foreign.
    """
    path = Path(path)
    if path.suffix == ".npz":
        with open_arrays(path) as archive:
            if not is_archive(archive):
                raise DataError(path, "an .npz file", "a single array")
            yield _Archive(path, archive)
    elif path.suffix in _HDF5:
        with open_hdf5(path) as handle:
            yield _Hdf5(path, handle)
    elif path.suffix == ".zarr":
        yield _Zarr(path)
    else:
        raise DataError(path, f"a file that ends in {', '.join(FORMATS)}", repr(path.suffix))


class _Archive(ArrayFile):
    def __init__(self, path: Path, archive: Any) -> None:
        super().__init__(path)
        self.archive = archive
        self._read: dict[str, NDArray[Any]] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        return self._array(name).shape

    def read(self, name: str, rows: Rows | None = None) -> NDArray[Any]:
        values = self._array(name)
        return values if rows is None else values[rows]

    def _array(self, name: str) -> NDArray[Any]:
        """An archive is compressed: it is read whole, and once."""
        if name not in self.archive:
            raise self._absent(name, sorted(self.archive))
        if name not in self._read:
            with array_errors(f"{self.path}:{name}"):
                self._read[name] = self.archive[name]
        return self._read[name]


class _Hdf5(ArrayFile):
    def __init__(self, path: Path, handle: "h5py.File") -> None:
        super().__init__(path)
        self.handle = handle

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._dataset(name).shape)

    def read(self, name: str, rows: Rows | None = None) -> NDArray[Any]:
        dataset = self._dataset(name)
        values = np.asarray(dataset[()] if rows is None else dataset[rows])
        return _unpacked(values, {key: dataset.attrs[key] for key in dataset.attrs})

    def _dataset(self, name: str) -> "h5py.Dataset":
        if name not in self.handle:
            raise self._absent(name, names_in(self.handle))
        return dataset_of(self.handle, name, str(self.path))


class _Zarr(ArrayFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        require_extra("zarr", "formats", f"{path}")
        import zarr

        if not path.is_dir():
            raise DataError(path, "a Zarr folder", "no such folder")
        try:
            self.group: Any = zarr.open_group(str(path), mode="r")
        except (OSError, ValueError, KeyError) as error:
            raise DataError(path, "a readable Zarr group", f"{error}") from error

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._array(name).shape)

    def read(self, name: str, rows: Rows | None = None) -> NDArray[Any]:
        array = self._array(name)
        try:
            chosen = array[...] if rows is None else array.oindex[rows]
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{self.path}:{name}", "readable values", f"{error}") from error
        return _unpacked(np.asarray(chosen), dict(array.attrs))

    def _array(self, name: str) -> Any:
        if name not in self.group:
            raise self._absent(name, sorted(self.group.array_keys()))
        return self.group[name]


def _unpacked(values: NDArray[Any], attrs: dict[str, Any]) -> NDArray[Any]:
    """Values as the conventions of netCDF pack them; what is missing becomes NaN."""
    missing = [attrs[key] for key in ("_FillValue", "missing_value") if attrs.get(key) is not None]
    packed = "scale_factor" in attrs or "add_offset" in attrs
    if values.dtype.kind not in "fiu" or not (packed or missing):
        return values
    absent = np.isin(values, np.concatenate([np.ravel(m) for m in missing])) if missing else None
    if packed:
        scale, offset = (
            float(np.ravel(attrs.get(key, default))[0])
            for key, default in (("scale_factor", 1.0), ("add_offset", 0.0))
        )
        values = values * scale + offset
    if absent is not None and absent.any():
        values = np.where(absent, np.nan, values)
    return values
