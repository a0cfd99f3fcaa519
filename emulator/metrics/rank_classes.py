"""Ranks and coverage by class of brightness: domes and U shapes that cancel elsewhere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics import calibration
from emulator.metrics.bars import interval_of
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.brightness import LABELS, brightness_classes
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig


class RankClasses(Metric):
    """Rank histograms of pixels in each class, their spread, and the coverage of intervals."""

    name = "rank_classes"
    label = "Ranks and coverage by brightness"
    estimator = (
        "shares of ranks with ties at random, by quantiles of the mean of truth and members; flat "
        "in every class if calibrated, exactly so for 2 members or more"
    )
    variables = ("rank_share_class", "rank_spread", "coverage_class")
    panels = ()
    format = ".2f"
    place = 62.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Histograms ``(brightness, channel, rank)``; NaN of a class without pixels."""
        members, truth = case.ensemble["fields"], case.ensemble["truth"]
        ranks = calibration.truth_ranks(members, truth, case.rng())
        classes = brightness_classes(members, truth)
        names, n_members = classes["brightness"].values, case.n_members
        shares = np.full((len(names), truth.sizes["channel"], n_members + 1), np.nan)
        for i, j in np.ndindex(shares.shape[:2]):
            picked = ranks.isel(channel=j).values[classes.isel(brightness=i, channel=j).values]
            if len(picked):
                shares[i, j] = calibration.rank_histogram(picked, n_members)
        attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "share of each rank"}
        return xr.Dataset(
            {"rank_histogram_class": (("brightness", "channel", "rank"), shares, attrs)},
            coords={
                "brightness": names,
                "channel": truth["channel"],
                "rank": np.arange(n_members + 1),
            },
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Shares, spread and coverage, each by class and channel."""
        if "rank_histogram_class" not in stats:
            return {}
        shares = runs.mean(stats["rank_histogram_class"])
        defined = shares.notnull().all("rank")
        coverage = calibration.interval_coverage(shares).where(defined)
        return {
            "rank_share_class": runs.estimate(shares, "share of pixels of a class at each rank"),
            "rank_spread": runs.estimate(
                calibration.rank_spread(shares), "spread of the ranks of a class, 1 = flat"
            ),
            "coverage_class": runs.estimate(coverage, "coverage of intervals in a class"),
        }

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The worst class of every channel, in spread and in coverage."""
        if "rank_spread" not in metrics:
            return []
        return [
            bar
            for field in fields
            for bar in (
                _spread_bar(metrics, field, config.bars.rank_spread),
                _coverage_bar(metrics, field, config.bars.coverage),
            )
        ]


def _spread_bar(metrics: xr.Dataset, field: Field, threshold: tuple[float, float]) -> Bar:
    spread, (low, high) = metrics["rank_spread"].sel(channel=field.name), threshold
    values = spread.sel(estimate="value").values
    # a class without pixels has nothing to judge; none at all is a number that is not defined
    distance = np.where(np.isnan(values), -1.0, np.abs(np.log(np.maximum(values, 1e-9))))
    place = int(distance.argmax())
    worst, value = str(spread["brightness"].values[place]), float(values[place])
    shape = "a dome: members too wide" if value < 1 else "a U or a slope: too narrow, or biased"
    found = f"{value:.2f}, {shape}" if np.isfinite(value) else "not defined"
    return Bar(
        name=f"spread of ranks by brightness, {field.label}",
        field=field.name,
        statistic="rank_spread",
        value=value,
        comparison="in",
        threshold=threshold,
        text=(
            f"The ranks of {field.label} should spread {low:g} to {high:g} times as flat ones in "
            f"every class of brightness; the worst is {LABELS[worst]}, {found}."
        ),
        interval=interval_of(spread.sel(brightness=worst)),
        facts={"brightness": worst},
    )


def _coverage_bar(metrics: xr.Dataset, field: Field, threshold: float) -> Bar:
    coverage = metrics["coverage_class"].sel(channel=field.name, estimate="value")
    error = (coverage - coverage["nominal"]).transpose("brightness", "nominal").values
    place = np.unravel_index(np.argmax(np.where(np.isnan(error), -1.0, abs(error))), error.shape)
    worst, level = (
        str(coverage["brightness"].values[place[0]]),
        float(coverage["nominal"][place[1]]),
    )
    value = float(abs(error[place]))
    covered = float(coverage.sel(brightness=worst).isel(nominal=place[1]))
    found = f"{covered:.0%}" if np.isfinite(value) else "not defined"
    return Bar(
        name=f"coverage by brightness, {field.label}",
        field=field.name,
        statistic="coverage_class",
        value=value,
        comparison="<=",
        threshold=threshold,
        text=(
            f"Intervals of {field.label} should hold their nominal share of truths within "
            f"{threshold:.2f} in every class of brightness; the worst is {LABELS[worst]}, where "
            f"those of {level:.0%} hold {found}."
        ),
        facts={"brightness": worst, "nominal": level},
    )
