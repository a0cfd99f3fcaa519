"""Spread over skill of means over squares: do the errors of neighbours belong together?

An ensemble can be calibrated in every pixel and draw noise of the wrong length: where the truth's
scatter is correlated over some pixels and the members' is white, their mean over a square is far
too certain. Masses are taken relative to the DMO mass of the square, so that every square counts
alike; otherwise a few halos decide. (A square without any DMO mass has no ratio, and is left out.)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.domain import Domain
from emulator.fields import Field
from emulator.metrics import calibration
from emulator.metrics.bars import interval_of
from emulator.metrics.base import Bar, Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.scores import square_means, squares_of
from emulator.metrics.spread_skill import judge_spread
from emulator.units import Unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig


class SpreadSkillSquares(Metric):
    """``sqrt((M+1)/M <variance> / <squared error>)`` of means over squares: 1 if calibrated."""

    name = "spread_skill_squares"
    label = "Spread over skill of squares"
    estimator = "ratio of means, corrected by (M+1)/M, which is exact for 2 members or more"
    variables = ("spread_skill_squares",)
    format = ".2f"
    place = 31.0

    def panels_of(self, domain: Domain) -> tuple[Panel, ...]:
        """The ratio of every side."""
        unit = (
            "masses relative to DMO" if domain.is_matter else "in units of their root mean square"
        )
        caption = (
            f"Of means over squares of some pixels a side, {unit}. 1 is calibrated at every side; "
            "a ratio that falls with the side says that members draw noise of neighbours "
            "independently, where that of the truth belongs together."
        )
        return (Panel("spread_skill_squares", "spread over skill", caption, ".2f"),)

    def compute(self, case: Case) -> xr.Dataset:
        """Variance and squared error ``(side, channel)`` of ratios to DMO."""
        sides = squares_of(case.shape)
        if not sides:
            return xr.Dataset()
        parts = [_spread_and_skill(case, side) for side in sides]
        coordinate = xr.DataArray(
            sides,
            dims="side",
            name="side",
            attrs={"units": "pixel", "long_name": "side of the square that is averaged over"},
        )
        return xr.concat(parts, coordinate)

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratio ``(estimate, side, channel)``."""
        if "variance_squares" not in stats:
            return {}
        ratio = calibration.spread_skill_ratio(
            runs.mean(stats["variance_squares"]),
            runs.mean(stats["squared_error_squares"]),
            stats.sizes["member"],
        )
        return {"spread_skill_squares": runs.estimate(ratio, "spread over skill of squares")}

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The worst side of every channel."""
        if "spread_skill_squares" not in metrics:
            return []
        threshold = config.bars.spread_skill_squares
        return [_bar(metrics, field, threshold) for field in fields]


def spread_and_skill_of_squares(
    fields: xr.DataArray,
    truth: xr.DataArray,
    condition: xr.DataArray,
    side: int,
    *,
    masses: Sequence[str],
    scales: xr.DataArray,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Ensemble variance and squared error of means over squares, each ``(sample, channel, y, x)``.

    Parameters
    ----------
    fields, truth
        ``(sample, member, channel, y, x)`` and ``(sample, channel, y, x)`` [unit of each field].
    condition
        ``(sample, y, x)`` [Msun/h per pixel].
    side
        Of the squares [pixel].
    masses
        Channels that are taken relative to the DMO mass of the square.
    scales
        Unit of the others, ``(channel,)`` or ``(sample, channel)``.
    """
    dmo = square_means(condition, side)
    unit = dmo.where(dmo > 0).where(truth["channel"].isin(list(masses)), scales)
    members, wanted = (square_means(values, side) / unit for values in (fields, truth))
    return calibration.spread_and_skill(members, wanted)


def _spread_and_skill(case: Case, side: int) -> xr.Dataset:
    variance, error = spread_and_skill_of_squares(
        case.ensemble["fields"],
        case.ensemble["truth"],
        case.ensemble["condition"],
        side,
        masses=[field.name for field in case.fields if field.adds_up],
        scales=case.scales,
    )
    pixels, attrs = ("sample", "y", "x"), {"units": str(Unit.DIMENSIONLESS)}
    return xr.Dataset(
        {
            "variance_squares": variance.mean(pixels).assign_attrs(
                attrs, long_name="ensemble variance of means over squares"
            ),
            "squared_error_squares": error.mean(pixels).assign_attrs(
                attrs, long_name="squared error of the ensemble mean of means over squares"
            ),
        }
    )


def _bar(metrics: xr.Dataset, field: Field, threshold: tuple[float, float]) -> Bar:
    ratio, (low, high) = metrics["spread_skill_squares"].sel(channel=field.name), threshold
    values = ratio.sel(estimate="value").values
    # a ratio that is not defined is the worst
    distance = np.where(np.isnan(values), np.inf, np.abs(np.log(np.maximum(values, 1e-9))))
    place = int(distance.argmax())
    side, value = int(ratio["side"].values[place]), float(values[place])
    return Bar(
        name=f"spread-skill of squares, {field.label}",
        field=field.name,
        statistic="spread_skill_squares",
        value=value,
        comparison="in",
        threshold=threshold,
        text=(
            f"The spread of means of {field.label} over squares should be {low:g} to {high:g} "
            f"times their error; the worst are those of {side} pixels a side, with {value:.2f}, "
            f"{judge_spread(value, threshold)}."
        ),
        interval=interval_of(ratio.sel(side=side)),
        facts={"side": side},
    )
