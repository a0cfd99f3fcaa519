"""NumPy's own files, ``.npy`` and ``.npz``: opened and read, or refused by name."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emulator.io.errors import DataError, raised_within
from emulator.io.hdf5 import FOREIGN
from emulator.io.text import absent, forbidden, is_file

if TYPE_CHECKING:
    import numpy as np

_LIBRARIES = ("numpy", "zipfile", "zlib", "ast", "tokenize")


@contextmanager
def open_arrays(path: str | Path, *, mmap_mode: Literal["r"] | None = None) -> Iterator[Any]:
    """Open an ``.npy`` (as an array) or ``.npz`` (as an archive) without pickle.

    Raises
    ------
    DataError
        A file that is missing, closed to us, foreign or damaged, also where that shows only when an
        array is read.
    """
    import numpy as np

    path = Path(path)
    if not is_file(path):
        raise absent(path, "a .npy or .npz file")
    with array_errors(path):
        loaded: Any = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                yield loaded
        else:
            yield loaded


@contextmanager
def array_errors(where: str | Path) -> Iterator[None]:
    """Turn what NumPy and its zip reader raise into a :class:`DataError`."""
    try:
        yield
    except PermissionError as error:
        raise forbidden(Path(where), error) from error
    except Exception as error:
        if not raised_within(error, *_LIBRARIES):
            raise
        got = f"a damaged or foreign one ({type(error).__name__}: {error})"
        raise DataError(where, "readable arrays (.npy, .npz)", got, FOREIGN) from error


def is_archive(loaded: "np.lib.npyio.NpzFile | np.ndarray[Any, Any]") -> bool:
    """Whether :func:`open_arrays` opened an ``.npz``."""
    return hasattr(loaded, "files")


def checked_values(
    values: "np.ndarray[Any, Any]", where: str, *, signed: bool = False
) -> "np.ndarray[Any, Any]":
    """``values`` themselves if all are finite and, unless ``signed``, none is negative.

    NaN fails every comparison.
    """
    least = -math.inf if signed else 0.0
    if values.size and not (least <= values.min() > -math.inf and values.max() < math.inf):
        kind = "finite values" if signed else "finite values of zero or more"
        raise DataError(where, kind, f"{values.min()} to {values.max()}")
    return values
