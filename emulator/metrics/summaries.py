"""Summaries of maps: what responses compare, and what parameters are inferred from.

Of fields ``(..., y, x)``, each map by itself; one map is enough.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from emulator.domain import space_in
from emulator.metrics.power_spectrum import power_spectrum
from emulator.metrics.variance import CLASSES, density_classes
from emulator.units import Unit

N_BINS = 4
"""Bins of wave number of :func:`binned_power`."""


def mass(fields: xr.DataArray, pixel_mpch: float) -> xr.DataArray:
    """Mean of a field over the map, in its unit."""
    return fields.mean(space_in(fields.dims), dtype=np.float64)


def variance(fields: xr.DataArray, pixel_mpch: float) -> xr.DataArray:
    """Variance of the pixels of a map, in the square of the unit."""
    return fields.astype(np.float64).var(space_in(fields.dims))


def power(fields: xr.DataArray, pixel_mpch: float) -> xr.DataArray:
    """Power spectrum in units of the field [(Mpc/h)^2 times the square of the unit]."""
    return power_spectrum(fields.astype(np.float64), pixel_mpch=pixel_mpch)


SUMMARIES: dict[str, Callable[[xr.DataArray, float], xr.DataArray]] = {
    "mass": mass,
    "variance": variance,
    "power": power,
}
"""Of fields ``(member, channel, y, x)``; what is left has a member and a channel."""


def log_variance(fields: xr.DataArray) -> xr.DataArray:
    r"""Variance of the logarithm where a field is strong, finite where it is empty or negative.

    .. math:: \mathrm{Var}\,\mathrm{asinh}(x / \langle |x| \rangle)

    over the pixels of a map; zero of an empty map. Dimensionless.
    """
    values = fields.astype(np.float64)
    scale = values.copy(data=np.abs(values.values)).mean(("y", "x"))
    ratio = values / scale.where(scale > 0, 1.0)
    found = ratio.copy(data=np.arcsinh(ratio.values)).var(("y", "x"))
    found.attrs = {"units": str(Unit.DIMENSIONLESS)}
    return found


def binned_power(fields: xr.DataArray, pixel_mpch: float) -> xr.DataArray:
    """Power in :data:`N_BINS` bins of wave number, equal in its logarithm, ``(..., bin)``.

    In units of the field squared: power over the area of a pixel, mean over the modes of a bin. The
    bins reach from the first shell to the last.

    Raises
    ------
    ValueError
        For maps of fewer than 16 pixels a side, of which bins are empty.
    """
    if fields.sizes["x"] < 16:
        raise ValueError(f"bins of power need 16 pixels a side, got {fields.sizes['x']}")
    found = power(fields, pixel_mpch)
    shells = np.log(np.arange(1, found.sizes["k"] + 1))
    place = np.minimum(N_BINS * shells / shells[-1], N_BINS - 1).astype(int)
    modes = found["n_modes"].values
    bins = np.stack([np.where(place == number, modes, 0.0) for number in range(N_BINS)])
    shares = xr.DataArray(bins / bins.sum(1, keepdims=True), dims=("bin", "k"))
    binned: xr.DataArray = (found.drop_vars(["k", "n_modes"]) * shares).sum("k")
    return binned / pixel_mpch**2


def profile(fields: xr.DataArray, condition: xr.DataArray) -> xr.DataArray:
    """Mean of a field in classes of DMO mass, ``(..., dmo_density)``, in its unit.

    Parameters
    ----------
    fields
        ``(sample, ..., y, x)``.
    condition
        DMO mass ``(sample, y, x)``; the pixels of each map are sorted by themselves into
        :data:`emulator.metrics.variance.CLASSES`.
    """
    classes = np.stack([density_classes(one) for one in condition.values])
    own = xr.DataArray(
        classes[..., None] == np.arange(len(CLASSES)),
        dims=("sample", "y", "x", "dmo_density"),
    ).astype(np.float64)
    shares = own / own.sum(("y", "x"))
    means: xr.DataArray = xr.dot(fields.astype(np.float64), shares, dim=("y", "x"))
    return means
