"""What models of different seeds disagree about: their share of the variance, their spectra."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_models(metrics: xr.Dataset) -> Figure:
    """Left: share of the variance between models. Right: power ratio, one line a model."""
    known = style.fields_of(metrics)
    channels = [str(name) for name in metrics["channel"].values]
    figure, axes = style.new_figure(1, 2, size=(8.6, 3.4))
    left, right = axes[0]
    for row, name in enumerate(channels):
        value, low, high = metrics["model_share"].sel(channel=name).values
        left.barh(row, value, color=known[name].color)
        left.plot([low, high], [row, row], color=style.BLACK, linewidth=1.5)
        share = f" {value:.0%}".replace("-0%", "0%")
        left.annotate(share, (np.nanmax([value, high]), row), va="center", fontsize=9)
    left.set_yticks(range(len(channels)), [known[name].label for name in channels])
    left.invert_yaxis()
    left.set_xlim(min(0.0, float(metrics["model_share"].min())), 1.0)
    left.set_xlabel("variance between models / all variance")
    ratio = metrics["power_ratio_by_model"].sel(estimate="value")
    right.axhline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
    for name in channels:
        for seed in ratio["model_seed"].values:
            line = ratio.sel(model_seed=seed, field=name)
            label = known[name].label if seed == ratio["model_seed"].values[0] else None
            right.plot(line["k"], line, color=known[name].color, linewidth=1, label=label)
    style.wave_number_axis(right, metrics["k"])
    right.set_ylabel("$P_{model} / P_{truth}$")
    right.legend(fontsize=8)
    return figure
