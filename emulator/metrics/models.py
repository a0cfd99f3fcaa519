r"""What trained models disagree about: the uncertainty of the model, beside that of its draws.

With ``m`` models of ``n`` members each, the variance of the ensemble at a pixel splits into

.. math:: W = \frac1m \sum_i s_i^2, \qquad B = s^2(\bar x_1, \ldots, \bar x_m) - W / n

within models and between them; both are unbiased (one-way analysis of variance), so that ``B`` of a
few pixels may be negative.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.domain import space_in
from emulator.fields import Field
from emulator.metrics import calibration
from emulator.metrics.base import Case, Metric
from emulator.metrics.channels import common_unit, squared, variance_attrs
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.power_spectrum import power_ratio
from emulator.metrics.spectra import mean_spectra
from emulator.units import Unit


class Models(Metric):
    """Share of the variance between models of different seeds, and how good each is alone."""

    name = "models"
    label = "Uncertainty of the model"
    estimator = "analysis of variance, unbiased; models that drew 2 members or more"
    variables = ("model_share", "power_ratio_by_model", "crps_by_model")
    panels = ()
    place = 80.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """See :func:`compare_models`; empty if they are of one model."""
        spectra = mean_spectra(case, "truth", "members")
        ensemble = case.ensemble.assign_coords(model_seed=("member", case.model_seed))
        stats = compare_models(ensemble, spectra["power_members"], case.scales)
        if not stats:
            return stats
        for name in ("variance_within", "variance_between"):
            stats[name].attrs = variance_attrs(case.fields)
        stats["score_by_model"].attrs["units"] = common_unit(case.fields)
        return stats.assign(power_truth=spectra["power_truth"])

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Share ``(estimate, channel)``; ratio and score with the dimension ``model_seed``."""
        if "variance_between" not in stats:
            return {}
        between, within = (
            runs.mean(stats["variance_between"]),
            runs.mean(stats["variance_within"]),
        )
        ratio = power_ratio(runs.mean(stats["power_by_model"]), runs.mean(stats["power_truth"]))
        crps = runs.mean(stats["score_by_model"])
        return {
            "model_share": runs.estimate(
                between / (between + within), "share of the variance that is between models"
            ),
            "power_ratio_by_model": runs.estimate(ratio, "sum P_member / sum P_truth of one model"),
            "crps_by_model": runs.estimate(crps, "fair CRPS of one model", common_unit(fields)),
        }


def compare_models(
    ensemble: xr.Dataset, power_members: xr.DataArray, scales: xr.DataArray | float
) -> xr.Dataset:
    """Statistics of each model of an ensemble.

    Parameters
    ----------
    ensemble
        ``fields (sample, member, channel, y, x)`` and ``truth`` [unit of each field], with the
        coordinate ``model_seed (member)``.
    power_members
        Spectra ``(member, field, k)`` [(Mpc/h)^2].
    scales
        Root of the unit of the variances [unit of each field], one number or ``(channel,)``.

    Returns
    -------
    ``variance_within, variance_between (channel)``, ``score_by_model (model_seed, channel)``
    [unit of each field] and ``power_by_model (model_seed, field, k)``; nothing if the members are
    of one model, or of a model that drew fewer than two.
    """
    seeds, counts = np.unique(ensemble["model_seed"].values, return_counts=True)
    if len(seeds) < 2 or counts.min() < calibration.MIN_MEMBERS:
        return xr.Dataset()
    pixels, name = ("sample", *space_in(ensemble.dims)), "model_seed"
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
    unit, between = squared(scales), means.var(name, ddof=1) - noise
    return xr.Dataset(
        {
            "variance_within": _mean_over(within.mean(name), unit),
            "variance_between": _mean_over(between, unit),
            "score_by_model": xr.concat(scores, by_model).assign_attrs(
                units=str(Unit.MASS_PER_PIXEL), long_name="fair CRPS of one model's members"
            ),
            "power_by_model": xr.concat(power, by_model).assign_attrs(
                units=power_members.attrs.get("units", str(Unit.POWER_2D)),
                long_name="mean power spectrum of one model's members",
            ),
        }
    )


def _mean_over(variance: xr.DataArray, unit: xr.DataArray | float) -> xr.DataArray:
    return variance.mean(("sample", *space_in(variance.dims))) / unit


def _of_members(ensemble: xr.Dataset) -> list[str]:
    return [str(name) for name, values in ensemble.coords.items() if "member" in values.dims]
