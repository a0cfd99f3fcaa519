"""CRPS of the model beside its baselines: of pixels, and from pixels to whole windows."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style

COLORS = {
    "model": style.MODEL,
    "linear_transfer": style.SKY,
    "empty": style.ORANGE,
    "climatology": style.PURPLE,
    "quantile_table": style.VERMILION,
    "regression_gaussian": style.GREEN,
}
"""Of forecasts; others are grey."""
TOP = 3.0


def plot_crps(metrics: xr.Dataset, crps_gain: float) -> Figure:
    """Bars: CRPS of pixels over that of the channel's best probabilistic baseline.

    Forecasts that are no ensembles are hatched; the line is the bar to get below.
    """
    pixels = metrics.sel(scale=1)
    channels = [str(name) for name in metrics["channel"].values]
    known = style.fields_of(metrics)
    labels = _labels(metrics)
    columns = max(int(np.isfinite(_relative(pixels, name)).sum()) for name in channels)
    width = max(style.row_width(len(channels)), round(0.62 * columns * len(channels), 1))
    figure, axes = style.new_figure(1, len(channels), size=(width, 3.5), sharey=True)
    top = 1.0
    for ax, name in zip(axes[0], channels, strict=True):
        relative = _relative(pixels, name)
        relative = relative[np.isfinite(relative.values)]
        kinds = [str(kind) for kind in relative["forecast"].values]
        shown = np.minimum(relative.values, TOP)
        bars = ax.bar(range(len(kinds)), shown, color=[COLORS.get(k, style.GREY) for k in kinds])
        for bar, kind, value in zip(bars, kinds, relative.values, strict=True):
            if not bool(metrics["probabilistic"].sel(forecast=kind)):
                bar.set(alpha=0.5, hatch="//")
            place = bar.get_x() + bar.get_width() / 2
            ax.annotate(
                f"{value:.2f}", (place, min(value, TOP)), ha="center", va="bottom", fontsize=8.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
        ax.set_xticks(range(len(kinds)), [labels[kind] for kind in kinds], fontsize=7.5,
                      rotation=45, ha="right", rotation_mode="anchor")  # fmt: skip
        ax.axhline(1 - crps_gain, color=style.BLACK, linestyle="--", linewidth=1.4)
        ax.set_title(known[name].label)
        top = max(top, float(shown.max(initial=1.0)))
    axes[0, 0].set_ylim(0, 1.12 * top)
    axes[0, 0].set_ylabel("CRPS / CRPS of best ensemble")
    return figure


def plot_gains(metrics: xr.Dataset, thresholds: Mapping[str, float]) -> Figure:
    """Gain over the best probabilistic baseline, from pixels to windows and power.

    Points with intervals are the model, open circles the re-drawn truth, where there is one.

    Parameters
    ----------
    thresholds
        Bar of every place on the axis, by its label, in order; see :func:`places_of`.
    """
    known, places = style.fields_of(metrics), np.arange(len(thresholds))
    gains, reachable = (_by_place(metrics, kind) for kind in ("crps_gain", "oracle_gain"))
    figure, axes = style.new_figure(1, 1, size=(6.4, 3.6))
    ax = axes[0, 0]
    for i, bar in enumerate(thresholds.values()):
        line = {"color": style.BLACK, "linestyle": "--", "linewidth": 1.4}
        ax.plot([i - 0.4, i + 0.4], [bar, bar], **line, label="bar" if i == 0 else None)
    names = [str(name) for name in metrics["channel"].values]
    for shift, name in zip(np.linspace(-0.2, 0.2, len(names)), names, strict=True):
        value, low, high = gains.sel(channel=name).transpose("estimate", "place").values
        # an interval need not hold its value: an error bar of no length, not a negative one
        errors = np.nan_to_num(np.maximum([value - low, high - value], 0.0))
        color = known[name].color
        ax.errorbar(places + shift, value, errors, fmt="o", markersize=5, color=color,
                    label=known[name].label)  # fmt: skip
        oracle = reachable.sel(channel=name, estimate="value").values
        ax.plot(places + shift, oracle, "o", markersize=9, fillstyle="none", color=color)
    ax.axhline(0.0, color=style.GREY, linewidth=0.8)
    ax.set_xticks(places, list(thresholds))
    ax.set_ylabel("gain in CRPS")
    ax.set_ylim(max(ax.get_ylim()[0], -1.0), min(ax.get_ylim()[1], 1.0))
    ax.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _by_place(metrics: xr.Dataset, name: str) -> xr.DataArray:
    """A number of every scale and of the power ``(place, estimate, channel)``."""
    of_power = metrics["crps_power_gain" if name == "crps_gain" else f"{name}_power"]
    scales = metrics[name].drop_vars("scale").transpose("scale", ...)
    together: xr.DataArray = xr.concat([*scales, of_power], "place")
    return together


def places_of(metrics: xr.Dataset) -> list[str]:
    """Names of the scales of the file, and of the power."""
    return [*(scale_label(metrics, int(side)) for side in metrics["scale"].values), "P(k)"]


def scale_label(metrics: xr.Dataset, side: int) -> str:
    """What is scored at a scale, in a word."""
    if side == 1:
        return "pixel"
    return "window" if side == int(metrics["scale"].values[-1]) else f"{side} x {side}"


def _labels(metrics: xr.Dataset) -> dict[str, str]:
    names = metrics["forecast"].values.astype(str)
    return dict(zip(names, metrics["forecast_label"].values.astype(str), strict=True))


def _relative(pixels: xr.Dataset, channel: str) -> xr.DataArray:
    """CRPS over that of the best probabilistic baseline ``(forecast,)``; NaN if there is none."""
    scores = pixels["crps"].sel(channel=channel, estimate="value")
    best = str(pixels["best_baseline"].sel(channel=channel).item())
    return scores / scores.sel(forecast=best) if best else scores * np.nan
