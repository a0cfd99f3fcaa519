"""Fields that stay on disk: read where they are needed, by any process.

A :class:`LazyField` holds a path and a name, no handle: it can be copied, pickled and inherited by
a forked process. Each process opens files when it reads from them and keeps the last
:data:`MAX_OPEN` of them open.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from emulator.io import h5py_errors

MAX_OPEN = 128
"""Files that one process keeps open; the usual limit of a process is 1024."""

_open_files: "OrderedDict[tuple[int, Path], _OpenFile]" = OrderedDict()


class _OpenFile:
    """A file and the datasets that were read from it: looking one up takes as long as a window."""

    def __init__(self, path: Path) -> None:
        self.handle = h5py.File(path, "r")
        self.datasets: dict[str, h5py.Dataset] = {}

    def __getitem__(self, name: str) -> h5py.Dataset:
        if name not in self.datasets:
            self.datasets[name] = self.handle[name]
        return self.datasets[name]


@dataclass(frozen=True)
class LazyField:
    """One dataset of an HDF5 file that nobody rewrites while it is read.

    Attributes
    ----------
    path, name
        The file and the dataset.
    shape
        Of the dataset.
    """

    path: Path
    name: str
    shape: tuple[int, ...]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the selection; a file that is gone or damaged is a `DataError`."""
        with h5py_errors(f"{self.path}:{self.name}"):
            values: NDArray[Any] = _open(self.path)[self.name][key]
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the whole dataset."""
        return np.asarray(self[()], dtype=dtype)


def close(path: Path) -> None:
    """Close a file if this process holds it open."""
    opened = _open_files.pop((os.getpid(), path), None)
    if opened is not None:
        opened.handle.close()


def _open(path: Path) -> _OpenFile:
    # a forked process must not read through the handles of its parent
    key = (os.getpid(), path)
    if key in _open_files:
        _open_files.move_to_end(key)
    else:
        _open_files[key] = _OpenFile(path)
        while len(_open_files) > MAX_OPEN:
            _open_files.popitem(last=False)[1].handle.close()
    return _open_files[key]
