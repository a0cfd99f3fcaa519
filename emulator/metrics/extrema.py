"""Peaks and minima of maps by their height, members over truth."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.log_maps import case_logs
from emulator.units import Unit

EDGES = np.array([-np.inf, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, np.inf])
HEIGHTS = ("below -2", "-2 to -1", "-1 to 0", "0 to 1", "1 to 2", "2 to 3", "above 3")
LEAST = 20
"""Extrema of a class in the truth of all runs, below which their ratio is a gap."""

KINDS = ("maxima", "minima")


class Extrema(Metric):
    """Numbers of pixels above (below) all eight neighbours, in classes of height.

    Heights are of :func:`~emulator.metrics.log_maps.log_maps`, in standard deviations of the truth
    of the simulation from its mean; pixels on the rim of a window have no eight neighbours, and
    plateaus, such as empty pixels, no extremum.
    """

    name = "extrema"
    label = "Peaks and minima"
    estimator = (
        "ratio of numbers, of each member by itself, over windows and runs; unbiased to first "
        "order; a gap below 20 of the truth; any ensemble size"
    )
    variables = ("maxima_ratio", "minima_ratio")
    panels = (
        Panel(
            "maxima_ratio",
            "Peaks, members / truth",
            "By their height, in standard deviations of the logarithm of the truth from its mean. "
            "Good: 1 at every height; blur takes peaks away, noise adds some. A dash: fewer than "
            "20 in the truth.",
            ".2f",
        ),
        Panel(
            "minima_ratio",
            "Minima, members / truth",
            "As for peaks. Good: 1.",
            ".2f",
        ),
    )
    smallest_ensemble = 1
    place = 76.0

    def compute(self, case: Case) -> xr.Dataset:
        """Means per window ``(channel, height)``; empty of windows below 3 pixels a side."""
        if min(case.shape) < 3:
            return xr.Dataset()
        truth, members = case.shared(case_logs)
        n_windows, n_members = len(truth), len(members)
        counts = {
            f"{kind}_{of}": np.zeros((len(case.fields), len(HEIGHTS)))
            for kind in KINDS
            for of in ("truth", "members")
        }
        for i in range(len(case.fields)):
            mean, std = truth[:, i].mean(), truth[:, i].std()
            for of, maps, weight in (
                ("truth", truth[:, i], 1 / n_windows),
                ("members", members[:, :, i], 1 / (n_windows * n_members)),
            ):
                heights = (maps - mean) / std if std > 0 else maps * np.nan
                for kind, sign in zip(KINDS, (1, -1), strict=True):
                    found = heights[..., 1:-1, 1:-1][local_maxima(sign * maps)]
                    counts[f"{kind}_{of}"][i] = np.histogram(found, EDGES)[0] * weight
        attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "extrema of a window"}
        return xr.Dataset(
            {
                f"{name}_per_window": (("channel", "height"), values, attrs)
                for name, values in counts.items()
            }
            | {"extrema_windows": ((), n_windows, {"units": str(Unit.DIMENSIONLESS)})},
            coords={"channel": case.ensemble["channel"], "height": list(HEIGHTS)},
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratios ``(estimate, channel, height)``."""
        if "extrema_windows" not in stats:
            return {}
        found = {}
        for kind, what in zip(KINDS, ("peaks", "minima"), strict=True):
            truth = stats[f"{kind}_truth_per_window"]
            enough = (truth * stats["extrema_windows"]).sum("simulation") >= LEAST
            below = runs.mean(truth)
            ratio = runs.mean(stats[f"{kind}_members_per_window"]) / below.where(below > 0)
            meaning = f"number of {what}, members over truth"
            found[f"{kind}_ratio"] = runs.estimate(ratio.where(enough), meaning)
        return found


def local_maxima(maps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels that are larger than all eight neighbours, ``(..., y - 2, x - 2)`` without the rim."""
    rows, columns = maps.shape[-2:]
    centre = maps[..., 1:-1, 1:-1]
    found = np.ones(centre.shape, bool)
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                found &= centre > maps[..., dy : rows - 2 + dy, dx : columns - 2 + dx]
    return found
