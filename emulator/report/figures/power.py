"""Power spectra of truth and members, and their ratio with the tolerance of the bar."""

from collections.abc import Mapping

import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_power(metrics: xr.Dataset) -> Figure:
    """Spectra of every field, mean over windows and runs; bands are intervals of 68 %."""
    fields, k = metrics["field"].values, metrics["k"].values
    rows, columns = style.grid_for(len(fields))
    known = style.fields_of(metrics)
    figure, axes = style.new_figure(rows, columns, size=(8.2, 3.1 * rows))
    for ax, name in zip(axes.ravel(), fields, strict=False):
        members, truth = metrics["spectrum_members"], metrics["spectrum_truth"]
        style.band(ax, k, truth.sel(field=name), style.TRUTH, "truth")
        style.band(ax, k, members.sel(field=name), style.MODEL, "members", linestyle="--")
        ax.set_yscale("log")
        ax.set_title(known[str(name)].label)
        style.wave_number_axis(ax, metrics["k"])
        ax.set_ylabel(style.power_label(style.domain_of_file(metrics)))
    axes[0, 0].legend()
    style.hide_unused(axes, len(fields))
    return figure


def plot_power_ratio(
    metrics: xr.Dataset, tolerance: Mapping[str, float], k_range: tuple[float, float]
) -> Figure:
    """Ratio of member to truth power, summed and median over windows, with the tolerance band."""
    fields, k = metrics["field"].values, metrics["k"].values
    rows, columns = style.grid_for(len(fields))
    known = style.fields_of(metrics)
    figure, axes = style.new_figure(rows, columns, size=(8.2, 3.1 * rows))
    for ax, name in zip(axes.ravel(), fields, strict=False):
        summed, median = metrics["power_ratio_summed"], metrics["power_ratio_median"]
        style.wave_number_axis(ax, metrics["k"])
        width = tolerance.get(str(name), 0.0)
        if width:
            color, label = style.GREEN, f"bar: within {width:.0%}"
            ax.fill_between(
                k_range, 1 - width, 1 + width, color=color, alpha=0.18, linewidth=0, label=label
            )
        ax.axhline(1.0, color=style.BLACK, linewidth=0.8)
        style.band(ax, k, summed.sel(field=name), style.VERMILION, "summed over windows")
        style.band(ax, k, median.sel(field=name), style.BLUE, "median over windows", linestyle="--")
        ax.set_title(known[str(name)].label)
        ax.set_ylabel("$P_{member} / P_{truth}$")
        # A band that runs away, as that of a few stars can, must not hide the lines.
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, 0.0), min(high + 0.3 * (high - low), 3.0 + width))
        ax.legend(loc="upper left", fontsize=7.5)
    style.hide_unused(axes, len(fields))
    return figure
