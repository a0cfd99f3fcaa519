"""CRPS of pixels and of means over squares, up to the whole window, against baselines and oracle.

A forecast that draws pixels independently can be right about every pixel; the mean over a square
shows whether neighbours belong together, and that of the window whether the mass is right.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.domain import space_in
from emulator.fields import Field
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.channels import common_unit
from emulator.metrics.forecasts import compare, score_forecasts
from emulator.metrics.gain_bars import gain_bar
from emulator.metrics.jackknife import Jackknife

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

SQUARES = (2, 4, 8)
"""Sides of the squares [pixels]; only those that divide the window, and are smaller."""


def squares_of(window: int | tuple[int, ...]) -> list[int]:
    """Sides of the squares that divide a window and are smaller."""
    sides = (window,) if isinstance(window, int) else window
    return [n for n in SQUARES if all(n < side and side % n == 0 for side in sides)]


def scales_of(window: int | tuple[int, ...]) -> list[int]:
    """Sides of all that is scored: the pixel, the squares that divide a window, the window.

    A window that is not square goes by its longer side.
    """
    longest = window if isinstance(window, int) else max(window)
    return sorted({1, *squares_of(window), longest})


class Scores(Metric):
    """Fair CRPS by scale, forecast and channel; gain over the best probabilistic baseline."""

    name = "scores"
    label = "Scores against baselines"
    estimator = "fair CRPS, that of an infinite ensemble for 2 members or more; ratio of means"
    variables = (
        "crps",
        "crps_gain",
        "best_baseline",
        "crps_over_mae",
        "oracle_crps",
        "oracle_ratio",
        "oracle_gain",
    )
    panels = ()
    place = 10.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """``score (scale, forecast, channel)`` and ``score_oracle (scale, channel)``."""
        scales = scales_of(case.shape)
        parts = [score_forecasts(case, partial(square_means, side=side)) for side in scales]
        sides = xr.DataArray(
            scales,
            dims="scale",
            name="scale",
            attrs={"units": "pixel", "long_name": "side of the square that is averaged over"},
        )
        found = xr.concat(parts, sides, coords="minimal", compat="equals")
        unit = common_unit(case.fields)
        found["score"].attrs = {"units": unit, "long_name": "fair CRPS"}
        meaning = "fair CRPS of the other draws of the same truth"
        found["oracle"].attrs = {"units": unit, "long_name": meaning}
        return found.rename(oracle="score_oracle")

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Estimates by scale and channel; ``best_baseline`` is a name."""
        found = compare(runs, stats["score"], stats["score_oracle"], common_unit(fields))
        return {
            "crps": found["crps"],
            "crps_gain": found["gain"],
            "best_baseline": found["best"],
            "crps_over_mae": found["over_mae"],
            "oracle_crps": found["oracle"],
            "oracle_ratio": found["oracle_ratio"],
            "oracle_gain": found["oracle_gain"],
        }

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The model beats the best probabilistic baseline: pixels, squares, windows."""
        first, *squares, window = (int(side) for side in metrics["scale"].values)
        asked = [
            ("CRPS gain", "", [first], config.bars.crps_gain),
            ("CRPS gain of squares", "means over squares", squares, config.bars.crps_gain_squares),
            ("CRPS gain of windows", "means over windows", [window], config.bars.crps_gain_windows),
        ]
        return [
            gain_bar(metrics, field, "crps_gain", "best_baseline", name, what, threshold, sides)
            for name, what, sides, threshold in asked
            if sides
            for field in fields
        ]


def square_means(maps: xr.DataArray, side: int) -> xr.DataArray:
    """Means over squares of ``side`` pixels that tile the window, in float64 [unit of the maps].

    Of volumes, over cubes.

    A side that is that of the window, or its longer one, gives the mean of the window.

    Raises
    ------
    ValueError
        If the side does not divide the window.
    """
    values = maps.astype("float64")
    if side == 1:
        return values
    sizes = {axis: int(maps.sizes[axis]) for axis in space_in(maps.dims)}
    blocks = sizes if side == max(sizes.values()) else dict.fromkeys(sizes, side)
    return values.coarsen(blocks, boundary="exact").reduce(np.mean)
