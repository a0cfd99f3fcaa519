"""Responses to parameters: truth beside members, by field and summary."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from emulator.report.figures import style

BAR = 0.38
PALE = 0.3
LINEAR = 0.1
"""Responses between which the axis is linear; it is logarithmic beyond."""


def plot_responses(metrics: xr.Dataset) -> Figure:
    """Rows: fields; columns: mass, variance, power on the largest and on the smallest scales.

    Bars of responses that are not judged are pale.
    """
    known, summaries = style.fields_of(metrics), _columns(metrics)
    fields, moved = [str(name) for name in metrics["field"].values], moved_parameters(metrics)
    height = 0.9 + 0.3 * len(moved)
    figure, axes = style.new_figure(
        len(fields),
        len(summaries),
        size=(2.6 * len(summaries) + 0.9, height * len(fields) + 0.5),
        sharey=True,
    )
    for row, name in zip(axes, fields, strict=True):
        for ax, summary in zip(row, summaries, strict=True):
            _panel(ax, metrics.sel(field=name, summary=summary, parameter=moved))
            unit = "" if summary in ("mass", "variance") else " h/Mpc"
            ax.set_title(f"{known[name].label}: {summary}{unit}", fontsize=9)
    axes[0, 0].set_yticks(range(len(moved)), moved)
    axes[0, 0].invert_yaxis()
    for ax in axes[-1]:
        ax.set_xlabel("change of ln(summary)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def moved_parameters(metrics: xr.Dataset) -> list[str]:
    """Parameters that the response set moves."""
    found = metrics["response_truth"].sel(estimate="value").notnull().any(("field", "summary"))
    return [str(name) for name in metrics["parameter"].values[found.values]]


def _columns(metrics: xr.Dataset) -> list[str]:
    """Mass, variance, and the first and last bin of power."""
    mass, variance, *power = (str(name) for name in metrics["summary"].values)
    return list(dict.fromkeys([mass, variance, *power[:1], *power[-1:]]))


def _panel(ax: Axes, responses: xr.Dataset) -> None:
    places = np.arange(responses.sizes["parameter"])
    judged = responses["response_judged"].values.astype(bool)
    for kind, color, offset in (
        ("truth", style.TRUTH, -BAR / 2),
        ("members", style.MODEL, BAR / 2),
    ):
        values = responses[f"response_{kind}"].transpose("estimate", "parameter").values
        bars = ax.barh(places + offset, values[0], BAR, color=color, label=kind)
        for bar, counts in zip(bars, judged, strict=True):
            bar.set_alpha(1.0 if counts else PALE)
        # quantiles of a bootstrap need not enclose the value
        errors = np.maximum(np.abs(values[1:] - values[:1]), 0.0)
        ax.errorbar(
            values[0], places + offset, xerr=errors, fmt="none", ecolor=style.GREY, linewidth=1
        )
    ax.axvline(0.0, color=style.BLACK, linewidth=0.8)
    _logarithmic_but_near_zero(ax, responses)


def _logarithmic_but_near_zero(ax: Axes, responses: xr.Dataset) -> None:
    """One axis for parameters that multiply a summary and for those that change it by a tenth."""
    both = [responses[f"response_{kind}"].values for kind in ("truth", "members")]
    values = np.nan_to_num(both)
    low, high = min(1.5 * values.min(), -1.1 * LINEAR), max(1.5 * values.max(), 1.1 * LINEAR)
    ax.set_xscale("symlog", linthresh=LINEAR)
    ticks = [sign * size for sign in (-1, 1) for size in (LINEAR, 1.0, 10.0, 100.0)]
    shown = sorted(tick for tick in [0.0, *ticks] if low <= tick <= high)
    ax.set_xticks(shown, [f"{tick:g}" for tick in shown])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(low, high)
