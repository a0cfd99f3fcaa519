"""Spread of the members over the error of their mean, with its bar."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from emulator.fields import Field
from emulator.metrics import calibration
from emulator.metrics.bars import interval_of
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.channels import squared, variance_attrs
from emulator.metrics.jackknife import Jackknife

if TYPE_CHECKING:
    from emulator.config import ValidationConfig


class SpreadSkill(Metric):
    """``sqrt((M+1)/M <variance> / <squared error>)`` over pixels: 1 if calibrated."""

    name = "spread_skill"
    label = "Spread over skill"
    estimator = "ratio of means, corrected by (M+1)/M, which is exact for 2 members or more"
    variables = ("spread_skill",)
    panels = ()
    format = ".2f"
    place = 30.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Variance and squared error by channel, in units of ``case.scales`` squared."""
        ensemble, pixels = case.ensemble, ("sample", *case.domain.axes)
        variance, error = calibration.spread_and_skill(ensemble["fields"], ensemble["truth"])
        unit, attrs = squared(case.scales), variance_attrs(case.fields)
        return xr.Dataset(
            {
                "variance": (variance / unit)
                .mean(pixels)
                .assign_attrs(attrs, long_name="ensemble variance"),
                "squared_error": (error / unit)
                .mean(pixels)
                .assign_attrs(attrs, long_name="squared error of the ensemble mean"),
            }
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratio ``(estimate, channel)``."""
        ratio = calibration.spread_skill_ratio(
            runs.mean(stats["variance"]),
            runs.mean(stats["squared_error"]),
            stats.sizes["member"],
        )
        return {"spread_skill": runs.estimate(ratio, "sqrt((M+1)/M) spread over skill")}

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The ratio of every channel lies within a range around 1."""
        return [_bar(metrics, field, config.bars.spread_skill) for field in fields]


def judge_spread(value: float, threshold: tuple[float, float]) -> str:
    """A spread over its error in words."""
    low, high = threshold
    return "too confident" if value < low else "too wide" if value > high else "in the range"


def _bar(metrics: xr.Dataset, field: Field, threshold: tuple[float, float]) -> Bar:
    ratio = metrics["spread_skill"].sel(channel=field.name)
    value, (low, high) = float(ratio.sel(estimate="value")), threshold
    return Bar(
        name=f"spread-skill, {field.label}",
        field=field.name,
        statistic="spread_skill",
        value=value,
        comparison="in",
        threshold=(low, high),
        text=(
            f"The spread of {field.label} over its error should lie between {low:g} and {high:g} "
            f"(1 is calibrated); it is {value:.2f}, "
            f"{judge_spread(value, threshold)}."
        ),
        interval=interval_of(ratio),
    )
