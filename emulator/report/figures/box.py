"""Where the windows lie: the DMO map of a whole box with its held-out windows."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from emulator.report.figures import style


def plot_box(dmo: xr.DataArray, ensemble: xr.Dataset) -> Figure:
    """Up to three projections of the DMO map with the windows of the ensemble outlined.

    Parameters
    ----------
    dmo
        ``(projection, y, x)`` whole maps [Msun/h per pixel], labelled. Of more than three, the
        first three that hold a window are drawn.
    ensemble
        ``centre, projection``; attr ``pixel_mpch``.
    """
    pixel = float(ensemble.attrs["pixel_mpch"])
    side, window = dmo.shape[-1] * pixel, ensemble.sizes["x"] * pixel
    places = ensemble["projection"].values
    chosen = range(len(dmo)) if len(dmo) <= 3 else np.unique(places)[:3]
    figure, axes = style.new_figure(1, len(chosen), size=(0.5 + 4 * len(chosen), 4.2), sharey=True)
    fields = dmo.values[list(chosen)]
    norm = LogNorm(*np.quantile(fields[fields > 0], (0.01, 0.9995)))
    for number, field, ax in zip(chosen, fields, axes[0], strict=True):
        image = ax.imshow(
            np.maximum(field, norm.vmin or 0.0),
            origin="lower",
            extent=(0, side, 0, side),
            norm=norm,
            cmap="cividis",
        )
        label = str(dmo["projection"].values[number])
        ax.set_title(f"summed along {label}" if label in "xyz" else f"map {label}")
        ax.set_xlabel("[Mpc/h]")
        for i in np.flatnonzero(places == number):
            corner = (ensemble["centre"].values[i] - ensemble.sizes["x"] // 2) * pixel % side
            _outline(ax, corner, window, side, str(i))
        ax.set_xlim(0, side)
        ax.set_ylim(0, side)
    axes[0, 0].set_ylabel("[Mpc/h]")
    bar = figure.colorbar(image, ax=list(axes[0]), fraction=0.03, pad=0.01)
    bar.set_label("DMO  [Msun/h per pixel]", fontsize=9.5)
    return figure


def _outline(ax: Axes, corner: np.ndarray, window: float, side: float, label: str) -> None:
    """A window, repeated across the periodic edges."""
    for shift_y in (0.0, -side):
        for shift_x in (0.0, -side):
            place = (corner[1] + shift_x, corner[0] + shift_y)
            ax.add_patch(
                Rectangle(place, window, window, fill=False, edgecolor=style.ORANGE, linewidth=1.6)
            )
    ax.annotate(
        label,
        (corner[1], corner[0]),
        xytext=(3, 3),
        textcoords="offset points",
        color="white",
        fontsize=9,
        fontweight="bold",
        clip_on=True,
    )
