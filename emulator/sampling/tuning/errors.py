r"""The error of a solver: what it draws against what a fine one draws from the same noise.

For the mean power :math:`\bar P_{c}(k)` of the members of field ``c`` and the mean CRPS against the
truth, both over all windows,

.. math:: e_P = \max_{k} \left| \bar P_c(k) / \bar P^\mathrm{ref}_c(k) - 1 \right|, \qquad
    e_S = \bar S_c / \bar S^\mathrm{ref}_c - 1

The model is the same in both, so its own errors are not in these numbers; and so is the noise, so
that they do not scatter as those of independent draws would.

Not guaranteed: a field that switches (an occupied pixel or an empty one) does so at slightly other
places for every solver. What this leaves in the power falls with the number of windows alone, and
is told by the standard error of :math:`e_P`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.metrics.calibration import crps
from emulator.metrics.power_spectrum import power_spectrum

Floats = NDArray[np.float64]


class Statistics(NamedTuple):
    """Means over members and windows of each simulation."""

    power: Floats  # (simulation, channel, k)
    crps: Floats  # (simulation, channel)


class Errors(NamedTuple):
    """Errors by field, or why there are none."""

    spectrum: dict[str, float]
    noise: dict[str, float]  # standard errors; none of a single simulation
    crps: dict[str, float]
    fault: str | None = None


def measure(
    fields: xr.DataArray, truth: xr.DataArray, owners: Sequence[int], *, pixel_mpch: float
) -> Statistics:
    """Mean spectra of single members and mean fair CRPS, by simulation.

    Parameters
    ----------
    fields
        ``(sample, member, channel, y, x)``, two members or more, in one unit for each simulation.
    truth
        ``(sample, channel, y, x)`` in the same.
    owners
        ``(sample,)``: number of the simulation that each window is of, from 0.
    pixel_mpch
        Side of a pixel [Mpc/h].
    """
    of = {"owner": ("sample", list(owners))}
    power = power_spectrum(fields, pixel_mpch=pixel_mpch).mean("member")
    score = crps(fields, truth).mean(("y", "x"))
    return Statistics(
        *(
            values.assign_coords(of).groupby("owner").mean("sample").transpose("owner", ...).values
            for values in (power, score)
        )
    )


def compare(
    found: Statistics, reference: Statistics, fields: Sequence[str], inside: NDArray[np.bool_]
) -> Errors:
    """Errors of one setting.

    Parameters
    ----------
    found, reference
        Statistics of the same windows from the same noise.
    fields
        Names of the channels.
    inside
        ``(k,)``: shells that count.

    Notes
    -----
    Ratios are of means over simulations. The standard error of the worst shell is that of a
    jackknife over simulations. Zero over zero is no error; something over zero has none that is a
    number, and is a fault.
    """
    power, wanted = found.power[..., inside], reference.power[..., inside]
    ratio = _ratio(power.mean(0), wanted.mean(0))
    scores = _ratio(found.crps.mean(0), reference.crps.mean(0))
    if not (np.isfinite(ratio).all() and np.isfinite(scores).all()):
        return Errors({}, {}, {}, "power or errors where the reference has none")
    errors = np.abs(ratio - 1.0)
    worst = errors.argmax(axis=1)
    rows = range(len(fields))
    noise = {}
    if len(power) > 1:
        spread = _jackknife(power, wanted)
        noise = {fields[i]: float(spread[i, worst[i]]) for i in rows}
    return Errors(
        {fields[i]: float(errors[i, worst[i]]) for i in rows},
        noise,
        {fields[i]: float(scores[i] - 1.0) for i in rows},
    )


def _ratio(values: Floats, wanted: Floats) -> Floats:
    """``values / wanted``; 1 where both are zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where((values == 0.0) & (wanted == 0.0), 1.0, values / wanted)
    return ratio


def _jackknife(values: Floats, wanted: Floats) -> Floats:
    """Standard error of the ratio of sums over the first axis, each left out once."""
    n = len(values)
    others = _ratio(values.sum(0) - values, wanted.sum(0) - wanted)
    error: Floats = np.sqrt((n - 1) * np.nan_to_num(others.var(axis=0)))
    return error
