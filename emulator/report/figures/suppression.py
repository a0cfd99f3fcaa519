"""Suppression of total matter power by baryons, in the truth and in the members."""

import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_suppression(metrics: xr.Dataset, k_range: tuple[float, float]) -> Figure:
    """``P_total / P_DMO`` with bands of 68 %."""
    k = metrics["k"].values
    figure, axes = style.new_figure(1, 1, size=(6.4, 3.8))
    ax = axes[0, 0]
    style.wave_number_axis(ax, metrics["k"], k_range)
    ax.axhline(1.0, color=style.GREY, linewidth=0.9, linestyle=":")
    style.band(ax, k, metrics["suppression_truth"], style.TRUTH, "truth")
    style.band(ax, k, metrics["suppression_members"], style.MODEL, "members", linestyle="--")
    ax.set_ylabel("$P_{total} / P_{DMO}$")
    ax.legend(loc="lower left")
    return figure
