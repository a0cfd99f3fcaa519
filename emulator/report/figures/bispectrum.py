"""Bispectra of members over those of the truth."""

import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style

LINES = {"equilateral": (style.MODEL, "-"), "squeezed": (style.ORANGE, "--")}


def plot_bispectrum_ratio(metrics: xr.Dataset) -> Figure:
    """One panel a field; ``B(k, k, k)`` and ``B(k, k, k_long)`` with bands of 68 %."""
    known, k = style.fields_of(metrics), metrics["triangle_k"]
    names = [str(name) for name in metrics["field"].values]
    rows, columns = style.grid_for(len(names))
    figure, axes = style.new_figure(rows, columns, size=(8.2, 2.9 * rows))
    for ax, name in zip(axes.ravel(), names, strict=False):
        style.wave_number_axis(ax, k)
        ax.axhline(1.0, color=style.GREY, linewidth=0.9, linestyle=":")
        for shape, (color, dashes) in LINES.items():
            values = metrics["bispectrum_ratio"].sel(field=name, triangle=shape)
            style.band(
                ax, k.values, values, color, shape, linestyle=dashes, marker="o", markersize=3
            )
        ax.set_title(known[name].label)
        ax.set_ylabel("$B / B_{truth}$")
    axes[0, 0].legend()
    style.hide_unused(axes, len(names))
    return figure
