"""Truth, one member, ensemble mean and scatter of one held-out window, side by side."""

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter

from analysis.figures import style

COLUMNS = ("DMO (condition)", "truth", "one member", "ensemble mean", "ensemble std")


def plot_maps(ensemble: xr.Dataset, sample: int, member: int = 0) -> Figure:
    """Rows: channels; columns: condition, truth, member, mean, standard deviation.

    Parameters
    ----------
    ensemble
        ``fields, truth, condition`` [Msun/h per pixel]; attr ``pixel_mpch``.
    sample, member
        Which window, which member.

    Notes
    -----
    Truth, member and mean of a channel share one logarithmic colour scale (2 to 99.9 % of the
    truth's occupied pixels); pixels below it, empty ones included, take its darkest colour.
    """
    window = ensemble.isel(sample=sample)
    channels = [str(name) for name in window["channel"].values]
    side = window.sizes["x"] * float(ensemble.attrs["pixel_mpch"])
    figure, axes = style.new_figure(
        len(channels), 5, size=(13.5, 2.4 * len(channels)), sharex=True, sharey=True
    )
    for row, name in enumerate(channels):
        truth = window["truth"].sel(channel=name).values
        members = window["fields"].sel(channel=name).transpose("member", "y", "x").values
        mean, std = members.mean(axis=0), members.std(axis=0, ddof=1)
        scale = _scale(truth)
        condition = window["condition"].values
        image = _show(axes[row, 0], condition, side, _scale(condition))
        _colour_bar(figure, image, axes[row, :1], "DMO  [Msun/h per pixel]")
        for column, values in enumerate((truth, members[member], mean), start=1):
            image = _show(axes[row, column], values, side, scale)
        _colour_bar(figure, image, axes[row, 1:4], f"{style.LABELS[name]}  [Msun/h per pixel]")
        image = _show(axes[row, 4], std, side, _scale(std), "cividis")
        _colour_bar(figure, image, axes[row, 4:], "std  [Msun/h per pixel]")
        axes[row, 0].set_ylabel(f"{style.LABELS[name]}\ny [Mpc/h]")
    for ax, title in zip(axes[0], COLUMNS, strict=True):
        ax.set_title(title)
    for ax in axes[-1]:
        ax.set_xlabel("x [Mpc/h]")
    return figure


def _scale(values: np.ndarray) -> LogNorm:
    occupied = values[values > 0]
    if occupied.size == 0:
        return LogNorm(1.0, 10.0)
    low, high = np.quantile(occupied, (0.02, 0.999))
    return LogNorm(low, max(high, 1.01 * low))


def _show(ax, values: np.ndarray, side: float, norm: LogNorm, cmap: str = "viridis") -> AxesImage:
    # Below the scale everything looks alike; a logarithm of zero would leave holes.
    image = ax.imshow(
        np.maximum(values, norm.vmin),
        origin="lower",
        extent=(0, side, 0, side),
        norm=norm,
        cmap=cmap,
        interpolation="nearest",
    )
    ax.spines[["top", "right"]].set_visible(True)
    return image


def _colour_bar(figure: Figure, image: AxesImage, axes: np.ndarray, label: str) -> None:
    bar = figure.colorbar(image, ax=list(axes), fraction=0.05, pad=0.02, aspect=16, shrink=0.8)
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
