r"""Summaries of single windows, truth and members alike: what tests of two samples are made of.

Of each field: the logarithm of its mean (``asinh(mean / s)`` of signed ones), and of its power in
three bins of wave number. What windows share by their DMO map is taken away: a *residual* is a
summary minus its mean over the truth and all members of the window. Truth and members enter alike,
so that the residuals of a calibrated ensemble are exchangeable.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.metrics.base import Case
from emulator.metrics.spectra import window_spectra

Array = NDArray[np.float64]

N_BINS = 3
LEAST_SHARE = 1.0e-4
"""Of the mean over all draws, added before a logarithm: empty windows have one."""


def window_residuals(case: Case) -> Array:
    """Residuals ``(sample, draw, channel, summary)``; the truth is draw 0, members follow."""
    spectra = case.shared(window_spectra)
    names = [field.name for field in case.fields]
    groups = np.array_split(np.arange(spectra.sizes["k"]), N_BINS)
    draws = []
    for maps, power in (("truth", "truth"), ("fields", "members")):
        values = case.ensemble[maps].astype(np.float64)
        mean = (values.mean(case.domain.axes) / case.scales).rename("mean")
        modes = spectra[power].sel(field=names).rename(field="channel")
        bins = [(modes * modes["n_modes"]).isel(k=group).sum("k") for group in groups]
        row = xr.concat([mean, *bins], "summary")
        row = row if "member" in row.dims else row.expand_dims("member")
        draws.append(row.transpose("sample", "member", "channel", "summary").values)
    return residuals_of(np.concatenate(draws, axis=1), [field.signed for field in case.fields])


def residuals_of(values: Array, signed: list[bool]) -> Array:
    """Logarithms minus their mean over draws.

    Parameters
    ----------
    values
        ``(sample, draw, channel, summary)``: means, then powers; zero or more, but for the means
        of signed fields.
    signed
        Of each channel, whether it is.
    """
    floor = LEAST_SHARE * np.abs(values).mean(axis=(0, 1))
    tiny = np.finfo(float).tiny
    logs = np.log(np.maximum(values, 0.0) + floor + tiny)
    means = np.where(signed, np.arcsinh(values[..., 0]), logs[..., 0])
    logs[..., 0] = means
    result: Array = logs - logs.mean(axis=1, keepdims=True)
    return result
