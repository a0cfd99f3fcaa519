"""CRPS of the model, of the baselines at the same windows, and of re-drawn truths (the oracle)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics import calibration
from emulator.metrics.bars import interval_of
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.bootstrap import Resampler
from emulator.metrics.channels import common_unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

MODEL = "model"
FORECASTS = {
    MODEL: "model",
    "dmo_share": "DMO times share",
    "linear_transfer": "linear transfer function",
    "training_mean": "mean of training",
    "empty": "empty map",
    "climatology": "climatology",
    "regression_gaussian": "regression + Gaussian residual",
    "regression": "regression",
    "oracle": "re-drawn truth (oracle)",
}
"""Labels of forecasts; all but the first and the last are baselines."""


class Scores(Metric):
    """Fair CRPS by forecast and channel, and the gain over the best baseline."""

    name = "scores"
    label = "Scores against baselines"
    estimator = "fair CRPS, that of an infinite ensemble for 2 members or more; ratio of means"
    variables = ("crps", "crps_gain", "best_baseline", "oracle_crps", "oracle_ratio")
    panels = ()
    place = 10.0

    def compute(self, case: Case) -> xr.Dataset:
        """Mean ``score (forecast, channel)``, NaN where a baseline leaves it out; the oracle's."""
        truth, pixels = case.ensemble["truth"], ("sample", "y", "x")
        scores = {MODEL: calibration.crps(case.ensemble["fields"], truth).mean(pixels)}
        for name, forecast in case.forecasts.items():
            if "member" in forecast.dims:
                treated = truth.sel(channel=forecast["channel"].values)
                scores[name] = calibration.crps(forecast, treated).mean(pixels)
            else:
                # An ensemble without spread: its score is the absolute error.
                scores[name] = abs(forecast - truth).mean(pixels)
        table = [
            score.reindex(channel=truth["channel"]).drop_vars("forecast", errors="ignore")
            for score in scores.values()
        ]
        crps = xr.concat(table, dim=xr.DataArray(list(scores), dims="forecast", name="forecast"))
        unit = common_unit(case.fields)
        crps.attrs = {"units": unit, "long_name": "fair CRPS"}
        meaning = "fair CRPS of the other draws of the same truth"
        oracle = ("channel", _oracle_score(case), {"units": unit, "long_name": meaning})
        return xr.Dataset({"score": crps, "score_oracle": oracle})

    def summarise(
        self, boot: Resampler, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Estimates by channel; ``best_baseline`` is a name."""
        unit, scores = common_unit(fields), stats["score"]
        crps = boot.mean(scores)
        value = boot.estimate(crps, "fair CRPS", unit)
        best = best_baseline(value)
        reference = crps.sel(forecast=xr.DataArray(best.values, dims="channel"))
        model = crps.sel(forecast=MODEL).drop_vars("forecast")
        gain = 1.0 - model / reference.drop_vars("forecast")
        # Score of the model where the oracle exists: the two are compared on the same simulations.
        known = stats["score_oracle"].notnull()
        same = boot.mean(scores.sel(forecast=MODEL, drop=True).where(known))
        oracle = boot.mean(stats["score_oracle"])
        return {
            "crps": value,
            "crps_gain": boot.estimate(gain, "1 - CRPS / CRPS of the best baseline"),
            "oracle_crps": boot.estimate(oracle, "fair CRPS of the re-drawn truth", unit),
            "oracle_ratio": boot.estimate(
                same / oracle, "CRPS of the model over that of the re-drawn truth"
            ),
            "best_baseline": best,
        }

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The model beats the best baseline of every channel by a fraction."""
        return [_bar(metrics, field, config.bars.crps_gain) for field in fields]


def best_baseline(crps: xr.DataArray) -> xr.DataArray:
    """Name of the baseline of the lowest CRPS ``(estimate, forecast, channel)``, by channel."""
    names = [name for name in crps["forecast"].values if name != MODEL]
    values = crps.sel(estimate="value", forecast=names)
    index = values.fillna(np.inf).argmin("forecast")
    return xr.DataArray(
        np.asarray(names)[index.values],
        dims="channel",
        coords={"channel": crps["channel"]},
        attrs={"long_name": "baseline of the lowest CRPS"},
    )


def _oracle_score(case: Case) -> np.ndarray:
    """Fair CRPS of the re-drawn truths by channel; NaN with fewer than two of them."""
    ensemble = case.ensemble
    if ensemble.sizes.get("draw", 0) < calibration.MIN_MEMBERS:
        return np.full(ensemble.sizes["channel"], np.nan)
    draws = ensemble["truth_redraw"].rename(draw="member")
    return calibration.crps(draws, ensemble["truth"]).mean(("sample", "y", "x")).values


def _bar(metrics: xr.Dataset, field: Field, threshold: float) -> Bar:
    gain = metrics["crps_gain"].sel(channel=field.name)
    value = float(gain.sel(estimate="value"))
    best = str(metrics["best_baseline"].sel(channel=field.name).item())
    side = "below" if value >= 0 else "above"
    found = f"{abs(value):.0%} {side}" if np.isfinite(value) else "not defined"
    return Bar(
        name=f"CRPS gain, {field.label}",
        field=field.name,
        statistic="crps_gain",
        value=value,
        comparison=">=",
        threshold=threshold,
        text=(
            f"The CRPS of {field.label} should be at least {threshold:.0%} below that of "
            f"the best baseline ({FORECASTS[best]}); it is {found}."
        ),
        interval=interval_of(gain),
        facts={"baseline": best},
    )
