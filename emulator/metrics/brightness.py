r"""Classes of brightness that treat the truth as one more member.

The brightness of a pixel is the mean of truth and members together,

.. math:: b = \frac{1}{M+1} \Big(y + \sum_i x_i\Big),

and classes are quantiles of it over the pixels of a simulation, field by field. Nothing of this
changes if the truth and a member are swapped, so that the truth of a calibrated ensemble has a
uniform rank *in every class*. By the brightness of the truth alone, or of the members alone, it
would not: bright truths are those that lie above their members.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

CLASSES = {"faint": (0.0, 0.5), "middle": (0.5, 0.99), "bright": (0.99, 1.0)}
"""Quantiles of brightness between which the pixels of a class lie."""

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
    ends = np.quantile(pooled[occupied], [low for low, _ in CLASSES.values()])
    place = np.searchsorted(ends[1:], pooled, side="left")
    return np.stack([occupied & (place == number) for number in range(len(CLASSES))])
