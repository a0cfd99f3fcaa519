"""One-point statistics: how much mass, in how many pixels, and how it is distributed over them.

All of them are means over pixels, hence unbiased for any number of maps (one member is enough) and
linear: average over members, windows and simulations in any order.
"""

import numpy as np
import xarray as xr

from emulator.domain import space_in
from emulator.units import Unit

LOG_MASS_EDGES = np.linspace(-16.0, 16.0, 129)
"""Edges of the histogram, log10 of a value in the unit of its field; one grid for all files.

Masses lie far above 1, a metallicity or a Compton y far below.
"""


def log_mass_pdf(field: xr.DataArray, edges: np.ndarray = LOG_MASS_EDGES) -> xr.DataArray:
    r"""Density of the ``log10`` of a pixel over all pixels, empty ones included in the total.

    Parameters
    ----------
    field
        ``(..., y, x)`` [unit of the field], not negative. All dimensions but ``channel`` are
        merged.
    edges
        Increasing bin edges [log10 of that unit].

    Returns
    -------
    ``(channel, log_mass)`` [share of pixels per dex]; its integral is the share of pixels within
    the edges, so it falls short of 1 by the share of empty pixels.
    """
    centres = (edges[1:] + edges[:-1]) / 2
    channels = field.transpose("channel", ...)
    widths = np.diff(edges)
    rows = []
    for values in channels.values:
        occupied = values[values > 0]
        counts = np.histogram(np.log10(occupied), edges)[0]
        rows.append(counts / (values.size * widths))
    return xr.DataArray(
        np.asarray(rows),
        dims=("channel", "log_mass"),
        coords={
            "channel": field["channel"],
            "log_mass": ("log_mass", centres, {"long_name": "log10 of the value of a pixel"}),
        },
        attrs={"units": str(Unit.DIMENSIONLESS), "long_name": "share of pixels per dex"},
    )


def occupancy(field: xr.DataArray, threshold_msunh: float = 0.0) -> xr.DataArray:
    """Share of pixels ``(y, x)`` that hold more than ``threshold_msunh`` [Msun/h per pixel]."""
    share = (field > threshold_msunh).mean(space_in(field.dims))
    share.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "share of occupied pixels"}
    return share


def mean_mass(field: xr.DataArray) -> xr.DataArray:
    """Mean over ``(y, x)`` [Msun/h per pixel], summed in float64."""
    mean = field.mean(space_in(field.dims), dtype=np.float64)
    mean.attrs = {"units": str(Unit.MASS_PER_PIXEL), "long_name": "mean mass per pixel"}
    return mean


def mass_ratio(members: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    """Total mass of the members over that of the truth; NaN where the truth has none.

    Notes
    -----
    Give it means over windows and members: the ratio of sums is unbiased to first order, the mean
    of ratios is not.
    """
    ratio = members / truth.where(truth > 0)
    ratio.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "total mass ratio"}
    return ratio
