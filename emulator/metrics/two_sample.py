"""Is the truth a draw like the members? Voronoi counts and a classifier on window summaries."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.discriminant import cross_fit_accuracy
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.voronoi_counts import count_chi2, voronoi_cells
from emulator.metrics.window_summaries import N_BINS, window_residuals
from emulator.units import Unit

Array = NDArray[np.float64]

LEAST_WINDOWS = 40
N_TESSELLATIONS, N_RELABELLED, SEED = 10, 199, 0
ONE = str(Unit.DIMENSIONLESS)


class TwoSample(Metric):
    """Voronoi counts of truth and members beside relabelled draws; a classifier, cross-fit by run.

    Features are residuals of window summaries (:mod:`emulator.metrics.window_summaries`), so that
    both ask about the *conditional* law. The reference of the counts are draws of which a random
    one stands for the truth in every window. Windows that overlap share the chaos of the truth but
    not that of members: of many such, a right ensemble is rejected more often than the share says.
    """

    name = "two_sample"
    label = "Truth against members"
    estimator = (
        "chi square of counts in Voronoi cells over its mean of relabelled draws, expected 1, and "
        "the share of these that reach it, uniform for an exchangeable truth; balanced accuracy of "
        "a discriminant of residuals and their squares, fitted without the run, expected 1/2; 2 "
        "members and 40 windows or more, 2 runs or more of the classifier"
    )
    variables = (
        "voronoi_excess",
        "voronoi_p",
        "voronoi_excess_joint",
        "voronoi_p_joint",
        "classifier_accuracy",
        "classifier_accuracy_joint",
    )
    panels = (
        Panel(
            "voronoi_excess",
            "Chi square over its mean",
            "Counts of truth and members in Voronoi cells of window summaries (mean and power), "
            "over the same of relabelled draws. Good: 1. A dash: fewer than 40 windows.",
            ".2f",
        ),
        Panel(
            "voronoi_p",
            "Share of relabelled draws beyond",
            "Good: anything; below 0.01 the truth is no draw like the members.",
            ".3f",
        ),
        Panel("voronoi_excess_joint", "Chi square over its mean", "All fields together.", ".2f"),
        Panel("voronoi_p_joint", "Share of relabelled draws beyond", "All fields together.", ".3f"),
        Panel(
            "classifier_accuracy",
            "Balanced accuracy",
            "A linear classifier tells truth from members in runs that it has not seen. Good: 0.5. "
            "A dash: one run, or fewer than 40 windows.",
            ".3f",
        ),
        Panel("classifier_accuracy_joint", "Balanced accuracy", "All fields together.", ".3f"),
    )
    place = 78.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Residuals ``(sample, alike, channel, summary_of)``; the truth is ``alike`` 0."""
        if min(case.shape) < 2 * N_BINS:
            return xr.Dataset()
        names = ["mean", *(f"power {i}" for i in range(N_BINS))]
        attrs = {"units": ONE, "long_name": "residual of window summaries, truth first"}
        dims = ("sample", "alike", "channel", "summary_of")
        return xr.Dataset(
            {"window_residual": (dims, window_residuals(case), attrs)},
            coords={"channel": case.ensemble["channel"], "summary_of": names},
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Numbers ``(estimate, channel)``, and of all fields together ``(estimate)``."""
        if "window_residual" not in stats:
            return {}
        order = ("simulation", "sample", "alike", "channel", "summary_of")
        values = stats["window_residual"].transpose(*order).values
        shape = values.shape
        known = np.isfinite(values).all(axis=(2, 3, 4))
        which = np.broadcast_to(np.arange(shape[0])[:, None], shape[:2])[known]
        windows = values[known]
        channels = [windows[:, :, i] for i in range(shape[3])]
        joint = windows.reshape(*windows.shape[:2], -1)
        names = stats["channel"]
        enough = len(windows) >= LEAST_WINDOWS
        rows = [*channels, joint]
        counts = [_counts(row) if enough else (np.nan, np.nan) for row in rows]
        accuracy = [_accuracy(row, runs.runs[which], which, shape[0], enough) for row in rows]
        found = {}
        for i, (name, meaning) in enumerate((
            ("voronoi_excess", "chi square of Voronoi counts over that of relabelled draws"),
            ("voronoi_p", "share of relabelled draws of larger chi square"),
        )):  # fmt: skip
            single = xr.DataArray([row[i] for row in counts[:-1]], coords={"channel": names})
            found[name] = _without_interval(single, meaning)
            found[f"{name}_joint"] = _without_interval(xr.DataArray(counts[-1][i]), meaning)
        table = xr.DataArray(
            np.stack(accuracy[:-1], axis=1),
            dims=("simulation", "channel"),
            coords={"channel": names},
        )
        meaning = "balanced accuracy of a classifier, truth against members"
        whole = xr.DataArray(accuracy[-1], dims="simulation")
        return found | {
            "classifier_accuracy": runs.estimate(runs.mean(table), meaning),
            "classifier_accuracy_joint": runs.estimate(runs.mean(whole), meaning),
        }


def _counts(residuals: Array) -> tuple[float, float]:
    """Chi square over its mean of relabelled draws, and the share of these that reach it."""
    rng = np.random.default_rng(SEED)
    points = _standardised(residuals)
    n_windows, n_draws, features = points.shape
    pooled = points.reshape(-1, features)
    n_cells = int(np.clip(n_windows // 8, 4, 30))
    labels = rng.integers(0, n_draws, (N_RELABELLED + 1, n_windows))
    labels[0] = 0
    chi2 = np.zeros(len(labels))
    for _ in range(N_TESSELLATIONS):
        references = pooled[rng.choice(len(pooled), n_cells, replace=False)]
        cells = voronoi_cells(points, references)
        total = np.bincount(cells.ravel(), minlength=n_cells).astype(float)
        picked = cells[np.arange(n_windows), labels]
        counts = (picked[:, :, None] == np.arange(n_cells)).sum(axis=1)
        chi2 += count_chi2(counts, total, n_windows, len(pooled))
    beyond = int((chi2[1:] >= chi2[0] * (1.0 - 1.0e-12)).sum())
    mean = float(chi2[1:].mean())
    return float(chi2[0]) / mean if mean > 0 else np.nan, (1 + beyond) / len(labels)


def _accuracy(
    residuals: Array,
    groups: NDArray[np.integer],
    which: NDArray[np.integer],
    n_simulations: int,
    enough: bool,
) -> Array:
    """Balanced accuracy of each simulation ``(simulation,)``; NaN of those without windows."""
    found = np.full(n_simulations, np.nan)
    if not enough:
        return found
    points = np.clip(_standardised(residuals), -5.0, 5.0)
    points = np.concatenate([points, points**2], axis=-1)
    each = cross_fit_accuracy(points[:, :1], points[:, 1:], groups)
    for simulation in np.unique(which):
        found[simulation] = each[which == simulation].mean()
    return found


def _standardised(residuals: Array) -> Array:
    """``(window, draw, feature)`` over the root mean square of each feature; 0 if it is 0."""
    scale = np.sqrt((residuals**2).mean(axis=(0, 1)))
    result: Array = residuals / np.where(scale > 0, scale, 1.0)
    return result


def _without_interval(values: xr.DataArray, meaning: str) -> xr.DataArray:
    """A number without an error, along ``estimate``."""
    nothing = values * np.nan
    stacked = xr.concat([values, nothing, nothing], "estimate")
    return stacked.assign_coords(estimate=["value", "low", "high"]).assign_attrs(
        units=ONE, long_name=meaning
    )
