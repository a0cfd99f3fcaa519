r"""Numbers of members whose conditions were changed, with errors over runs.

**Scores.** With ``c`` the fair CRPS of members of the right condition, averaged over windows, and
``c'`` that of members of a changed one, ``c' / c``: 1 where the change is not seen. Members of both
have the same noise, so that a model which ignores what was changed has a ratio of exactly 1, and
others one whose error is that of the difference. Scored are pixels and means over windows, as in
:mod:`emulator.metrics.scores`.

**Turns.** With :math:`a_i` members of a window and :math:`b_i` members of the window turned, turned
back, of independent noise, :math:`\bar a, \bar b` their means and :math:`s^2` their variances
(``M - 1`` in the denominator),

.. math:: D = \Big\langle (\bar a - \bar b)^2 - \frac{s_a^2 + s_b^2}{M} \Big\rangle
          \Big/ \Big\langle \frac{s_a^2 + s_b^2}{2} \Big\rangle

over pixels and windows, of logarithms (:mod:`emulator.metrics.log_maps`: in masses a few halos
would be all that counts): the square of the difference of means, in units of the variance of
members. The numerator is unbiased for any ``M`` from 2 on, so a law that turns with its window has
0, and values below 0 are scatter.

Means over the windows of a run, and ratios of these, have the errors of
:mod:`emulator.metrics.jackknife`.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.metrics.calibration import crps
from emulator.metrics.jackknife import Jackknife

SCORED = ("pixels", "window means")


def score_ratio(
    changed: xr.DataArray,
    right: xr.DataArray,
    truth: xr.DataArray,
    owners: Sequence[int],
    runs: Sequence[str],
) -> xr.DataArray:
    """CRPS of members of changed conditions over that of the right ones.

    Parameters
    ----------
    changed, right
        ``(sample, member, channel, ...)``, in units in which simulations compare.
    truth
        The same without ``member``.
    owners
        Number of the simulation of each sample.
    runs
        Run of each simulation.

    Returns
    -------
    ``(estimate, scored, channel)`` [1], ``scored`` of :data:`SCORED`.
    """
    jackknife = _jackknife(runs)
    whole = [dim for dim in truth.dims if dim not in ("sample", "channel")]
    rows = []
    for means in ([], whole):  # of nothing: pixels
        wrong, good = (
            jackknife.mean(_by_window(crps(each.mean(means), truth.mean(means)), owners))
            for each in (changed, right)
        )
        rows.append(wrong / good)
    ratio = xr.concat(rows, "scored").assign_coords(scored=list(SCORED))
    return jackknife.estimate(ratio, "CRPS of a changed condition over that of the right")


def turn_difference(
    turned_back: xr.DataArray,
    members: xr.DataArray,
    owners: Sequence[int],
    runs: Sequence[str],
) -> xr.DataArray:
    """Square of the difference of means over the variance ``(estimate, channel)``.

    Arguments are those of :func:`score_ratio`, as logarithms.
    """
    n_members = members.sizes["member"]
    variance = members.var("member", ddof=1) + turned_back.var("member", ddof=1)
    square = (members.mean("member") - turned_back.mean("member")) ** 2 - variance / n_members
    jackknife = _jackknife(runs)
    above, below = (jackknife.mean(_by_window(values, owners)) for values in (square, variance / 2))
    return jackknife.estimate(
        above / below, "square of the difference of means of turned windows over the variance"
    )


def _jackknife(runs: Sequence[str]) -> Jackknife:
    return Jackknife(xr.DataArray(list(runs), dims="simulation"))


def _by_window(values: xr.DataArray, owners: Sequence[int]) -> xr.DataArray:
    """Means over the windows of each simulation ``(simulation, channel)``."""
    values = values.mean([dim for dim in values.dims if dim not in ("sample", "channel")])
    rows = np.asarray(owners)
    means = [values.isel(sample=rows == number).mean("sample") for number in range(rows.max() + 1)]
    return xr.concat(means, "simulation").reset_coords(drop=True)
