"""CRPS of several models over that of one reference, by scale and field, with errors of pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style

LOOKS = (
    (style.BLUE, "o"), (style.VERMILION, "s"), (style.GREEN, "^"), (style.PURPLE, "D"),
    (style.ORANGE, "v"), (style.SKY, "P"),
)  # fmt: skip
"""Colour and marker of models, in turn; the reference of ratios is a line and takes none."""


def plot_ratios(ratios: Sequence[tuple[str, xr.DataArray]], labels: Mapping[str, str]) -> Figure:
    """One panel a field; below the line at 1 a model is better than the reference.

    Parameters
    ----------
    ratios
        ``(estimate, place, channel)`` of each model, with its name.
    labels
        Of channels; of those that it lacks, the name.
    """
    first = ratios[0][1]
    channels, places = first["channel"].values.astype(str), first["place"].values.astype(str)
    rows, columns = style.grid_for(len(channels))
    figure, axes = style.new_figure(rows, columns, size=(4.3 * columns, 3.0 * rows + 0.3))
    x, shifts = np.arange(len(places)), np.linspace(-0.22, 0.22, len(ratios) + 2)[1:-1]
    for ax, channel in zip(axes.ravel(), channels, strict=False):
        ax.axhline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
        ax.axvline(len(places) - 1.5, color=style.GREY, linewidth=0.6)
        for i, (label, found) in enumerate(ratios):
            color, marker = LOOKS[i % len(LOOKS)]
            values = found.sel(channel=channel).transpose("estimate", "place").values
            errors = np.nan_to_num(np.abs(values[1:] - values[:1]))
            ax.errorbar(x + shifts[i], values[0], errors, fmt=marker, color=color, markersize=5,
                        linewidth=1.4, label=label)  # fmt: skip
        ax.set_xticks(x, places, rotation=30, ha="right", rotation_mode="anchor")
        ax.set_title(labels.get(channel, channel))
        ax.set_ylabel("CRPS / CRPS of reference")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=min(len(ratios), 4))
    style.hide_unused(axes, len(channels))
    style.space_rows(figure)
    return figure
