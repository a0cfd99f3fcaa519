r"""Whether posteriors cover: how often the truth lies in an interval that should hold it.

A central interval of probability ``c`` holds the truth if its rank ``r``, the share of the
posterior below it, has :math:`|r - 1/2| \le c / 2`. Over cases whose truths are drawn from the
prior, this happens with probability ``c``, for every parameter, if posteriors are right; and also
if they are the prior.

References
----------
Talts et al. (2018), arXiv:1804.06788.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.io import EmulatorError
from emulator.units import Unit

LEVELS = (0.68, 0.90)


def measure_coverage(posterior: xr.Dataset, levels: Sequence[float] = LEVELS) -> xr.Dataset:
    """Share of the truths within central intervals.

    Parameters
    ----------
    posterior
        With ``rank (sample, param)``: see :func:`emulator.inference.posterior.label_posterior`.
    levels
        Probabilities of intervals.

    Returns
    -------
    ``coverage (level, param)`` and ``standard_error``, that of a binomial count of independent
    cases with the nominal probability.

    Raises
    ------
    EmulatorError
        Without ranks, or of fewer than two cases.
    """
    if "rank" not in posterior or "sample" not in posterior["rank"].dims:
        raise EmulatorError("posterior: expected ranks of several windows, got none: pass truth=")
    ranks, n_cases = posterior["rank"], posterior.sizes["sample"]
    if n_cases < 2:
        raise EmulatorError(f"posterior: coverage needs two cases or more, got {n_cases}")
    nominal = xr.DataArray(list(levels), dims="level", coords={"level": list(levels)})
    far = ranks.copy(data=np.abs(ranks.values - 0.5))
    inside = far <= nominal / 2
    error = np.sqrt(nominal.values * (1 - nominal.values) / n_cases)
    attrs = {"units": str(Unit.DIMENSIONLESS)}
    return xr.Dataset(
        {
            "coverage": inside.mean("sample").transpose("level", "param").assign_attrs(attrs),
            "standard_error": ("level", error, attrs),
        },
        attrs={"n_cases": n_cases},
    )
