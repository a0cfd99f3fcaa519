"""Spread over skill of every channel, with the range of the bar."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_spread_skill(metrics: xr.Dataset, bar: tuple[float, float]) -> Figure:
    """One point a simulation (grey), the mean over runs with its interval (colour)."""
    known = style.fields_of(metrics)
    channels = [str(name) for name in metrics["channel"].values]
    n_members = metrics.sizes["member"]
    figure, axes = style.new_figure(1, 1, size=(6.4, 3.2))
    ax = axes[0, 0]
    ax.axvspan(*bar, color=style.GREEN, alpha=0.15, linewidth=0, label="bar")
    ax.axvline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
    factor = (n_members + 1) / n_members
    for row, name in enumerate(channels):
        sums = metrics.sel(channel=name)
        with np.errstate(divide="ignore", invalid="ignore"):
            single = np.sqrt(factor * sums["variance"].values / sums["squared_error"].values)
        ax.plot(single, np.full(single.size, row - 0.22), "|", color=style.GREY, markersize=9)
        values = sums["spread_skill"].values
        ax.errorbar(
            values[:1],
            [row],
            xerr=np.abs(values[1:] - values[:1])[:, None],
            fmt="o",
            markersize=7,
            color=known[name].color,
            capsize=3,
        )
        label = ax.annotate(f"{values[0]:.2f}", (values[0], row + 0.36), ha="center", fontsize=9)
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1})
    ax.set_yticks(range(len(channels)), [known[name].label for name in channels])
    ax.set_ylim(-0.6, len(channels) - 0.45)
    ax.set_xlim(left=0)
    ax.invert_yaxis()
    ax.set_xlabel("spread / skill (1 = calibrated; below: too confident)")
    return figure
