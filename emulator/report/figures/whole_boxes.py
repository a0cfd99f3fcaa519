"""Painted boxes beside the truth: power ratios, what r lacks of 1, and one box as a picture."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter

from emulator.fields import CONDITION
from emulator.metrics.power_spectrum import correlation_coefficient
from emulator.report.figures import style
from emulator.report.figures.maps import color_map, color_scale

LEAST = 1e-6
"""Smallest 1 - r that is drawn."""

HIGHEST = 3.0
"""Largest ratio that is drawn."""

ALL, WINDOWS = "all boxes", "their windows"


def plot_box_power(audits: xr.Dataset, metrics: xr.Dataset, k_range: tuple[float, float]) -> Figure:
    """Power of painted members over that of the truth: by box, of all, and of windows.

    Parameters
    ----------
    audits
        Of ``audits.nc``.
    metrics
        Of ``metrics.nc``, for the windows.
    k_range
        That of the bars.
    """
    figure, panels = _panels(audits, k_range)
    for name, ax in panels.items():
        of_field = audits["box_power_ratio"].sel(field=name).transpose("box", "box_member", "k")
        _ranges(ax, audits, of_field)
        ax.axhline(1.0, color=style.BLACK, linewidth=0.8)
        _windows(ax, _power_of_windows(audits, metrics, name), WINDOWS)
        summed = audits["box_power_ratio_summed"].sel(field=name)
        ax.plot(audits["k"], summed, color=style.MODEL, label=ALL)
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, 0.0), min(high, HIGHEST))
        ax.set_ylabel("$P_{painted} / P_{truth}$")
    next(iter(panels.values())).legend(loc="upper left", fontsize=7.5)
    return figure


def plot_box_correlation(
    audits: xr.Dataset, metrics: xr.Dataset, k_range: tuple[float, float]
) -> Figure:
    """``1 - r(k)`` of painted members, and of the DMO map, with the truth; arguments as above."""
    figure, panels = _panels(audits, k_range)
    label = style.domain_of_file(audits).nouns.condition
    for name, ax in panels.items():
        lacking = 1.0 - audits["box_correlation_members"].sel(field=name)
        _ranges(ax, audits, lacking.clip(min=LEAST).transpose("box", "box_member", "k"))
        windows = _correlation_of_windows(audits, metrics, name)
        _windows(
            ax,
            None if windows is None else (1.0 - windows).clip(min=LEAST),
            f"member with truth, {WINDOWS}",
        )
        least = 1.0
        for variable, text, color, dashes in (
            ("correlation_dmo", f"{label} with truth, {ALL}", style.GREY, ":"),
            ("correlation_members", f"member with truth, {ALL}", style.MODEL, "-"),
        ):
            values = 1.0 - audits[f"box_{variable}_summed"].sel(field=name).values
            shown = np.maximum(values, LEAST)
            ax.plot(audits["k"], shown, color=color, linestyle=dashes, label=text)
            least = min(least, float(np.nanmin(shown, initial=1.0)))
        ax.set_yscale("log")
        ax.set_ylim(max(0.5 * least, LEAST), 2.0)
        ax.set_ylabel("$1 - r(k)$")
    next(iter(panels.values())).legend(loc="upper left", fontsize=7.5)
    return figure


def plot_painted_box(audits: xr.Dataset) -> Figure:
    """DMO map of a whole box, large; beside it truth above a painted member, a column a field."""
    known, channels = style.fields_of(audits), audits["channel"].values.astype(str).tolist()
    domain, pixel = style.domain_of_file(audits), float(audits.attrs["box_pixel_mpch"])
    side = audits.sizes["box_x"] * pixel
    figure = Figure(figsize=(4.6 + 2.2 * len(channels), 5.1))
    grid = figure.add_gridspec(
        3, 1 + len(channels), width_ratios=[2.0, *(1.0 for _ in channels)],
        height_ratios=[1.0, 1.0, 0.05], wspace=0.09, hspace=0.14,
        left=0.055, right=0.985, top=0.93, bottom=0.13,
    )  # fmt: skip
    dmo = audits["box_map_dmo"].values
    ax = figure.add_subplot(grid[:2, 0])
    image = _show(ax, dmo, side, color_scale(dmo, CONDITION), "viridis")
    ax.set_title(f"{domain.nouns.condition} (given)")
    ax.set_ylabel(f"y [{domain.length}]")
    ax.set_xticks([])
    _color_bar(figure, image, grid[2, 0], f"{domain.nouns.condition}  [{CONDITION.unit}]")
    for column, name in enumerate(channels, 1):
        truth, member = (
            audits[f"box_map_{what}"].sel(channel=name).values for what in ("truth", "member")
        )
        scale, colors = color_scale(truth, known[name]), color_map(known[name])
        for row, values in enumerate((truth, member)):
            ax = figure.add_subplot(grid[row, column])
            image = _show(ax, values, side, scale, colors)
            ax.set_xticks([])
            ax.set_yticks([])
            if column == 1:
                ax.set_ylabel(("truth", "painted member")[row], fontweight="bold")
            if row == 0:
                ax.set_title(known[name].label)
        _color_bar(figure, image, grid[2, column], f"[{known[name].unit}]")
    return figure


def _panels(audits: xr.Dataset, k_range: tuple[float, float]) -> tuple[Figure, dict[str, Axes]]:
    """A panel for each field, with its axis of wave numbers."""
    names, known = audits["field"].values.astype(str).tolist(), style.fields_of(audits)
    rows, columns = style.grid_for(len(names))
    figure, axes = style.new_figure(rows, columns, size=(8.2, 3.1 * rows))
    panels = dict(zip(names, axes.ravel(), strict=False))
    for name, ax in panels.items():
        style.wave_number_axis(ax, audits["k"], k_range)
        ax.set_title(known[name].label)
    style.hide_unused(axes, len(names))
    return figure, panels


def _ranges(ax: Axes, audits: xr.Dataset, values: xr.DataArray) -> None:
    """Range of the members ``(box, box_member, k)`` of each box."""
    k = audits["k"].values
    for number, members in enumerate(values.values):
        text = f"range of members, by box ({len(values)})" if number == 0 else None
        ax.fill_between(
            k, members.min(axis=0), members.max(axis=0),
            facecolor=style.SKY, edgecolor=style.SKY, alpha=0.4, linewidth=0.8, label=text,
        )  # fmt: skip


def _windows(ax: Axes, values: xr.DataArray | None, label: str) -> None:
    """What the windows of the same boxes say, dashed; nothing if none of them was judged."""
    if values is not None:
        ax.plot(values["k"], values, color=style.VERMILION, linestyle="--", label=label)


def _of_same_boxes(audits: xr.Dataset, metrics: xr.Dataset, field: str) -> xr.Dataset | None:
    """Spectra of the windows ``(simulation, k)`` of the boxes that were painted, mean of members.

    Not of all held-out simulations: beyond a few h/Mpc the power of a box is that of its few
    most massive halos, and boxes differ by more than painting does.
    """
    names = ("power_truth", "power_members", "power_member_truth")
    if any(name not in metrics for name in names) or field not in metrics["field"].values:
        return None
    judged = metrics["simulation"].values.astype(str).tolist()
    places = [judged.index(box) for box in audits["box"].values.astype(str) if box in judged]
    if not places:
        return None
    own: xr.Dataset = metrics[list(names)].sel(field=field).isel(simulation=places)
    return own.mean("member").mean("simulation")


def _power_of_windows(audits: xr.Dataset, metrics: xr.Dataset, field: str) -> xr.DataArray | None:
    own = _of_same_boxes(audits, metrics, field)
    return None if own is None else own["power_members"] / own["power_truth"]


def _correlation_of_windows(
    audits: xr.Dataset, metrics: xr.Dataset, field: str
) -> xr.DataArray | None:
    own = _of_same_boxes(audits, metrics, field)
    if own is None:
        return None
    return correlation_coefficient(
        own["power_member_truth"], own["power_members"], own["power_truth"]
    )


def _show(ax: Axes, values: np.ndarray, side: float, norm: Normalize, colors: str) -> AxesImage:
    ax.spines[["top", "right"]].set_visible(True)
    # below the scale everything looks alike; a logarithm of zero would leave holes
    shown = np.maximum(values, norm.vmin or 0.0)
    extent = (0.0, side, 0.0, side)
    return ax.imshow(shown, origin="lower", extent=extent, norm=norm, cmap=colors)


def _color_bar(figure: Figure, image: AxesImage, place: SubplotSpec, label: str) -> None:
    bar = figure.colorbar(image, cax=figure.add_subplot(place), orientation="horizontal")
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=9)
    bar.ax.xaxis.set_minor_formatter(NullFormatter())
