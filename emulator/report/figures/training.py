"""Training curves: loss, held-out bound and learning rate by step."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emulator.report.figures import style


def plot_training(histories: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Left: training and validation loss. Right: the bound in bits per dimension.

    Parameters
    ----------
    histories
        Columns of ``history.csv`` by model, NaN where nothing was measured; one line a model.
    """
    figure, axes = style.new_figure(1, 2, size=(8.2, 3.3))
    for history in histories.values():
        _draw_model(axes, history)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes[0, 0].legend(list(once.values()), list(once))
    axes[0, 0].set_ylabel("weighted loss")
    axes[0, 1].set_ylabel("bound  [bits per dimension]")
    for ax in axes[0]:
        ax.set_xlabel("step")
    return figure


def _draw_model(axes: np.ndarray, history: Mapping[str, Sequence[float]]) -> None:
    """Curves of one model."""
    step = np.asarray(history["step"], dtype=float)
    curves = {"train_loss": ("training", style.GREY), "val_loss": ("validation", style.BLUE)}
    for name, (label, color) in curves.items():
        _draw(axes[0, 0], step, history.get(name), color, label)
    positive = [np.asarray(history[name], dtype=float) for name in curves if name in history]
    if positive and all(np.nanmin(v, initial=np.inf) > 0 for v in positive):
        axes[0, 0].set_yscale("log")
    bound = history.get("val_bits_per_dimension")
    _draw(axes[0, 1], step, bound, style.VERMILION, "validation")


def _draw(
    ax: Axes, step: np.ndarray, column: Sequence[float] | None, color: str, label: str
) -> None:
    if column is None:
        return
    values = np.asarray(column, dtype=float)
    known = np.isfinite(values)
    marker = "o" if known.sum() <= 30 else ""
    ax.plot(step[known], values[known], color=color, label=label, marker=marker, markersize=3)
