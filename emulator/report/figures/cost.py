"""Cost of every rule of the workflow: wall time and peak memory."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_cost(rows: Sequence[dict[str, Any]]) -> Figure:
    """Bars of the summed seconds of each rule, annotated with jobs and peak memory.

    Parameters
    ----------
    rows
        ``rule, jobs, seconds, max_rss_mb`` (None where unknown), slowest first.
    """
    figure, axes = style.new_figure(1, 1, size=(7.2, 0.7 + 0.42 * len(rows)))
    ax = axes[0, 0]
    ax.barh(range(len(rows)), [row["seconds"] for row in rows], color=style.SKY)
    for place, row in enumerate(rows):
        memory = "" if row["max_rss_mb"] is None else f", {row['max_rss_mb'] / 1024:.1f} GB"
        jobs = f"{row['jobs']} job{'s' if row['jobs'] > 1 else ''}"
        text = f" {row['seconds']:.0f} s in {jobs}{memory}"
        ax.annotate(text, (row["seconds"], place), va="center", fontsize=8.5)
    ax.set_yticks(range(len(rows)), [row["rule"] for row in rows])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.45 * max((row["seconds"] for row in rows), default=1.0))
    ax.set_xlabel("summed wall time  [s]")
    return figure
