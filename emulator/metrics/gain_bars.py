"""Bars of gains over the best probabilistic baseline, with the sentence that says them."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.bars import Bar, interval_of


def gain_bar(
    metrics: xr.Dataset,
    field: Field,
    statistic: str,
    best: str,
    name: str,
    what: str,
    threshold: float,
    scales: Sequence[int] = (),
) -> Bar:
    """The gain of a field, at the worst of some scales, is at least the threshold.

    Parameters
    ----------
    statistic, best
        Variables of the gain and of the name of the baseline.
    name, what
        Of the bar; what the field is scored on, nothing for its pixels.
    scales
        Sides of squares [pixels]; none if the statistic has no dimension ``scale``.
    """
    gains = metrics[statistic].sel(channel=field.name)
    names, where = metrics[best].sel(channel=field.name), ""
    facts: dict[str, object] = {}
    if scales:
        values = gains.sel(scale=list(scales), estimate="value").values
        # One scale without a gain spoils the minimum, as it should.
        scale = scales[int(np.argmin(np.where(np.isfinite(values), values, -np.inf)))]
        gains, names = gains.sel(scale=scale), names.sel(scale=scale)
        if len(scales) > 1:
            where, facts["scale"] = f" at the worst, {scale} x {scale} pixels,", scale
    value, baseline = float(gains.sel(estimate="value")), str(names.item())
    label = "none"
    if baseline:
        label = str(metrics["forecast_label"].sel(forecast=baseline).item())
    side = "below" if value >= 0 else "above"
    found = f"{abs(value):.0%} {side}" if np.isfinite(value) else "not defined"
    return Bar(
        name=f"{name}, {field.label}",
        field=field.name,
        statistic=statistic,
        value=value,
        comparison=">=",
        threshold=threshold,
        text=(
            f"The CRPS of {what + ' of ' if what else ''}{field.label} should be at least "
            f"{threshold:.0%} below that of the best probabilistic baseline ({label});{where} it "
            f"is {found}."
        ),
        interval=interval_of(gains),
        facts={"baseline": baseline, **facts},
    )
