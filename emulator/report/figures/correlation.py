"""Correlation with the truth, scale by scale, beside what the DMO field alone achieves."""

import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_correlation(metrics: xr.Dataset, k_range: tuple[float, float]) -> Figure:
    """``r(k)`` of a member, and of the DMO condition, with the truth."""
    domain = style.domain_of_file(metrics)
    of_condition = "dmo" if domain.is_matter else "condition"
    return _panels(
        metrics,
        k_range,
        {
            f"correlation_{of_condition}_truth": (
                f"{domain.condition_label} with truth",
                style.GREY,
                ":",
            ),
            "correlation_member_truth": ("member with truth", style.MODEL, "-"),
        },
    )


def plot_identity(metrics: xr.Dataset, k_range: tuple[float, float]) -> Figure:
    """``r(member, truth)`` beside ``r(member, other member)``: equal if calibrated."""
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
        for variable, (label, color, dashes) in lines.items():
            values = metrics[variable].sel(field=name)
            style.band(ax, k, values, color, label, linestyle=dashes)
        ax.set_ylim(top=1.02)
        ax.set_title(known[str(name)].label)
        ax.set_ylabel("$r(k)$")
    axes[0, 0].legend()
    style.hide_unused(axes, len(fields))
    return figure
