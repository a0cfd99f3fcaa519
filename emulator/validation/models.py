r"""What trained models disagree about: the uncertainty of the model, beside that of its draws.

With ``m`` models of ``n`` members each, the variance of the ensemble at a pixel splits into

.. math:: W = \frac1m \sum_i s_i^2, \qquad B = s^2(\bar x_1, \ldots, \bar x_m) - W / n

within models and between them; both are unbiased (one-way analysis of variance), so that ``B`` of a
few pixels may be negative. Everything kept here is linear or a score of one model alone; ratios
are formed in :mod:`emulator.validation.summary`.
"""

import numpy as np
import xarray as xr

from emulator.metrics import calibration
from emulator.units import Unit


def compare_models(
    ensemble: xr.Dataset, power_members: xr.DataArray, mean_dmo_msunh: float
) -> xr.Dataset:
    """Statistics of each model of an ensemble.

    Parameters
    ----------
    ensemble
        ``fields (sample, member, channel, y, x)`` and ``truth`` [Msun/h per pixel], with the
        coordinate ``model_seed (member)``.
    power_members
        Spectra ``(member, field, k)`` [(Mpc/h)^2].
    mean_dmo_msunh
        Unit of the variances [Msun/h per pixel].

    Returns
    -------
    ``variance_within, variance_between (channel)``, ``score_by_model (model_seed, channel)``
    [Msun/h per pixel] and ``power_by_model (model_seed, field, k)``; nothing if the members are of
    one model, or of a model that drew fewer than two.
    """
    seeds, counts = np.unique(ensemble["model_seed"].values, return_counts=True)
    if len(seeds) < 2 or counts.min() < calibration.MIN_MEMBERS:
        return xr.Dataset()
    pixels, name = ("sample", "y", "x"), "model_seed"
    models = [np.flatnonzero(ensemble[name].values == seed) for seed in seeds]
    fields = [
        ensemble["fields"].isel(member=rows).drop_vars(_of_members(ensemble)).astype(np.float64)
        for rows in models
    ]
    by_model = xr.DataArray(seeds, dims=name, name=name)
    means = xr.concat([part.mean("member") for part in fields], by_model)
    within = xr.concat([part.var("member", ddof=1) for part in fields], by_model)
    noise = (within / xr.DataArray(counts, dims=name, coords={name: seeds})).mean(name)
    scores = [calibration.crps(part, ensemble["truth"]).mean(pixels) for part in fields]
    power = [power_members.isel(member=rows).mean("member") for rows in models]
    square = {"units": str(Unit.DIMENSIONLESS), "mass_unit": "mean DMO mass per pixel, squared"}
    unit = mean_dmo_msunh**2
    return xr.Dataset(
        {
            "variance_within": (within.mean(name).mean(pixels) / unit).assign_attrs(square),
            "variance_between": (
                (means.var(name, ddof=1) - noise).mean(pixels) / unit
            ).assign_attrs(square),
            "score_by_model": xr.concat(scores, by_model).assign_attrs(
                units=str(Unit.MASS_PER_PIXEL), long_name="fair CRPS of one model's members"
            ),
            "power_by_model": xr.concat(power, by_model).assign_attrs(
                units=str(Unit.POWER_2D), long_name="mean power spectrum of one model's members"
            ),
        }
    )


def _of_members(ensemble: xr.Dataset) -> list[str]:
    return [str(name) for name, values in ensemble.coords.items() if "member" in values.dims]
