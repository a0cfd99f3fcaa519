"""Where the truth falls among the members: rank histograms and coverage of intervals."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.domain import domain_of
from emulator.fields import Field
from emulator.metrics import calibration
from emulator.metrics.base import Case, Metric
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit


class Ranks(Metric):
    """Ranks of the truth, of pixels and of means over windows; flat if calibrated."""

    name = "ranks"
    label = "Ranks and coverage"
    estimator = "shares of ranks with ties at random; exact for every ensemble of 2 or more"
    variables = ("rank_share", "rank_share_mass", "coverage", "coverage_mass")
    panels = ()
    place = 60.0

    def compute(self, case: Case) -> xr.Dataset:
        """Histograms ``(channel, rank)``; ties are broken by the generator of the case."""
        values, truth, rng = case.ensemble["fields"], case.ensemble["truth"], case.rng()
        n_members = case.n_members
        pixels = calibration.truth_ranks(values, truth, rng)
        windows = calibration.truth_ranks(values.mean(("y", "x")), truth.mean(("y", "x")), rng)
        return xr.Dataset(
            {
                "rank_histogram": _histogram(pixels, n_members),
                "rank_histogram_mass": _histogram(windows, n_members),
            },
            coords={"rank": np.arange(n_members + 1), "channel": truth["channel"]},
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Shares ``(estimate, channel, rank)`` and coverage ``(estimate, nominal, channel)``."""
        pixels = runs.mean(stats["rank_histogram"])
        windows = runs.mean(stats["rank_histogram_mass"])
        coverage = calibration.interval_coverage
        amount = domain_of(stats.attrs, "statistics").nouns.amount
        return {
            "rank_share": runs.estimate(pixels, "share of pixels at each rank"),
            "rank_share_mass": runs.estimate(windows, f"share of windows at each rank of {amount}"),
            "coverage": runs.estimate(coverage(pixels), "coverage of intervals"),
            "coverage_mass": runs.estimate(
                coverage(windows), f"coverage of intervals of window {amount}"
            ),
        }


def _histogram(ranks: xr.DataArray, n_members: int) -> xr.DataArray:
    by_channel = ranks.transpose("channel", ...).values
    shares = [calibration.rank_histogram(row, n_members) for row in by_channel]
    return xr.DataArray(
        np.asarray(shares),
        dims=("channel", "rank"),
        attrs={"units": str(Unit.DIMENSIONLESS), "long_name": "share of each rank"},
    )
