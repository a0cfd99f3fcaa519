"""Fields around halos, in bins of halo mass: profiles, and masses over those of the truth."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from emulator.fields import Field
from emulator.report.figures import style

COLORS = (style.SKY, style.GREEN, style.ORANGE, style.VERMILION, style.PURPLE, style.BLUE)


def plot_halo_profiles(metrics: xr.Dataset) -> Figure:
    """Mean of annuli against ``r / R200c``, one panel a field, one colour a bin of mass."""
    known, bins = style.fields_of(metrics), filled_bins(metrics)
    names = [str(name) for name in metrics["field"].values]
    rows, columns = style.grid_for(len(names))
    figure, axes = style.new_figure(rows, columns, size=(8.2, 3.2 * rows))
    radius, pixel = metrics["radius"].values, float(metrics.attrs["pixel_mpch"])
    for ax, name in zip(axes.ravel(), names, strict=False):
        field = known[name]
        unit = pixel**2 if field.adds_up else 1.0
        for number, label in bins.items():
            for kind, dashes in (("truth", "-"), ("members", "--")):
                values = metrics[f"halo_profile_{kind}"].sel(field=name, halo_mass=label) / unit
                line = label if kind == "truth" else ""
                style.band(ax, radius, values, COLORS[number], line, linestyle=dashes)
        if not field.signed:
            ax.set_yscale("log")
        ax.set_title(field.label)
        ax.set_xlabel("$r / R_{200c}$")
        ax.set_ylabel(_label(field))
    if bins:
        axes[0, 0].legend(title="log $M_{200c}$ [Msun/h]")
    style.hide_unused(axes, len(names))
    return figure


def plot_halo_masses(metrics: xr.Dataset) -> Figure:
    """Projected mass within R200c, members over truth, one panel a field that is a mass."""
    known, bins = style.fields_of(metrics), filled_bins(metrics)
    names = [str(name) for name in metrics["field"].values if known[str(name)].adds_up]
    figure, axes = style.new_figure(1, len(names), size=(style.row_width(len(names)), 3.2))
    for ax, name in zip(axes.ravel(), names, strict=True):
        values = (
            metrics["halo_mass_ratio"].sel(field=name).transpose("estimate", "halo_mass").values
        )
        value, low, high = values[:, list(bins)]
        place = np.arange(len(bins))
        error = np.nan_to_num(np.stack([value - low, high - value]))
        ax.axhline(1.0, color=style.GREY, linewidth=0.9, linestyle=":")
        ax.errorbar(place, value, yerr=error, fmt="o", color=known[name].color, capsize=3)
        ax.set_xticks(place, list(bins.values()), rotation=30, ha="right")
        ax.set_xlabel("log $M_{200c}$  [Msun/h]")
        ax.set_ylabel("mass within $R_{200c}$, members / truth")
        ax.set_title(known[name].label)
    return figure


def filled_bins(metrics: xr.Dataset) -> dict[int, str]:
    """Number and label of the bins that hold halos."""
    count = metrics["halo_count"].sel(estimate="value").values
    labels = metrics["halo_mass"].values.astype(str)
    return {int(number): str(labels[number]) for number in np.flatnonzero(count)}


def _label(field: Field) -> str:
    return "surface density  [$h$ Msun/Mpc$^2$]" if field.adds_up else f"mean  [{field.unit}]"
