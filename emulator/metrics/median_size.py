r"""How far slopes are from 1, as the median over parameters, and the interval of that number.

With slopes :math:`b_p` of parameters :math:`p` the size is :math:`T(b) = \mathrm{median}_p
|b_p - 1|`. It is folded at 0: errors of slopes make it too large, by up to their own size where the
slopes are right, and draws :math:`b^*` of a bootstrap, which add the same errors once more, make it
larger still. Quantiles of :math:`T(b^*)` may therefore lie above :math:`T(b)` altogether, and never
reach 0. The interval is

.. math:: T(b) \pm \langle (T(b^*) - T(b))^2 \rangle^{1/2},

in which the shift counts as scatter. Its lower end is 0 where errors alone, :math:`T(1 + b^* - b)`,
are as large as :math:`T(b)` in more than 31.7 % of the draws: then no size at all is as likely.
"""

import numpy as np
from numpy.typing import NDArray

from emulator.metrics.jackknife import ONE_SIGMA

Array = NDArray[np.float64]


def median_size(slopes: Array, counts: NDArray[np.bool_]) -> Array:
    """Value and interval of the median distance of slopes from 1.

    Parameters
    ----------
    slopes
        ``(1 + draw, parameter, field)``: row 0 of all data, the others of a bootstrap; NaN is
        infinitely far from 1.
    counts
        ``(parameter, field)``, which of them enter.

    Returns
    -------
    ``(3, field)``: value, low, high [1]. The value is NaN where nothing counts; the ends are NaN,
    too, where the value or that of a draw is not finite.

    Notes
    -----
    The value is biased high, as said above. The interval holds the true size in 60 to 85 % of
    experiments, for one to six parameters that are off by nothing, by as much as their errors or by
    far more, with errors that are independent or share half of their variance (tests).
    """
    found = _median(slopes - 1.0, counts)
    value, draws = found[0], found[1:]
    errors = _median(slopes[1:] - slopes[:1], counts)
    with np.errstate(invalid="ignore"):
        half = np.sqrt(((draws - value) ** 2).mean(axis=0))
        by_errors = np.quantile(errors, 2.0 * ONE_SIGMA - 1.0, axis=0)
        low = np.where(value <= by_errors, 0.0, np.maximum(value - half, 0.0))
        known = np.isfinite(half)
    return np.stack([value, np.where(known, low, np.nan), np.where(known, value + half, np.nan)])


def _median(offsets: Array, counts: NDArray[np.bool_]) -> Array:
    """Median of absolute values ``(draw, parameter, field)`` over parameters that count."""
    columns = []
    for place, here in enumerate(counts.T):
        sizes = np.abs(offsets[:, here, place])
        sizes = np.where(np.isnan(sizes), np.inf, sizes)
        middle = np.median(sizes, axis=1) if here.any() else np.full(len(offsets), np.nan)
        columns.append(middle)
    return np.stack(columns, axis=1)
