"""What bars ask for: tolerances field by field, and the range of wave numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from emulator.fields import FIELDS, Field, with_total
from emulator.io import EmulatorError

if TYPE_CHECKING:
    from emulator.config import ValidationConfig


def find_tolerances(
    bar: Literal["power", "mass"], config: "ValidationConfig", fields: Sequence[Field]
) -> dict[str, float]:
    """Tolerances by field: of ``config.bars``, else of the field's row; total included.

    Raises
    ------
    EmulatorError
        If the config names a field that the experiment does not have.
    """
    rows, given = with_total(fields), getattr(config.bars, bar)
    names = [field.name for field in rows]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise EmulatorError(
            f"validation.bars.{bar}: expected fields of this experiment "
            f"({', '.join(names)}), got {', '.join(unknown)}"
        )
    bars = {field.name: _of_row(field, f"{bar}_tolerance") for field in rows} | given
    return {name: tolerance for name, tolerance in bars.items() if tolerance is not None}


def _of_row(field: Field, key: str) -> float | None:
    """The bar of a row, or that of the table: files of earlier versions hold rows without it."""
    tolerance: float | None = getattr(field, key)
    return getattr(FIELDS.get(field.name), key, None) if tolerance is None else tolerance


def inside_range(k: np.ndarray, config: "ValidationConfig") -> np.ndarray:
    """Which wave numbers ``(k,)`` [h/Mpc] bars look at.

    Raises
    ------
    EmulatorError
        None of them.
    """
    inside: np.ndarray = (k >= config.k_min_hmpc) & (k <= config.k_max_hmpc)
    if not inside.any():
        raise EmulatorError(
            f"validation: no shell of the spectra ({k[0]:.2f} to {k[-1]:.2f} h/Mpc) lies between "
            f"k_min_hmpc = {config.k_min_hmpc:g} and k_max_hmpc = {config.k_max_hmpc:g}"
        )
    return inside
