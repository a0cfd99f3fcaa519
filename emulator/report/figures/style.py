"""Looks shared by all figures: palette, fields, and what every panel needs.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; images use cividis
and viridis, which also print in grey. Labels, colours and units of fields are those that the file
declares (:mod:`emulator.fields`).
"""

from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from emulator.domain import Domain, domain_of
from emulator.fields import Field, load_fields
from emulator.units import Unit

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#767676"

TRUTH, MODEL, DMO = BLACK, BLUE, GREY
K_LABEL = "$k$  [$h$/Mpc]"

# Set once for the process: titles, legends and labels read these when they are made, not drawn.
RC: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "emulator",
}
mpl.rcParams.update(mpl.RcParams(RC))


def new_figure(
    rows: int, columns: int, *, size: tuple[float, float], sharey: Literal["row"] | bool = False
) -> tuple[Figure, np.ndarray]:
    """Figure and ``(rows, columns)`` array of axes in the common style."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharey=sharey)


def fields_of(dataset: xr.Dataset) -> dict[str, Field]:
    """What channels and fields of a file are, by name: as its attribute ``fields`` says."""
    names = [
        str(name)
        for coord in ("channel", "field")
        if coord in dataset.coords
        for name in np.atleast_1d(dataset[coord].values)
    ]
    rows = load_fields(dataset.attrs, dict.fromkeys(names), "metrics or ensemble of the report")
    return {field.name: field for field in rows}


def domain_of_file(dataset: xr.Dataset) -> Domain:
    """What the maps of a file are of."""
    return domain_of(dataset.attrs, "metrics or ensemble of the report")


def grid_for(count: int) -> tuple[int, int]:
    """Rows and columns for a few panels: at most two columns, so that a phone can show them."""
    columns = min(count, 2)
    return -(-count // columns), columns


def row_width(count: int) -> float:
    """Width of a row of panels [inch]: that of three, or more."""
    return max(9.6, round(3.2 * count, 1))


def space_rows(figure: Figure) -> None:
    """Keep the title of a panel apart from the labels of the panel above it."""
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.12, w_pad=0.08)


def hide_unused(axes: np.ndarray, used: int) -> None:
    """Remove the panels beyond the first ``used``."""
    for ax in axes.ravel()[used:]:
        ax.remove()


def band(
    ax: Axes, x: np.ndarray, values: xr.DataArray, color: str, label: str, **line: Any
) -> None:
    """Line of ``estimate=value`` with the interval from ``low`` to ``high``."""
    low, high = values.sel(estimate="low").values, values.sel(estimate="high").values
    ax.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0)
    ax.plot(x, values.sel(estimate="value").values, color=color, label=label, **line)


def k_label(unit: str) -> str:
    """Of an axis of wave numbers."""
    return K_LABEL if unit == Unit.WAVE_NUMBER else f"$k$  [{unit}]"


def power_label(domain: Domain) -> str:
    """Of an axis of power spectra."""
    if domain.is_matter:
        return f"$P(k)$  [(Mpc/h)$^{domain.dimensions}$]"
    return f"$P(k)$  [{domain.power}]"


def wave_number_axis(
    ax: Axes, wave_numbers: xr.DataArray, k_range: Sequence[float] | None = None
) -> None:
    """Logarithmic axis of wave number with plain numbers; the range of the bars is shaded."""
    unit, k = str(wave_numbers.attrs.get("units", Unit.WAVE_NUMBER)), wave_numbers.values
    ax.set_xscale("log")
    decades = range(int(np.floor(np.log10(k[0]))), int(np.ceil(np.log10(k[-1]))) + 1)
    plain = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    ticks = [t for t in plain if k[0] * 0.9 <= t <= k[-1] * 1.1]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(k[0] * 0.93, k[-1] * 1.07)
    ax.set_xlabel(k_label(unit))
    if k_range is not None:
        ax.axvspan(*k_range, color="#f1efe6", zorder=-5, linewidth=0)
