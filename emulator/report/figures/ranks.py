"""Rank histograms: where the truth falls among the members."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_ranks(metrics: xr.Dataset) -> Figure:
    """Rank of the truth for pixels (bars) and for the mass of a window (points), by channel."""
    channels, ranks = metrics["channel"].values, metrics["rank"].values
    known, width = style.fields_of(metrics), style.row_width(len(channels))
    nouns = style.domain_of_file(metrics).nouns
    figure, axes = style.new_figure(1, len(channels), size=(width, 3.1), sharey=True)
    for ax, name in zip(axes[0], channels, strict=True):
        pixels = metrics["rank_share"].sel(channel=name).values * len(ranks)
        mass = metrics["rank_share_mass"].sel(channel=name).values * len(ranks)
        ax.bar(ranks, pixels[0], color=style.SKY, width=0.9, label="pixels")
        ax.errorbar(
            ranks,
            mass[0],
            yerr=np.abs(mass[1:] - mass[:1]),
            fmt="o",
            color=style.VERMILION,
            markersize=3.5,
            linewidth=1,
            label=f"{nouns.amount} of a window",
        )
        ax.axhline(1.0, color=style.BLACK, linewidth=1, linestyle="--", label="calibrated")
        ax.set_title(known[str(name)].label)
        ax.set_xlabel("rank of the truth")
    axes[0, 0].set_ylabel("share, 1 = flat")
    axes[0, 0].set_ylim(0, 1.35 * axes[0, 0].get_ylim()[1])
    axes[0, 0].legend(loc="upper center", ncols=3, fontsize=7, columnspacing=0.8)
    return figure
