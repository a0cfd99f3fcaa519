r"""Files of ready windows: the ``.npz`` samples of BIND, read as maps and written as an export.

A file is one window of ``n x n`` pixels, all fields float32:

============ =========== ==================================================================
key          shape       content
============ =========== ==================================================================
condition    (n, n)      DMO mass [Msun/h per pixel]
target       (f, n, n)   fields of the hydrodynamic run, in BIND dark matter, gas, stars
                         [Msun/h per pixel]
large_scale  (L, n, n)   DMO mass in wider windows around the same centre, block means to
                         ``n x n`` [Msun/h per fine pixel], one for each context factor
params       (p,)        physical values; the order is not in the file
halo_mass    () or (1,)  M200c of the halo in the centre [Msun/h]; 0 or no key: none is
halo_center  (3,)        its position [Mpc/h]
============ =========== ==================================================================

Windows are not periodic. All windows of a simulation become one maps file: a projection each.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.io import (
    DataError,
    array_errors,
    atomic_path,
    checked_values,
    is_archive,
    open_arrays,
)

_OF_THE_HALO = {"halo_mass": np.zeros((), np.float32), "halo_center": np.zeros(3, np.float32)}
"""Keys that windows without a halo may leave out."""


class ReadyWindow(NamedTuple):
    """Content of one file, by key."""

    condition: NDArray[np.float32]
    target: NDArray[np.float32]
    large_scale: NDArray[np.float32]
    params: NDArray[np.float32]
    halo_mass: NDArray[np.float32]
    halo_center: NDArray[np.float32]


def read_window(path: str | Path) -> ReadyWindow:
    """Read one window.

    Raises
    ------
    DataError
        A missing or damaged file, a missing key (those of the halo may be), a wrong shape, or a
        value that is not finite or, except for parameters, negative. The message names file and
        key.
    """
    path = Path(path)
    with open_arrays(path) as archive:
        if not is_archive(archive):
            raise DataError(path, "an .npz file", "a single array")
        arrays = {key: _read_key(archive, key, path) for key in ReadyWindow._fields}
    # NumPy writes a number as an array without dimensions, others as an array of one
    for key, size in {"halo_mass": 1, "halo_center": 3}.items():
        if arrays[key].size == size:
            arrays[key] = arrays[key].reshape(() if size == 1 else (size,))
    window = ReadyWindow(**arrays)
    _check_shapes(window, path)
    return window


def write_window(path: str | Path, window: ReadyWindow) -> None:
    """Write one window, atomically; reading it again gives the same bits.

    Raises
    ------
    DataError
        Whatever :func:`read_window` would refuse.
    """
    path = Path(path)
    for key, values in window._asdict().items():
        _check_values(values, key, path)
    _check_shapes(window, path)
    arrays: dict[str, Any] = {k: np.asarray(v, np.float32) for k, v in window._asdict().items()}
    with atomic_path(path) as partial:
        np.savez(partial, **arrays)


def _read_key(archive: "np.lib.npyio.NpzFile", key: str, path: Path) -> NDArray[np.float32]:
    if key not in archive:
        if key in _OF_THE_HALO:
            return _OF_THE_HALO[key]
        raise DataError(f"{path}:{key}", "an array", f"only {', '.join(archive)}")
    with array_errors(f"{path}:{key}"):
        values: NDArray[np.generic] = archive[key]
    _check_values(values, key, path)
    return values.astype(np.float32, copy=False)


def _check_values(values: NDArray[np.generic], key: str, path: Path) -> None:
    where = f"{path}:{key}"
    if values.dtype.kind not in "fiu":
        raise DataError(where, "numbers", f"{values.dtype}")
    # what is no mass may be negative: its field says so later
    checked_values(values, where, signed=key in ("params", "target"))


def _check_shapes(window: ReadyWindow, path: Path) -> None:
    side = window.condition.shape[-1] if window.condition.ndim else 0
    levels = len(window.large_scale) if window.large_scale.ndim else 0
    n_targets = len(window.target) if window.target.ndim else 0
    expected = {
        "condition": (side, side),
        "target": (n_targets, side, side),
        "large_scale": (levels, side, side),
        "params": (window.params.size,),
        "halo_mass": (),
        "halo_center": (3,),
    }
    for key, shape in expected.items():
        found = getattr(window, key).shape
        if found != shape:
            raise DataError(f"{path}:{key}", f"shape {shape}", f"{found}")
