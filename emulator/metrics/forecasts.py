"""The model's ensemble beside baselines and re-drawn truths: one score of each, and who is best.

A forecast is *probabilistic* if it is an ensemble. Only the best of the probabilistic baselines is
what a gain counts against; the best of the others gives the ratio of CRPS to mean absolute error.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from emulator.metrics import calibration
from emulator.metrics.base import Case
from emulator.metrics.jackknife import Jackknife

MODEL = "model"
ORACLE_LABEL = "re-drawn truth (oracle)"
GAIN = "1 - CRPS / CRPS of the best probabilistic baseline"

Prepare = Callable[[xr.DataArray], xr.DataArray]


def error_of(forecast: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    """Fair CRPS of an ensemble; of a forecast without members its absolute error, which it is."""
    if "member" in forecast.dims:
        return calibration.crps(forecast, truth)
    return abs(forecast.astype(np.float64) - truth)


def score_forecasts(case: Case, prepare: Prepare) -> xr.Dataset:
    """Scores of all forecasts and of the oracle.

    Parameters
    ----------
    prepare
        What is scored: a function of maps ``(sample, [member,] channel, y, x)`` whose result keeps
        these dimensions but ``y`` and ``x``, which it may replace by others.

    Returns
    -------
    ``score (forecast, channel)``, mean over all that ``prepare`` returns, NaN where a baseline
    leaves out a channel, and ``oracle (channel)``, NaN with fewer than two re-drawn truths. Of each
    ``forecast`` the coordinates ``forecast_label`` and ``probabilistic``.
    """
    ensemble = case.ensemble
    truth, channels = prepare(ensemble["truth"]), ensemble["channel"]
    forecasts = {MODEL: ensemble["fields"].assign_attrs(long_name=MODEL), **case.forecasts}
    rows = []
    for forecast in forecasts.values():
        treated = truth.sel(channel=forecast["channel"].values)
        rows.append(_mean(error_of(prepare(forecast), treated)).reindex(channel=channels).values)
    oracle = np.full(len(channels), np.nan)
    if ensemble.sizes.get("draw", 0) >= calibration.MIN_MEMBERS:
        draws = ensemble["truth_redraw"].rename(draw="member")
        oracle = _mean(error_of(prepare(draws.transpose("sample", ...)), truth)).values
    labels = [str(values.attrs.get("long_name", name)) for name, values in forecasts.items()]
    return xr.Dataset(
        {"score": (("forecast", "channel"), np.array(rows)), "oracle": ("channel", oracle)},
        coords={
            "forecast": list(forecasts),
            "forecast_label": ("forecast", labels),
            "probabilistic": ("forecast", ["member" in f.dims for f in forecasts.values()]),
            "channel": channels.values,
        },
    )


def _mean(score: xr.DataArray) -> xr.DataArray:
    return score.mean([dim for dim in score.dims if dim != "channel"])


def best_forecast(value: xr.DataArray, candidates: xr.DataArray) -> xr.DataArray:
    """Name of the baseline of the lowest score; empty text where no candidate has one.

    Parameters
    ----------
    value
        ``(forecast, ...)``.
    candidates
        ``(forecast,)`` who takes part; the model never does.
    """
    allowed = candidates & (value["forecast"] != MODEL)
    scores = value.where(allowed).fillna(np.inf)
    names = scores["forecast"].values.astype(str)[scores.argmin("forecast").values]
    lowest = scores.min("forecast").reset_coords(drop=True)
    best = lowest.copy(data=np.where(np.isfinite(lowest.values), names, ""))
    best.attrs = {"long_name": "baseline of the lowest CRPS"}
    return best


def score_of(scores: xr.DataArray, names: xr.DataArray) -> xr.DataArray:
    """Scores ``(draw, forecast, ...)`` of the named forecasts; NaN where there is no name."""
    known = names.where(names != "", MODEL)
    return scores.sel(forecast=known).reset_coords(drop=True).where(names != "")


def compare(
    runs: Jackknife, scores: xr.DataArray, oracle: xr.DataArray, unit: str
) -> dict[str, xr.DataArray]:
    """Estimates of scores ``(simulation, forecast, ...)`` and of what follows from them.

    Returns
    -------
    ``crps``; ``gain`` over the best probabilistic baseline, ``best`` (its name); ``over_mae``, the
    ratio to the mean absolute error of the best deterministic one; ``oracle``, ``oracle_ratio`` and
    ``oracle_gain`` (the gain of the re-drawn truth, which nobody can exceed) on the simulations
    that have it.
    """
    draws, probabilistic = runs.mean(scores), scores["probabilistic"]
    crps = runs.estimate(draws, "fair CRPS", unit)
    value = crps.sel(estimate="value", drop=True)
    best = best_forecast(value, probabilistic)
    model = score_of(draws, xr.full_like(best, MODEL))
    error = score_of(draws, best_forecast(value, ~probabilistic))
    # The oracle compares with others on the simulations that have it.
    known, reachable = runs.mean(scores.where(oracle.notnull())), runs.mean(oracle)
    return {
        "crps": crps,
        "gain": runs.estimate(
            1.0 - model / score_of(draws, best),
            "1 - CRPS / CRPS of the best probabilistic baseline",
        ),
        "best": best,
        "over_mae": runs.estimate(
            model / error, "CRPS over the mean absolute error of the best deterministic baseline"
        ),
        "oracle": runs.estimate(reachable, "fair CRPS of the re-drawn truth", unit),
        "oracle_ratio": runs.estimate(
            score_of(known, xr.full_like(best, MODEL)) / reachable,
            "CRPS of the model over that of the re-drawn truth",
        ),
        "oracle_gain": runs.estimate(
            1.0 - reachable / score_of(known, best), f"of the re-drawn truth: {GAIN}"
        ),
    }
