r"""From simulations to numbers with errors: means over runs, ratios of means, bootstrap over runs.

Simulations of one run share initial phases and are not independent: they are averaged first, every
run counts once, and the bootstrap draws *runs* with replacement. Every statistic is then

.. math:: s = g\Big(\frac1R \sum_r w_r \bar x_r\Big)

with means :math:`\bar x_r` of linear quantities and a ratio or correlation :math:`g` formed last.
Each result has the dimension ``estimate``: ``value``, and the 16 % and 84 % quantiles ``low`` and
``high`` of the bootstrap, NaN with fewer than 2 runs.
"""

import numpy as np
import xarray as xr

from emulator.metrics import calibration, one_point
from emulator.metrics.power_spectrum import correlation_coefficient, power_ratio
from emulator.units import Unit
from emulator.validation.statistics import TOTAL

ESTIMATES = ("value", "low", "high")
BASELINES = ("dmo_share", "linear_transfer", "empty", "climatology")
QUANTILES = (0.16, 0.84)


def draw_runs(n_runs: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """Weights ``(1 + n_bootstrap, n_runs)``; row 0 takes every run once, the others resample."""
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(n_runs, np.full(n_runs, 1.0 / n_runs), size=n_bootstrap)
    return np.concatenate([np.ones((1, n_runs)), rows]).astype(np.float64)


def resample(values: xr.DataArray, runs: np.ndarray, weights: np.ndarray) -> xr.DataArray:
    """Means over runs, one for each row of weights.

    Parameters
    ----------
    values
        ``(simulation, ...)``; NaN marks a simulation without this statistic.
    runs
        ``(simulation,)`` index of the run of each simulation.
    weights
        From :func:`draw_runs`.

    Returns
    -------
    ``(draw, ...)``; simulations are averaged within their run first.
    """
    flat = values.transpose("simulation", ...)
    shape = flat.shape[1:]
    table = flat.values.reshape(len(runs), -1).astype(np.float64)
    members = (np.arange(weights.shape[1])[:, None] == runs[None, :]).astype(np.float64)
    valid = np.isfinite(table)
    counts = members @ valid
    means = (members @ np.where(valid, table, 0.0)) / np.maximum(counts, 1)
    present = (counts > 0).astype(np.float64)
    total = weights @ present
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weights @ (means * present)) / total
    coords = {name: flat[name] for name in flat.dims[1:] if name in flat.coords}
    return xr.DataArray(mean.reshape(-1, *shape), dims=("draw", *flat.dims[1:]), coords=coords)


def estimate(draws: xr.DataArray, *, units: Unit, long_name: str) -> xr.DataArray:
    """Value of row 0 and quantiles of the other rows, along ``estimate``."""
    values = draws.transpose("draw", ...)
    boot = values.isel(draw=slice(1, None))
    if values.attrs.get("n_runs", 2) < 2 or boot.sizes["draw"] == 0:
        bounds = np.full((2, *values.shape[1:]), np.nan)
    else:
        table = np.where(np.isfinite(boot.values), boot.values, np.nan)
        empty = np.isnan(table).all(axis=0)
        bounds = np.nanquantile(np.where(empty, 0.0, table), QUANTILES, axis=0)
        bounds = np.where(empty, np.nan, bounds)
    stacked = np.concatenate([values.values[:1], bounds])
    return xr.DataArray(
        stacked,
        dims=("estimate", *values.dims[1:]),
        coords={"estimate": list(ESTIMATES), **{n: values[n] for n in values.dims[1:]}},
        attrs={"units": str(units), "long_name": long_name},
    )


class _Resampler:
    """Means over runs of the variables of one dataset, with one set of bootstrap weights."""

    def __init__(self, stats: xr.Dataset, n_bootstrap: int, seed: int) -> None:
        self.stats = stats
        names, self.runs = np.unique(stats["run"].values.astype(str), return_inverse=True)
        self.n_runs = len(names)
        self.weights = draw_runs(self.n_runs, n_bootstrap, seed)

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.of(self.stats[name])

    def of(self, values: xr.DataArray) -> xr.DataArray:
        return resample(values, self.runs, self.weights)

    def median(self, values: xr.DataArray) -> xr.DataArray:
        """Median over simulations ``(simulation, ...)``, resampled by run."""
        table = values.transpose("simulation", ...)
        rows = []
        for weight in self.weights:
            picked = np.repeat(np.arange(len(self.runs)), weight[self.runs].astype(int))
            rows.append(_nanmedian(np.moveaxis(table.values[picked], 0, -1)))
        dims = ("draw", *table.dims[1:])
        return xr.DataArray(
            np.asarray(rows), dims=dims, coords={n: table[n] for n in table.dims[1:]}
        )

    def estimate(
        self, draws: xr.DataArray, long_name: str, units: Unit = Unit.DIMENSIONLESS
    ) -> xr.DataArray:
        draws.attrs["n_runs"] = self.n_runs
        return estimate(draws, units=units, long_name=long_name)


def summarise(stats: xr.Dataset, *, n_bootstrap: int, seed: int = 0) -> xr.Dataset:
    """Summary of all simulations.

    Parameters
    ----------
    stats
        Statistics of :mod:`emulator.validation.statistics`, concatenated along ``simulation``, with
        the coordinate ``run(simulation)``.
    n_bootstrap
        Bootstrap draws over runs.
    seed
        Seed of the draws.

    Returns
    -------
    Variables with the dimension ``estimate``; each says its units and meaning in its attrs.

    Notes
    -----
    ``power_ratio_median``: median over windows and members of ``P_member / P_truth`` in each
    simulation, then over simulations. For a calibrated ensemble the ratio and its inverse have one
    distribution, so its median is 1 whatever the scatter; windows where both are empty are left
    out.
    ``power_ratio_summed``: power summed over windows first, so a few massive halos can dominate.
    """
    boot = _Resampler(stats, n_bootstrap, seed)
    n_members = stats.sizes["rank"] - 1
    parts = {**_spectra(boot), **_calibration(boot, n_members), **_one_point(boot), **_scores(boot)}
    if "variance_between" in stats:
        parts |= _models(boot)
    summary = xr.Dataset(parts)
    summary["best_baseline"] = best_baseline(summary["crps"])
    return summary


def best_baseline(crps: xr.DataArray) -> xr.DataArray:
    """Name of the baseline of the lowest CRPS, for each channel."""
    names = [name for name in crps["forecast"].values if name in BASELINES]
    values = crps.sel(estimate="value", forecast=names)
    index = values.fillna(np.inf).argmin("forecast")
    return xr.DataArray(
        np.asarray(names)[index.values],
        dims="channel",
        coords={"channel": crps["channel"]},
        attrs={"long_name": "baseline of the lowest CRPS"},
    )


def _spectra(boot: _Resampler) -> dict[str, xr.DataArray]:
    truth, dmo = boot["power_truth"], boot["power_dmo"]
    members = boot.of(boot.stats["power_members"].mean("member"))
    ratio, dims = boot.stats["power_ratio"], ("simulation", "field", "k")
    median = xr.DataArray(
        _nanmedian(ratio.stack(draw=("sample", "member")).transpose(*dims, "draw").values),
        dims=dims,
        coords={"field": ratio["field"], "k": ratio["k"]},
    )

    def correlation(cross: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
        return correlation_coefficient(cross, other, truth)

    draws = {
        "power_ratio_summed": (power_ratio(members, truth), "sum P_member / sum P_truth"),
        "power_ratio_median": (boot.median(median), "median of P_member / P_truth over windows"),
        "correlation_dmo_truth": (correlation(boot["power_dmo_truth"], dmo), "r(DMO, truth)"),
        "correlation_member_truth": (
            correlation(boot["power_member_truth"], members),
            "r(member, truth)",
        ),
        "correlation_member_member": (
            correlation_coefficient(boot["power_member_member"], members, members),
            "r(member, other member)",
        ),
    }
    if TOTAL in truth["field"]:
        for kind, whose, values in (("truth", "the truth", truth), ("members", "members", members)):
            total = values.sel(field=TOTAL).drop_vars("field")
            meaning = f"P_total / P_DMO of {whose}"
            draws[f"suppression_{kind}"] = (power_ratio(total, dmo), meaning)
    power = Unit.POWER_2D
    return {
        "spectrum_truth": boot.estimate(truth, "power spectrum of the truth", power),
        "spectrum_members": boot.estimate(members, "mean power spectrum of the members", power),
        **{name: boot.estimate(values, meaning) for name, (values, meaning) in draws.items()},
    }


def _nanmedian(values: np.ndarray) -> np.ndarray:
    """Median over the last axis without NaN; NaN only where nothing else is."""
    undefined = np.asarray(np.isnan(values).all(axis=-1))
    filled = np.where(undefined[..., None], 0.0, values)
    return np.where(undefined, np.nan, np.nanmedian(filled, axis=-1))


def _calibration(boot: _Resampler, n_members: int) -> dict[str, xr.DataArray]:
    spread_skill = calibration.spread_skill_ratio(
        boot["variance"], boot["squared_error"], n_members
    )
    ranks, mass_ranks = boot["rank_histogram"], boot["rank_histogram_mass"]
    return {
        "spread_skill": boot.estimate(spread_skill, "sqrt((M+1)/M) spread over skill"),
        "rank_share": boot.estimate(ranks, "share of pixels at each rank"),
        "rank_share_mass": boot.estimate(mass_ranks, "share of windows at each rank of mass"),
        "coverage": boot.estimate(calibration.interval_coverage(ranks), "coverage of intervals"),
        "coverage_mass": boot.estimate(
            calibration.interval_coverage(mass_ranks), "coverage of intervals of window mass"
        ),
    }


def _models(boot: _Resampler) -> dict[str, xr.DataArray]:
    """What models of different seeds disagree about, and how good each is alone."""
    between, within = boot["variance_between"], boot["variance_within"]
    ratio = power_ratio(boot["power_by_model"], boot["power_truth"])
    crps = boot["score_by_model"]
    return {
        "model_share": boot.estimate(
            between / (between + within), "share of the variance that is between models"
        ),
        "power_ratio_by_model": boot.estimate(ratio, "sum P_member / sum P_truth of one model"),
        "crps_by_model": boot.estimate(crps, "fair CRPS of one model", Unit.MASS_PER_PIXEL),
    }


def _one_point(boot: _Resampler) -> dict[str, xr.DataArray]:
    ratio = one_point.mass_ratio(boot["mass_members"], boot["mass_truth"])
    results = {"mass_ratio": boot.estimate(ratio, "total mass, members over truth")}
    for kind in ("truth", "members"):
        occupancy, pdf = boot[f"occupancy_{kind}"], boot[f"pdf_{kind}"]
        results[f"occupied_{kind}"] = boot.estimate(occupancy, "share of occupied pixels")
        results[f"density_{kind}"] = boot.estimate(pdf, "share of pixels per dex of mass")
    return results


def _scores(boot: _Resampler) -> dict[str, xr.DataArray]:
    units = Unit.MASS_PER_PIXEL
    crps = boot["score"]
    value = boot.estimate(crps, "fair CRPS", units)
    best = best_baseline(value)
    reference = crps.sel(forecast=xr.DataArray(best.values, dims="channel"))
    gain = 1.0 - crps.sel(forecast="model").drop_vars("forecast") / reference.drop_vars("forecast")
    results = {
        "crps": value,
        "crps_gain": boot.estimate(gain, "1 - CRPS / CRPS of the best baseline"),
    }
    # Score of the model where the oracle exists: the two are compared on the same simulations.
    known = boot.stats["score_oracle"].notnull()
    model = boot.of(boot.stats["score"].sel(forecast="model", drop=True).where(known))
    oracle = boot["score_oracle"]
    results["oracle_crps"] = boot.estimate(oracle, "fair CRPS of the re-drawn truth", units)
    results["oracle_ratio"] = boot.estimate(
        model / oracle, "CRPS of the model over that of the re-drawn truth"
    )
    return results
