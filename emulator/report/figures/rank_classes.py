"""Rank histograms by class of brightness, and the spread of their ranks."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.metrics.brightness import LABELS
from emulator.report.figures import style

COLORS = {"faint": style.SKY, "middle": style.GREEN, "bright": style.VERMILION}
MARKERS = {"faint": "o", "middle": "s", "bright": "^"}
SHIFT = {"faint": -0.22, "middle": 0.0, "bright": 0.22}


def plot_rank_classes(metrics: xr.Dataset, bar: tuple[float, float]) -> Figure:
    """Upper row: shares of ranks, a line a class; lower row: their spread with the bar."""
    channels, ranks = metrics["channel"].values, metrics["rank"].values
    known, width = style.fields_of(metrics), style.row_width(len(channels))
    figure, axes = style.new_figure(2, len(channels), size=(width, 5.0), sharey="row")
    for column, name in enumerate(channels):
        above, below = axes[:, column]
        here = metrics.sel(channel=name)
        above.axhline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
        below.axvspan(*bar, color=style.GREEN, alpha=0.15, linewidth=0)
        below.axvline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
        for row, label in enumerate(str(each) for each in metrics["brightness"].values):
            color, marker = COLORS[label], MARKERS[label]
            share = here["rank_share_class"].sel(brightness=label) * len(ranks)
            values = share.transpose("estimate", "rank").values
            above.errorbar(
                ranks + SHIFT[label],
                values[0],
                yerr=np.abs(values[1:] - values[:1]),
                color=color,
                marker=marker,
                markersize=4,
                linewidth=1,
                label=LABELS[label],
            )
            spread = here["rank_spread"].sel(brightness=label).values
            below.errorbar(
                spread[:1],
                [row],
                xerr=np.abs(spread[1:] - spread[:1])[:, None],
                color=color,
                marker=marker,
                capsize=3,
            )
        above.set_title(known[str(name)].label)
        above.set_xlabel("rank of the truth")
        below.set_xlabel("spread of ranks, 1 = flat")
    classes = [LABELS[str(each)] for each in metrics["brightness"].values]
    axes[1, 0].set_yticks(range(len(classes)), classes)
    axes[1, 0].set_ylim(len(classes) - 0.5, -0.5)
    axes[0, 0].set_ylabel("share, 1 = flat")
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].legend(loc="upper center", fontsize=7.5)
    return figure
