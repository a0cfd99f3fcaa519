"""CRPS of models over that of the reference, at the same windows, with the error of the pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from emulator.metrics.forecasts import MODEL
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.paired import geometric_mean, paired_ratio
from emulator.report.compare.inputs import Trained
from emulator.report.figures.crps import places_of
from emulator.report.page import Table
from emulator.report.text import with_interval

ALL = "all fields"
TOGETHER = "all of these"
MEANING = "CRPS over that of the reference, same simulations"

BETTER, WORSE = "better", "worse"


@dataclass(frozen=True)
class Ratios:
    """CRPS of one model over that of the reference.

    Attributes
    ----------
    label
        Of the model.
    ratios
        ``(estimate, place, channel)``; below 1 the model is better. The last channel is the
        geometric mean over fields, the last place that over places.
    """

    label: str
    ratios: xr.DataArray

    @property
    def overall(self) -> xr.DataArray:
        """Geometric mean over all fields and places, ``(estimate,)``."""
        return self.ratios.sel(place=TOGETHER, channel=ALL)

    def count(self, side: str) -> int:
        """How many ratios of single fields and places differ from 1 beyond their interval."""
        single = self.ratios.drop_sel(place=TOGETHER, channel=ALL).transpose("estimate", ...)
        flat = single.values.reshape(3, -1).T
        return sum(side_of(values) == side for values in flat)

    @property
    def n_single(self) -> int:
        """How many ratios there are of single fields and places."""
        return (self.ratios.sizes["place"] - 1) * (self.ratios.sizes["channel"] - 1)


def side_of(values: np.ndarray) -> str:
    """``better`` or ``worse`` of a ratio ``(value, low, high)`` whose interval excludes 1."""
    _, low, high = (float(value) for value in values)
    if high < 1.0:
        return BETTER
    return WORSE if low > 1.0 else ""


def score_ratios(models: Sequence[Trained]) -> list[Ratios]:
    """Ratios of all models but the reference, which is the first."""
    reference, *others = models
    runs, scores = Jackknife(reference.metrics["run"]), model_scores(reference.metrics)
    return [Ratios(m.label, _ratios(runs, model_scores(m.metrics), scores)) for m in others]


def _ratios(runs: Jackknife, scores: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    ratios = paired_ratio(runs, scores, reference)
    ratios = _with_mean(_with_mean(ratios, "channel", ALL), "place", TOGETHER)
    return runs.estimate(ratios, MEANING)


def _with_mean(ratios: xr.DataArray, over: str, name: str) -> xr.DataArray:
    """With the geometric mean over a dimension as its last place."""
    together: xr.DataArray = xr.concat(
        [ratios, geometric_mean(ratios, over).expand_dims({over: [name]})], over
    )
    return together


def model_scores(metrics: xr.Dataset) -> xr.DataArray:
    """Mean CRPS of every simulation ``(simulation, place, channel)``: of maps and of power."""
    maps, power = (_of_model(metrics[name]) for name in ("score", "score_power"))
    parts = [maps.sel(scale=side, drop=True) for side in metrics["scale"].values]
    places = xr.DataArray(places_of(metrics), dims="place", name="place")
    scores: xr.DataArray = xr.concat([*parts, power], places)
    return scores.transpose("simulation", "place", "channel")


def _of_model(scores: xr.DataArray) -> xr.DataArray:
    return scores.sel(forecast=MODEL).reset_coords(drop=True)


def ratio_table(found: Ratios, reference: str, labels: dict[str, str]) -> Table:
    """Ratios by place and field, with a word where the interval excludes 1."""
    ratios = found.ratios.transpose("place", "channel", "estimate")
    rows = [
        [str(place), *(ratio_cell(values) for values in row)]
        for place, row in zip(ratios["place"].values, ratios.values, strict=True)
    ]
    return Table(
        ["scored", *(labels.get(str(name), str(name)) for name in ratios["channel"].values)],
        rows,
        f"CRPS of {found.label} over that of {reference}: {found.count(BETTER)} of "
        f"{found.n_single} are better beyond their interval, {found.count(WORSE)} worse.",
    )


def ratio_cell(values: np.ndarray) -> str:
    """``0.959 (0.934 to 0.984) better``."""
    return f"{with_interval(values, '.3f')} {side_of(values)}".rstrip()


def percent(values: np.ndarray) -> str:
    """A ratio in words, with its interval; ``equal`` if there is no error either.

    ``4.1% lower (1.6% to 6.6%)``, ``4.1% lower (9.0% lower to 0.8% higher)``.
    """
    value, low, high = (100 * (float(number) - 1.0) for number in values)
    if value == low == high == 0.0:
        return "equal"
    if np.isnan(low):
        return _one_sided(value)
    if (low < 0) != (high < 0):
        return f"{_one_sided(value)} ({_one_sided(low)} to {_one_sided(high)})"
    near, far = sorted((abs(low), abs(high)))
    return f"{_one_sided(value)} ({near:.1f}% to {far:.1f}%)"


def _one_sided(percentage: float) -> str:
    return f"{abs(percentage):.1f}% {'lower' if percentage < 0 else 'higher'}"
