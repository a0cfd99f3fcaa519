r"""Maps as logarithms: ``ln(1 + delta)`` with a floor, which metrics of shape share.

.. math:: y = \ln \max(x / s, 10^{-3})

with ``s`` the mean DMO mass of a pixel (the root mean square over the box of fields that are no
masses), so that truth and members have one unit and empty pixels a value. A mean of ``x`` other
than ``s`` shifts ``y`` alone: variance and higher cumulants are those of ``ln(1 + delta)``, but for
the pixels at the floor. Signed fields have no logarithm: they stay :math:`x / s`.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.fields import Field
from emulator.metrics.base import Case

FLOOR = 1.0e-3


def log_maps(values: xr.DataArray, scales: xr.DataArray, fields: Sequence[Field]) -> xr.DataArray:
    """Logarithms of maps.

    Parameters
    ----------
    values
        ``(..., channel, y, x)`` [unit of each field].
    scales
        ``(channel,)`` from :class:`~emulator.metrics.base.Case`.
    fields
        What the channels are, in their order.

    Returns
    -------
    The same dimensions, float64 [1].
    """
    relative = values.astype(np.float64) / scales
    y: xr.DataArray = xr.apply_ufunc(np.log, relative.clip(min=FLOOR))
    signed = [field.name for field in fields if field.signed]
    if signed:
        y = y.where(~y["channel"].isin(signed), relative)
    result: xr.DataArray = y.transpose(*values.dims)
    return result


def case_logs(case: Case) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truth ``(sample, channel, y, x)`` and members ``(member, sample, channel, y, x)``.

    Ask for them by ``case.shared(case_logs)``.
    """
    truth, members = (
        log_maps(case.ensemble[name], case.scales, case.fields) for name in ("truth", "fields")
    )
    order = ("sample", "channel", "y", "x")
    return truth.transpose(*order).values, members.transpose("member", *order).values
