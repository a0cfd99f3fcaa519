"""Truth, one member, ensemble mean and scatter of one window, side by side."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, NullFormatter

from emulator.domain import Domain, pixel_of
from emulator.fields import Field
from emulator.report.figures import style

MAX_DECADES = 4
"""Longest colour scale: the edges of star particles reach down to masses that mean nothing."""
LABEL, TICK = 10.5, 9.5
"""Sizes of text [pt]; on a phone one point is one pixel."""


class Layout(NamedTuple):
    """Columns of the grid: panels, colour bars and room for their labels.

    A fixed grid is quicker than an automatic layout, and every colour bar has the height of its
    panel.
    """

    titles: tuple[str, ...]
    """Of the panels behind the condition."""
    panels: tuple[int, ...]
    bars: dict[int, int]
    """Column of the colour bar of a panel."""
    widths: tuple[float, ...]


WITH_TRUTH = Layout(
    ("truth", "one member", "ensemble mean", "ensemble std"),
    (0, 3, 4, 5, 8),
    {0: 1, 3: 6, 4: 9},
    (1.0, 0.06, 1.15, 1.0, 1.0, 1.0, 0.06, 0.66, 1.0, 0.06),
)
WITHOUT = Layout(
    WITH_TRUTH.titles[1:],
    (0, 3, 4, 7),
    {0: 1, 2: 5, 3: 8},
    (1.0, 0.06, 1.15, 1.0, 1.0, 0.06, 0.66, 1.0, 0.06),
)


def plot_maps(ensemble: xr.Dataset, sample: int, member: int = 0) -> Figure:
    """Rows: channels; columns: condition (once), truth, member, mean, standard deviation.

    Parameters
    ----------
    ensemble
        ``fields, condition`` [unit of each field], and ``truth`` where it is known; attr of the
        pixel.
    sample, member
        Which window, which member.

    Notes
    -----
    Truth, member and mean of a channel share one logarithmic colour scale (2 to 99.9 % of the
    occupied pixels of the truth, or else of the members, at most four decades); pixels below it,
    empty ones included, take its darkest colour. That of a signed field is linear and symmetric
    about zero.
    """
    window = ensemble.isel(sample=sample)
    known = style.fields_of(ensemble)
    channels = [str(name) for name in window["channel"].values]
    domain, pixel = style.domain_of_file(ensemble), pixel_of(ensemble.attrs)
    sides = (window.sizes["x"] * pixel, window.sizes["y"] * pixel)
    layout = WITH_TRUTH if "truth" in window else WITHOUT
    titles = (f"{domain.nouns.condition} (condition)", *layout.titles)
    wide = sum(layout.widths) / sum(WITH_TRUTH.widths)
    figure = Figure(figsize=(11.4 * wide, 1.85 * len(channels) + 0.8))
    inch = 1.0 / figure.get_figheight()
    margins = {"left": 0.055, "right": 0.93, "top": 1 - 0.3 * inch, "bottom": 0.5 * inch}
    grid = figure.add_gridspec(
        len(channels), len(layout.widths), width_ratios=layout.widths, wspace=0.06, hspace=0.1,
        **margins,
    )  # fmt: skip
    for row, name in enumerate(channels):
        of_channel = window.sel(channel=name)
        axes = _draw_row(figure, grid, layout, row, known[name], of_channel, member, sides, domain)
        axes[1].set_ylabel(f"{known[name].label}\ny [{domain.length}]", fontsize=LABEL)
        for place, ax in axes.items():
            if row == 0:
                ax.set_title(titles[place])
            if row == len(channels) - 1 or place == 0:
                ax.set_xlabel(f"x [{domain.length}]", fontsize=LABEL)
            else:
                ax.tick_params(labelbottom=False)
        if row == 0:
            axes[0].set_ylabel(f"y [{domain.length}]", fontsize=LABEL)
    return figure


def _draw_row(
    figure: Figure,
    grid: GridSpec,
    layout: Layout,
    row: int,
    field: Field,
    fields: xr.Dataset,
    member: int,
    sides: tuple[float, float],
    domain: Domain,
) -> dict[int, Axes]:
    """The panels of one channel with their colour bars, by place; the first row has all of them."""
    members = fields["fields"].transpose("member", "y", "x").values
    condition = fields["condition"].values
    truth = (fields["truth"].values,) if "truth" in fields else ()
    given = domain.conditions[0]
    # where the truth is not known, or is empty, what members have is all there is to see
    seen = truth[0] if truth and (field.signed or (truth[0] > 0).any()) else members
    std, scale = members.std(axis=0, ddof=1), color_scale(seen, field)
    of_std = color_scale(std, field, is_spread=True)
    colors = color_map(field)
    panels = (
        (condition, color_scale(condition, given), "viridis", domain.nouns.condition, given.unit),
        *((values, scale, colors, "", "") for values in truth),
        (members[member], scale, colors, "", ""),
        (members.mean(axis=0), scale, colors, field.label, field.unit),
        (std, of_std, "cividis", f"std of {field.label}", field.unit),
    )
    axes = {}
    for place, (values, norm, cmap, what, unit) in enumerate(panels):
        if place == 0 and row > 0:
            continue
        ax = figure.add_subplot(grid[row, layout.panels[place]])
        image = _show(ax, values, sides, norm, cmap)
        ax.tick_params(labelsize=TICK, labelleft=place < 2)
        if place in layout.bars:
            bar = figure.colorbar(image, cax=figure.add_subplot(grid[row, layout.bars[place]]))
            bar.set_label(f"{what}\n[{unit}]", fontsize=TICK)
            bar.ax.tick_params(labelsize=TICK)
            bar.ax.yaxis.set_minor_formatter(NullFormatter())
        axes[place] = ax
    return axes


def color_map(field: Field) -> str:
    """Of truth and members: two-sided for fields with a sign."""
    return "coolwarm" if field.signed else "viridis"


def color_scale(values: np.ndarray, field: Field, *, is_spread: bool = False) -> Normalize:
    """Of the 2 % to the 99.9 % quantile of occupied pixels, logarithmic; see `plot_maps`."""
    if field.run == "array" and (is_spread or not field.signed):
        low, high = np.quantile(values, (0.001, 0.999))
        return Normalize(low, high if high > low else low + 1.0)
    if field.signed and not is_spread:
        highest = float(np.quantile(np.abs(values), 0.999)) or 1.0
        return Normalize(-highest, highest)
    occupied = values[values > 0]
    if occupied.size == 0:
        return LogNorm(1.0, 10.0)
    low, high = np.quantile(occupied, (0.02, 0.999))
    low = max(low, 10.0**-MAX_DECADES * high)
    # a single value stands out from what is empty
    return LogNorm(low if high > 1.01 * low else 0.1 * high, high)


def _show(
    ax: Axes, values: np.ndarray, sides: tuple[float, float], norm: Normalize, cmap: str
) -> AxesImage:
    ax.spines[["top", "right"]].set_visible(True)
    # without a tick at the far end the labels of neighbouring panels do not meet
    along_x, along_y = (
        [tick for tick in MaxNLocator(nbins=4).tick_values(0, side) if 0 <= tick < 0.9 * side]
        for side in sides
    )
    ax.set_xticks(along_x)
    ax.set_yticks(along_y)
    # Below the scale everything looks alike; a logarithm of zero would leave holes.
    return ax.imshow(
        np.maximum(values, norm.vmin or 0.0),
        origin="lower",
        extent=(0, sides[0], 0, sides[1]),
        norm=norm,
        cmap=cmap,
        interpolation="nearest",
        aspect="auto",
    )
