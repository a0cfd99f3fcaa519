"""Responses to parameters: slopes of members over truth, of several models."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style
from emulator.report.figures.ratios import LOOKS

LEAST, MOST = -0.5, 2.5
"""Ends of the axis; slopes beyond are drawn as an arrow at its end."""


def plot_slopes(slopes: xr.DataArray, labels: Mapping[str, str]) -> Figure:
    """One panel a field, one row a parameter, one point a model.

    Parameters
    ----------
    slopes
        ``(model, estimate, parameter, field)``, NaN where nothing is judged.
    labels
        Of fields.
    """
    fields, parameters = slopes["field"].values.astype(str), slopes["parameter"].values
    models = slopes["model"].values.astype(str)
    rows, columns = style.grid_for(len(fields))
    height = 0.9 + (0.22 + 0.1 * len(models)) * len(parameters)
    figure, axes = style.new_figure(
        rows, columns, size=(4.3 * columns, height * rows + 0.3), sharey=True
    )
    y, shifts = np.arange(len(parameters)), np.linspace(-0.36, 0.36, len(models) + 2)[1:-1]
    for ax, field in zip(axes.ravel(), fields, strict=False):
        ax.axvline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
        ax.axvline(0.0, color=style.GREY, linewidth=0.8)
        for i, model in enumerate(models):
            # the reference is black, so that a model has one colour in all figures
            color, marker = LOOKS[(i - 1) % len(LOOKS)] if i else (style.BLACK, "x")
            values = slopes.sel(model=model, field=field).transpose("estimate", "parameter").values
            inside = np.clip(values[0], LEAST, MOST)
            errors = np.nan_to_num(np.abs(values[1:] - values[:1])) * (inside == values[0])
            ax.errorbar(inside, y + shifts[i], xerr=errors, fmt=marker, color=color, markersize=5,
                        linewidth=1.4, label=model)  # fmt: skip
            for row in np.flatnonzero(np.isfinite(values[0]) & (inside != values[0])):
                side = np.sign(values[0, row])
                ax.annotate("", (inside[row] + 0.2 * side, row + shifts[i]),
                            (inside[row], row + shifts[i]),
                            arrowprops={"arrowstyle": "->", "color": color})  # fmt: skip
        ax.set_yticks(y, parameters)
        ax.set_xlim(LEAST - 0.25, MOST + 0.25)
        ax.set_title(labels.get(field, field))
        ax.set_xlabel("response of members / response of truth")
    axes[0, 0].invert_yaxis()
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=min(len(models), 4))
    style.hide_unused(axes, len(fields))
    style.space_rows(figure)
    return figure
