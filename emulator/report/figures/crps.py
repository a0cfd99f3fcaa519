"""CRPS of the model beside its baselines, relative to the best baseline."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.metrics.scores import FORECASTS
from emulator.report.figures import style

COLORS = {
    "model": style.MODEL,
    "dmo_share": style.GREY,
    "linear_transfer": style.SKY,
    "training_mean": style.GREY,
    "empty": style.ORANGE,
    "climatology": style.PURPLE,
    "regression_gaussian": style.GREEN,
    "regression": style.SKY,
}


def plot_crps(metrics: xr.Dataset, crps_gain: float) -> Figure:
    """Bars: CRPS over that of the channel's best baseline; the line is the bar to get below."""
    channels = [str(name) for name in metrics["channel"].values]
    known, width = style.fields_of(metrics), style.row_width(len(channels))
    figure, axes = style.new_figure(1, len(channels), size=(width, 3.3), sharey=True)
    top = 1.0
    for ax, name in zip(axes[0], channels, strict=True):
        scores = metrics["crps"].sel(channel=name, estimate="value")
        best = str(metrics["best_baseline"].sel(channel=name).item())
        relative = scores / scores.sel(forecast=best)
        kinds = [str(kind) for kind in relative["forecast"].values]
        values = relative.values
        kinds = [kind for kind, value in zip(kinds, values, strict=True) if np.isfinite(value)]
        values = values[np.isfinite(values)]
        shown = np.minimum(values, 3.0)
        ax.bar(range(len(kinds)), shown, color=[COLORS[kind] for kind in kinds])
        for place, value in enumerate(values):
            ax.annotate(f"{value:.2f}", (place, min(value, 3.0)), ha="center", va="bottom")
        labels = [FORECASTS[kind].replace(" ", "\n") for kind in kinds]
        ax.set_xticks(range(len(kinds)), labels, fontsize=7.5)
        ax.axhline(1 - crps_gain, color=style.VERMILION, linestyle="--", linewidth=1.4)
        ax.set_title(known[name].label)
        top = max(top, float(shown.max(initial=1.0)))
    axes[0, 0].set_ylim(0, 1.12 * top)
    axes[0, 0].set_ylabel("CRPS / CRPS of best baseline")
    return figure
