"""What bars ask for: tolerances field by field, and the range of wave numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from emulator.fields import FIELDS, Field, with_total
from emulator.io import EmulatorError
from emulator.units import Unit

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


def with_all_shells(config: "ValidationConfig", k: np.ndarray) -> "ValidationConfig":
    """The config of arrays with a range of wave numbers; of all shells ``(k,)`` if it has none."""
    if config.k_range is not None:
        return config
    ends = (float(f"{0.99 * k[0]:.3g}"), float(f"{1.01 * k[-1]:.3g}"))
    return config.model_copy(update={"k_range": ends})


def inside_range(k: np.ndarray, config: "ValidationConfig") -> np.ndarray:
    """Which wave numbers ``(k,)`` [h/Mpc] bars look at.

    Raises
    ------
    EmulatorError
        None of them.
    """
    low, high = config.wave_numbers
    inside: np.ndarray = (k >= low) & (k <= high)
    if not inside.any():
        if config.k_range is not None:
            raise EmulatorError(
                f"validation: no shell of the spectra ({k[0]:.3g} to {k[-1]:.3g}) lies in k_range "
                f"[{low:g}, {high:g}]"
            )
        raise EmulatorError(
            f"validation: no shell of the spectra ({k[0]:.2f} to {k[-1]:.2f} h/Mpc) lies between "
            f"k_min_hmpc = {low:g} and k_max_hmpc = {high:g}"
        )
    return inside


def unit_of_k(metrics: xr.Dataset) -> str:
    """Unit of the wave numbers of a file."""
    return str(metrics["k"].attrs.get("units", Unit.WAVE_NUMBER))


def range_text(config: "ValidationConfig", unit: str = str(Unit.WAVE_NUMBER)) -> str:
    """The range of wave numbers in words."""
    low, high = config.wave_numbers
    return f"k = {low:g} to {high:g} {unit}"
