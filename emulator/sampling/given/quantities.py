r"""Quantities with units, as those of astropy, in the units of this project; h is a unit, too.

A mass in :math:`M_\odot h^p` per pixel is the number :math:`v\,h^{p+1}` in Msun/h, and a comoving
length in Mpc :math:`h^p` the number :math:`v\,h^{p+1}` in Mpc/h. Where :math:`p = -1`, h drops out.
Else its value is that of the parameters, or the quantity is refused: no value is assumed.

Only attributes are read (``unit.decompose``, ``unit.to``, ``value``), so that astropy is no
dependency. In ``astropy.cosmology.units`` h is ``littleh``: ``u.Msun / cu.littleh``.
"""

from typing import Any, Literal

import numpy as np

from emulator.io import EmulatorError
from emulator.sampling.given.arrays import plain_array

Base = Literal["Msun", "Mpc"]

_LITTLE_H, _PIXEL = "littleh", "pix"
_WANTED = {"Msun": "a mass per pixel (Msun/h)", "Mpc": "a comoving length (Mpc/h)"}
HUBBLE = "h"
"""Name of the parameter that is h, where a model is conditioned on it."""


def is_quantity(values: Any) -> bool:
    """Whether it bears a unit that can be converted."""
    return hasattr(values, "unit") and hasattr(values, "to_value")


def convert(quantity: Any, base: Base, name: str, hubble: np.ndarray | None) -> np.ndarray:
    """Numbers in Msun/h, or Mpc/h, of the shape of the quantity, float64.

    Parameters
    ----------
    quantity
        Of a mass (per pixel) or a length, with any power of h.
    base
        What it should be.
    name
        Of the argument, for messages.
    hubble
        h of each sample, one value for all, or None: it is not known.

    Raises
    ------
    EmulatorError
        A unit of another kind, h that is needed and not known, or one for each of several samples
        where there is one array for all; and what
        :func:`~emulator.sampling.given.arrays.plain_array` refuses.
    """
    unit = quantity.unit
    try:
        parts = unit.decompose()
        powers = {part.name: (part, power) for part, power in zip(parts.bases, parts.powers)}  # noqa: B905 - of other code
        h_power = float(powers[_LITTLE_H][1]) if _LITTLE_H in powers else 0.0
        plain = unit
        for dropped in (_LITTLE_H, *((_PIXEL,) if base == "Msun" else ())):
            if dropped in powers:
                part, power = powers[dropped]
                plain = plain / part**power
        if powers.get(_PIXEL, (None, -1))[1] != -1:
            raise ValueError("pixels do not stand in the denominator")
        factor = float(plain.to(base))
    except (AttributeError, TypeError, ValueError) as error:
        raise EmulatorError(
            f"{name}: expected {_WANTED[base]}, got a quantity in {unit} ({error})"
        ) from error
    numbers = factor * _numbers(quantity, name)
    if h_power == -1.0:
        return numbers
    if hubble is None:
        raise EmulatorError(
            f"{name}: got a quantity in {unit}, where {base}/h is needed and h is not known (it is "
            f"no known parameter of the model): pass it in {base}/littleh, as u.{base} / cu.littleh"
        )
    h = np.unique(hubble) if len(np.unique(hubble)) == 1 else hubble
    if len(h) > 1 and (numbers.ndim < 3 or len(numbers) != len(h)):
        raise EmulatorError(
            f"{name}: one array in {unit} for samples of different h ({h.min():g} to {h.max():g}): "
            f"pass an array for each sample, or numbers in {base}/h"
        )
    return numbers * (h ** (h_power + 1.0)).reshape(-1, *[1] * (numbers.ndim - 1))


def dimensionless(value: Any, name: str) -> Any:
    """A value without its unit, which must be none; anything but a quantity as it is."""
    if not is_quantity(value):
        return value
    try:
        return value.to_value("")
    except (TypeError, ValueError) as error:
        raise EmulatorError(f"{name}: expected no unit, got {value.unit}") from error


def _numbers(quantity: Any, name: str) -> np.ndarray:
    # a masked quantity keeps its mask, and is refused with it
    bare = quantity.value
    return plain_array(bare, name).astype(float)
