"""Spread over skill by side of squares, before and after the calibration of a model."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from emulator.fields import Field
from emulator.model.calibration import Calibration
from emulator.report.figures import style


def plot_noise_scale(calibration: Calibration, fields: Mapping[str, Field]) -> Figure:
    """One colour a field: hollow and dashed before, full after; 1 is calibrated."""
    figure, axes = style.new_figure(1, 1, size=(6.4, 3.6))
    ax = axes[0, 0]
    ax.axhline(1.0, color=style.BLACK, linewidth=1, linestyle="--")
    sides = sorted({row.side for row in calibration.spread})
    for name in calibration.names:
        color, label = fields[name].color, fields[name].label
        rows = {row.side: row for row in calibration.spread if row.field == name}
        before, after = (
            [np.nan if (value := getattr(rows[side], when)) is None else value for side in sides]
            for when in ("before", "after")
        )
        ax.plot(sides, before, "o--", color=color, markersize=5, fillstyle="none", linewidth=1.1)
        ax.plot(sides, after, "o-", color=color, markersize=5, label=label)
    for line, when in (("o--", "before"), ("o-", "after")):
        fill = "none" if when == "before" else "full"
        ax.plot([], [], line, color=style.GREY, markersize=5, fillstyle=fill, label=when)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sides, [str(side) for side in sides])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("side of the square  [pixel]")
    ax.set_ylabel("spread / skill  (1 = calibrated)")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
