r"""Classes of brightness that treat the truth as one more member.

The brightness of a pixel is the mean of truth and members together,

.. math:: b = \frac{1}{M+1} \Big(y + \sum_i x_i\Big),

and classes are quantiles of it over the pixels of a simulation, field by field: the faint half of
those that are not empty, the brightest hundredth of all, and those between. Nothing of this
changes if the truth and a member are swapped, so that the truth of a calibrated ensemble has a
uniform rank *in every class*. By the brightness of the truth alone, or of the members alone, it
would not: bright truths are those that lie above their members.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

CLASSES = ("faint", "middle", "bright")
FAINT, BRIGHT = 0.5, 0.99
"""Quantile of the pixels that are not empty below which they are faint; quantile of all pixels
above which they are bright. (A hundredth of the pixels that hold stars would be too few.)"""

LABELS = {"faint": "faint half", "middle": "middle", "bright": "brightest 1 %"}


def brightness_classes(members: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    """Which pixels are of which class.

    Parameters
    ----------
    members, truth
        ``(sample, member, channel, y, x)`` and the same without ``member`` [unit of each field].

    Returns
    -------
    Booleans ``(brightness, sample, channel, y, x)``. Pixels that are empty in truth and all members
    say nothing and belong to no class.
    """
    n_members = members.sizes["member"]
    total = truth.astype(np.float64) + members.sum("member", dtype=np.float64)
    pooled = (total / (n_members + 1)).transpose("channel", ...)
    picked = np.stack([_classes_of(channel) for channel in pooled.values], axis=1)
    return xr.DataArray(
        picked,
        dims=("brightness", *pooled.dims),
        coords={"brightness": list(CLASSES), "channel": truth["channel"]},
    ).transpose("brightness", *truth.dims)


def _classes_of(pooled: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Classes ``(brightness, ...)`` of one field."""
    occupied = pooled != 0.0
    if not occupied.any():
        return np.zeros((len(CLASSES), *pooled.shape), bool)
    low = np.quantile(pooled[occupied], FAINT)
    high = max(low, np.quantile(pooled, BRIGHT))
    return np.stack(
        [
            occupied & (pooled <= low),
            occupied & (pooled > low) & (pooled <= high),
            occupied & (pooled > high),
        ]
    )
