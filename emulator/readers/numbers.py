"""Numbers in attributes: one way to read them, for every format and every file.

Writers store one number as a scalar, as an array of one, or big-endian, in half or extended
precision; some write an attribute without any value. All of it arrives here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError


def numbers(attrs: Mapping[str, Any], name: str, where: str) -> NDArray[np.float64] | None:
    """All values of an attribute, flat; ``None`` without it.

    Raises
    ------
    DataError
        An attribute that holds no numbers, or nothing at all.
    """
    if name not in attrs:
        return None
    values = np.ravel(np.asarray(_value(attrs[name], f"{where}/{name}")))
    if values.dtype.kind not in "fiub":
        raise DataError(f"{where}/{name}", "a number", repr(attrs[name])[:80])
    return values.astype(np.float64)


def integers(attrs: Mapping[str, Any], name: str, where: str) -> NDArray[np.int64] | None:
    """All values of an attribute, flat, as whole numbers; ``None`` without it.

    Raises
    ------
    DataError
        As :func:`numbers`, and for values that are not whole, or beyond 64 bits.
    """
    values = numbers(attrs, name, where)
    if values is None:
        return None
    exact = np.ravel(np.asarray(attrs[name]))
    if exact.dtype.kind in "iub" and exact.size and int(exact.max()) < 2**63:
        return exact.astype(np.int64)
    whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2.0**63)
    if not whole.all():
        raise DataError(f"{where}/{name}", "whole numbers", f"{values.tolist()}")
    return values.astype(np.int64)


def cell(text: str, where: str) -> float:
    """Number in a cell of a text table, NaN and infinity among them.

    Raises
    ------
    DataError
        Anything else.
    """
    try:
        value = float(text)
    except ValueError as error:
        raise DataError(where, "a number", repr(text)) from error
    if "_" in text:  # Python's digit separator, in no table's format
        raise DataError(where, "a number", repr(text))
    return value


def number(attrs: Mapping[str, Any], name: str, where: str) -> float | None:
    """One attribute as a number (an array of one is one, too); ``None`` without it."""
    values = numbers(attrs, name, where)
    return None if values is None else float(_only(values, f"{where}/{name}"))


def integer(attrs: Mapping[str, Any], name: str, where: str) -> int | None:
    """One attribute as a whole number; ``None`` without it."""
    values = integers(attrs, name, where)
    return None if values is None else int(_only(values, f"{where}/{name}"))


def _only(values: NDArray[Any], where: str) -> Any:
    if len(values) != 1:
        raise DataError(where, "one number", f"{len(values)}")
    return values[0]


def _value(value: Any, where: str) -> Any:
    # h5py.Empty, without importing h5py for it: a null dataspace
    if getattr(value, "shape", ()) is None:
        raise DataError(where, "a number", "no value (a null dataspace)")
    return value
