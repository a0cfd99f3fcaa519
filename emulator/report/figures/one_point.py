"""Distribution of the values of a pixel, truth and members."""

import xarray as xr
from matplotlib.figure import Figure

from emulator.report.figures import style
from emulator.units import Unit


def plot_one_point(metrics: xr.Dataset) -> Figure:
    """Share of pixels per dex, by channel, on a logarithmic axis; signed fields are left out."""
    known, x = style.fields_of(metrics), metrics["log_mass"].values
    channels = [name for name in metrics["channel"].values if not known[str(name)].signed]
    figure, axes = style.new_figure(1, len(channels), size=(style.row_width(len(channels)), 3.2))
    for ax, name in zip(axes[0], channels, strict=True):
        truth = metrics["density_truth"].sel(channel=name)
        members = metrics["density_members"].sel(channel=name)
        style.band(ax, x, truth.where(truth > 0), style.TRUTH, "truth")
        style.band(ax, x, members.where(members > 0), style.MODEL, "members", linestyle="--")
        ax.set_yscale("log")
        used = (truth.sel(estimate="value") > 0) | (members.sel(estimate="value") > 0)
        if used.any():
            inside = x[used.values]
            ax.set_xlim(inside[0] - 0.25, inside[-1] + 0.25)
        ax.set_title(known[str(name)].label)
        field = known[str(name)]
        has_unit = field.unit != Unit.DIMENSIONLESS
        ax.set_xlabel(f"log10 of {field.unit if has_unit else field.label}")
    axes[0, 0].set_ylabel("share of pixels per dex")
    axes[0, 0].legend()
    return figure
