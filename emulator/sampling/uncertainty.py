r"""What an ensemble spreads by: chance, what training left open, and what parameters are not known.

Of values :math:`y_{kjm}` of model ``k``, parameters :math:`\theta_{kj}` drawn for it from their
prior, and member ``m`` at these, the law of total variance reads

.. math:: \mathrm{Var}\,y = E[\mathrm{Var}(y|k,\theta)] + E[\mathrm{Var}(E[y|k,\theta]\,|k)]
    + \mathrm{Var}(E[y|k])

and its terms are estimated by a nested analysis of variance, with means over what is not named:

.. math:: s^2 = \langle\mathrm{Var}_m y_{kjm}\rangle, \qquad
    p^2 = \langle\mathrm{Var}_j \bar y_{kj}\rangle - \frac{s^2}{M}, \qquad
    b^2 = \mathrm{Var}_k \bar y_k - \frac{\langle\mathrm{Var}_j \bar y_{kj}\rangle}{J} .

All variances have one degree of freedom less than there are values, so that each term is unbiased
(and may be below zero where it is small). Their sum is, to the bit of rounding, the mean of
:math:`\tfrac12(y - y')^2` over all pairs of different models: the variance of the mixture.

References
----------
Searle, Casella & McCulloch (1992), Variance Components, chapter 3.
"""

from typing import TYPE_CHECKING

import numpy as np

from emulator.io import EmulatorError

if TYPE_CHECKING:
    import xarray as xr


def split_variance(values: "xr.DataArray") -> "xr.Dataset":
    """Terms of the variance of an ensemble.

    Parameters
    ----------
    values
        Any dimensions beside ``member``, ``point`` (draws of parameters, other ones for each model)
        and ``model``; without ``point`` or ``model`` that term is left out.

    Returns
    -------
    ``sampling``, ``parameters`` and ``between_models``, variances in the square of the unit, their
    sum ``total``, and the ``mean``.

    Raises
    ------
    EmulatorError
        Without members, or where a dimension has one entry, of which no variance is known.
    """
    import xarray as xr

    if "member" not in values.dims:
        raise EmulatorError(f"values: expected the dimension member, got {values.dims}")
    nested = [dim for dim in ("member", "point", "model") if dim in values.dims]
    if short := [dim for dim in nested if values.sizes[dim] < 2]:
        raise EmulatorError(
            f"values: a variance needs two entries or more along {short[0]}, got 1: draw more, or "
            "leave that dimension out"
        )
    names = {"member": "sampling", "point": "parameters", "model": "between_models"}
    left, noise, found = values.astype(np.float64), None, {}
    for dim in nested:
        spread = left.var(dim, ddof=1)
        others = [other for other in nested if other in spread.dims]
        # means over what is below scatter by its variance, too
        found[names[dim]] = spread.mean(others) if noise is None else spread.mean(others) - noise
        noise = spread.mean(others) / values.sizes[dim]
        left = left.mean(dim)
    return xr.Dataset({**found, "total": sum(found.values()), "mean": left}).assign_attrs(
        {f"n_{dim}s": values.sizes[dim] for dim in nested}
    )
