"""Lines over wave number of any metric: what is drawn where no figure was made for it."""

import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_lines(metrics: xr.Dataset, variable: str, label: str) -> Figure:
    """One panel a field or channel, one line with its band of 68 %.

    Parameters
    ----------
    metrics
        ``variable (estimate, k)`` or ``(estimate, field, k)`` or ``(estimate, channel, k)``.
    label
        Of the vertical axis.
    """
    values, k = metrics[variable], metrics["k"].values
    by = next((dim for dim in values.dims if dim in ("field", "channel")), None)
    names = [None] if by is None else values[by].values.tolist()
    rows, columns = style.grid_for(len(names))
    figure, axes = style.new_figure(rows, columns, size=(4.1 * columns + 0.2, 3.1 * rows))
    known = style.fields_of(metrics)
    for ax, name in zip(axes.ravel(), names, strict=False):
        line = values if by is None else values.sel({by: name})
        style.band(ax, k, line.transpose("estimate", "k"), style.MODEL, label)
        style.wave_number_axis(ax, metrics["k"])
        ax.set_ylabel(label)
        if name is not None:
            ax.set_title(known[str(name)].label)
    style.hide_unused(axes, len(names))
    return figure
