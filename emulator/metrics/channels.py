"""Channels and their sum: arrays by ``field``, their units, and those of their variances."""

from collections.abc import Sequence

import xarray as xr

from emulator.fields import TOTAL, Field, shared_unit, summands, with_total
from emulator.units import Unit

UNIT_OF_FIELD = "unit of the field"
"""Stands in ``attrs["units"]`` where fields of different units share one array."""


def add_total(values: xr.DataArray, fields: Sequence[Field]) -> xr.DataArray:
    """Rename ``channel`` to ``field``; append the sum where the channels make up all matter.

    Parameters
    ----------
    values
        ``(..., channel, ...)`` [unit of each field].
    fields
        What the channels are, in their order.
    """
    parts = summands(fields)
    if not parts:
        return values.rename(channel="field")
    everything = len(parts) == len(fields)
    masses = values if everything else values.sel(channel=list(parts))
    total = masses.sum("channel").expand_dims(channel=[TOTAL.name])
    return xr.concat([values, total], "channel").rename(channel="field")


def names_with_total(fields: Sequence[Field]) -> list[str]:
    """Labels of the dimension ``field``."""
    return [field.name for field in with_total(fields)]


def common_unit(fields: Sequence[Field]) -> str:
    """The unit of all fields, or :data:`UNIT_OF_FIELD`."""
    return shared_unit(fields, UNIT_OF_FIELD)


def variance_attrs(fields: Sequence[Field]) -> dict[str, str]:
    """Units of variances over ``Case.scales`` squared."""
    if all(field.run == "array" for field in fields):
        return {"units": str(Unit.DIMENSIONLESS), "scale": "mean square over all maps"}
    masses = all(field.adds_up for field in fields)
    scale = "mean DMO mass per pixel, squared"
    if not masses:
        scale += "; of fields that are no masses: mean square over the box"
    return {"units": str(Unit.DIMENSIONLESS), "mass_unit": scale}


def squared(scales: xr.DataArray | float) -> xr.DataArray | float:
    """Squares of ``Case.scales``, or of one scale, in float64."""
    if isinstance(scales, xr.DataArray):
        return scales.copy(data=[float(scale) ** 2 for scale in scales.values])
    return scales**2
