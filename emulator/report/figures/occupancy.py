"""Occupancy and total mass of every simulation, members against truth."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_occupancy(metrics: xr.Dataset, channel: str) -> Figure:
    """Left: share of occupied pixels. Right: mean mass per pixel. One point a simulation."""
    figure, axes = style.new_figure(1, 2, size=(8.2, 3.8))
    _scatter(
        axes[0, 0],
        metrics["occupancy_truth"].sel(channel=channel).values,
        metrics["occupancy_members"].sel(channel=channel).values,
        "share of occupied pixels",
    )
    _scatter(
        axes[0, 1],
        metrics["mass_truth"].sel(field=channel).values,
        metrics["mass_members"].sel(field=channel).values,
        f"mean mass  [{style.fields_of(metrics)[channel].unit}]",
    )
    return figure


def _scatter(ax: Axes, truth: np.ndarray, members: np.ndarray, what: str) -> None:
    high = 1.08 * max(truth.max(), members.max(), np.finfo(float).tiny)
    ax.plot([0, high], [0, high], color=style.GREY, linewidth=1, linestyle="--")
    ax.plot(truth, members, "o", color=style.MODEL, alpha=0.75, markersize=5)
    ax.set_xlim(0, high)
    ax.set_ylim(0, high)
    ax.set_aspect("equal")
    ax.set_title(what, fontsize=9.5)
    ax.set_xlabel("truth")
    ax.set_ylabel("members")
