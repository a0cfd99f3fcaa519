"""Coverage: how often the truth lies inside the ensemble's central intervals."""

import itertools

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style

MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_coverage(metrics: xr.Dataset) -> Figure:
    """Empirical against nominal coverage, pixels and window masses, by channel."""
    nominal, known = metrics["nominal"].values, style.fields_of(metrics)
    nouns = style.domain_of_file(metrics).nouns
    figure, axes = style.new_figure(1, 2, size=(8.2, 3.8), sharey=True)
    panels = {
        "coverage": "pixels",
        "coverage_mass": f"{nouns.amount} of a window",
    }
    for ax, (variable, title) in zip(axes[0], panels.items(), strict=True):
        ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle="--")
        for name, marker in zip(metrics["channel"].values, itertools.cycle(MARKERS), strict=False):
            values = metrics[variable].sel(channel=name).values
            ax.errorbar(
                nominal,
                values[0],
                yerr=np.abs(values[1:] - values[:1]),
                marker=marker,
                markersize=5,
                linewidth=1.3,
                color=known[str(name)].color,
                label=known[str(name)].label,
            )
        ax.set_title(title)
        ax.set_xlabel("nominal share of the interval")
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_aspect("equal")
    axes[0, 0].set_ylabel("share of truths inside")
    axes[0, 0].legend(loc="upper left")
    return figure
