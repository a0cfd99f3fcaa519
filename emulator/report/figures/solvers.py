"""Error of the power against network evaluations, for every solver."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from emulator.report.figures.style import GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

STYLES = {
    "ancestral": (GREY, "-"),
    "ddim": (GREY, "--"),
    "sde-dpm++2m": (SKY, "--"),
    "heun": (ORANGE, "-"),
    "dpm++2m": (SKY, "-"),
    "ab3": (PURPLE, "--"),
    "unipc2": (GREEN, "--"),
    "unipc3": (GREEN, "-"),
    "abm2, logistic, to gamma -8": (VERMILION, "--"),
    "abm2, logistic, centre 1": (VERMILION, "-"),
}
"""Colour (distinguishable without colour vision) and line of what is drawn, in this order."""


def plot_solvers(
    evaluations: np.ndarray,
    measured: dict[str, dict[str, np.ndarray]],
    tolerance: float,
    path: Path,
) -> None:
    """Draw the unconditional and the conditional field side by side and save the picture."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.8), sharey=True, layout="constrained")
    for axis, field in zip(axes, ("plain", "conditional"), strict=True):
        for label, (colour, line) in STYLES.items():
            errors = measured[label][field]
            axis.plot(evaluations, errors, line, color=colour, label=label, lw=1.8)
        _decorate(axis, tolerance)
        axis.set_title("unconditional" if field == "plain" else "conditional", fontsize=11)
    axes[0].set_ylabel("largest relative error of P(k), any k")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4,
                  frameon=False, fontsize=9)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _decorate(axis: Axes, tolerance: float) -> None:
    axis.set(xscale="log", yscale="log", xlim=(4, 1000), ylim=(1e-4, 2.0))
    axis.set_xlabel("network evaluations")
    ticks = [4, 8, 16, 32, 64, 125, 250, 500, 1000]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.axhline(tolerance, color="k", lw=0.8)
    axis.annotate(f"{tolerance:.0%}", (900, tolerance * 1.1), ha="right", fontsize=9)
    axis.grid(alpha=0.25)
