"""Errors of the solvers that were tried for a model, with the one that was found."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emulator.model.found_solver import FoundSolver
from emulator.report.figures import style

COLORS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
MARKERS = "osD^vP"


def plot_found_solver(found: FoundSolver) -> Figure:
    """Left: largest error of the power. Right: that of the CRPS. One line a solver."""
    figure, axes = style.new_figure(1, 2, size=(8.2, 3.5))
    power = {row.setting: row.largest_spectrum_error for row in found.table}
    scores = {row.setting: row.largest_crps_change for row in found.table}
    panels = (
        (axes[0, 0], power, found.spectrum_budget, "largest error of P(k)  [%]"),
        (axes[0, 1], scores, found.crps_budget, "largest change of the CRPS  [%]"),
    )
    for ax, errors, budget, label in panels:
        for i, candidate in enumerate(dict.fromkeys(s.candidate for s in errors)):
            own = [setting for setting in errors if setting.candidate == candidate]
            values = [100 * errors[setting] for setting in own]
            ax.plot(
                [setting.n_steps for setting in own],
                np.where(np.isfinite(values), values, np.nan),
                color=COLORS[i % len(COLORS)],
                marker=MARKERS[i % len(MARKERS)],
                markersize=4,
                label=candidate.label,
            )
        chosen = found.setting
        ax.plot(
            chosen.n_steps, 100 * errors[chosen], "o", color=style.BLACK, markersize=11,
            fillstyle="none", label="found",
        )  # fmt: skip
        _decorate(ax, 100 * budget, label, sorted({s.n_steps for s in errors}))
    axes[0, 0].legend()
    return figure


def _decorate(ax: Axes, budget: float, label: str, evaluations: list[int]) -> None:
    ax.axhline(budget, color=style.GREY, linewidth=1.0, linestyle="--")
    ax.annotate("budget", (evaluations[-1], budget), ha="right", va="bottom", fontsize=8.5)
    ax.set_yscale("log")
    ax.set_xticks(evaluations, [str(number) for number in evaluations])
    ax.set_xlabel("network evaluations")
    ax.set_ylabel(label)
