"""Correlation with the truth, scale by scale, beside what the DMO field alone achieves.

What is drawn is 1 - r on a logarithmic axis: correlations near 1 differ by what they lack of it.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style

LEAST = 1e-6
"""Smallest 1 - r that is drawn."""


def plot_correlation(metrics: xr.Dataset, k_range: tuple[float, float]) -> Figure:
    """``1 - r(k)`` of a member, and of the condition, with the truth."""
    domain = style.domain_of_file(metrics)
    of_condition = "dmo" if domain.is_matter else "condition"
    return _panels(
        metrics,
        k_range,
        {
            f"correlation_{of_condition}_truth": (
                f"{domain.nouns.condition} with truth",
                style.GREY,
                ":",
            ),
            "correlation_member_truth": ("member with truth", style.MODEL, "-"),
        },
    )


def plot_identity(metrics: xr.Dataset, k_range: tuple[float, float]) -> Figure:
    """``1 - r(member, truth)`` beside ``1 - r(member, member)``: equal if calibrated."""
    return _panels(
        metrics,
        k_range,
        {
            "correlation_member_truth": ("member with truth", style.MODEL, "-"),
            "correlation_member_member": ("member with member", style.ORANGE, "--"),
        },
    )


def _panels(
    metrics: xr.Dataset, k_range: tuple[float, float], lines: dict[str, tuple[str, str, str]]
) -> Figure:
    fields, k = metrics["field"].values, metrics["k"].values
    rows, columns = style.grid_for(len(fields))
    known = style.fields_of(metrics)
    figure, axes = style.new_figure(rows, columns, size=(8.2, 2.9 * rows))
    for ax, name in zip(axes.ravel(), fields, strict=False):
        style.wave_number_axis(ax, metrics["k"], k_range)
        least = 1.0
        for variable, (label, color, dashes) in lines.items():
            lacking = 1.0 - metrics[variable].sel(field=name)
            # of an interval beyond r = 1 the part that the axis can show
            shown = lacking.where(lacking > 0, LEAST)
            drawn = shown.where(lacking.notnull())
            style.band(ax, k, drawn, color, label, linestyle=dashes)
            values = drawn.sel(estimate="value").values
            least = min(least, float(np.nanmin(values, initial=1.0)))
        ax.set_yscale("log")
        ax.set_ylim(max(0.5 * least, LEAST), 2.0)
        ax.set_title(known[str(name)].label)
        ax.set_ylabel("$1 - r(k)$")
    axes[0, 0].legend(loc="upper left")
    style.hide_unused(axes, len(fields))
    return figure
