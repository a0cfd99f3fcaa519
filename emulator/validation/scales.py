"""Units in which maps of different simulations compare."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.fields import Field


def unit_of(maps: Maps) -> float:
    """Mean DMO mass over all projections [Msun/h per pixel]; of arrays, rms of the condition."""
    name = maps.conditions[0]
    if not maps.domain.is_matter:
        return _rms(maps, name)
    return float(maps.select([name]).mean(dtype=np.float64))


def scales_of(maps: Maps, fields: Sequence[Field], mean_dmo: float) -> xr.DataArray:
    """Unit of spectra and variances by channel: mean DMO mass, or the rms of other fields."""
    names = [field.name for field in fields]
    values = [mean_dmo if field.adds_up else _rms(maps, field.name) for field in fields]
    return xr.DataArray(values, dims="channel", coords={"channel": names})


def _rms(maps: Maps, name: str) -> float:
    return float(np.sqrt(np.mean(np.square(maps.select([name]), dtype=np.float64)))) or 1.0
