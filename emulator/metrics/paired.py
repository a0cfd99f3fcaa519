r"""Forecasts of the same truths beside each other: ratios of scores, with the error of a pair.

Most of the scatter of a score from run to run is that of the truths, which forecasts share. With
means over runs :math:`\bar x` of a score and of that of a reference,

.. math:: s = \langle \bar x \rangle_R \,/\, \langle \bar x^{ref} \rangle_R,

each replicate of the jackknife leaves out the same run of both, so that what they share cancels.
Forecasts that are equal have a ratio of exactly 1 without error.

Not covered by this error: what another seed of training would change, see
:func:`relative_scatter`.
"""

import numpy as np
import xarray as xr

from emulator.metrics.jackknife import Jackknife


def paired_ratio(runs: Jackknife, scores: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """Ratio of means over runs, of the simulations that have both.

    Parameters
    ----------
    runs
        Of the simulations, in their order.
    scores, reference
        ``(simulation, ...)`` of the same simulations and dimensions, in one unit.

    Returns
    -------
    ``(replicate, ...)``, for :meth:`Jackknife.estimate`.
    """
    both = scores.notnull() & reference.notnull()
    return runs.mean(scores.where(both)) / runs.mean(reference.where(both))


def geometric_mean(ratios: xr.DataArray, over: str | tuple[str, ...]) -> xr.DataArray:
    """Geometric mean of positive ratios over dimensions; NaN if one of them is not defined."""
    logarithm = ratios.copy(data=np.log(ratios.values)).mean(over, skipna=False)
    return logarithm.copy(data=np.exp(logarithm.values))


def relative_scatter(runs: Jackknife, scores: xr.DataArray, over: str) -> xr.DataArray:
    """Standard deviation of mean scores among models over their mean, ``(replicate, ...)``.

    Parameters
    ----------
    runs
        Of the simulations.
    scores
        ``(simulation, ...)`` with the dimension ``over`` of two models or more.
    over
        Dimension of the models, that differ by their seed of training alone.

    Notes
    -----
    With ``ddof = 1``. Of few models the standard deviation is itself uncertain: by a factor of two
    to either side for three of them, which its error (that of the runs) does not say.
    """
    means = runs.mean(scores)
    scatter: xr.DataArray = means.std(over, ddof=1) / means.mean(over)
    return scatter
