"""Scalars and images for TensorBoard; history.csv holds the same numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from emulator.io import EmulatorError
from emulator.training.history import History

if TYPE_CHECKING:
    from emulator.training.objectives.base import EmulatorModule

N_IMAGES, FLOOR_MSUNH = 4, 1e7


class TensorBoard(pl.Callback):
    """Write each row of the history, and truth beside two members of a few windows.

    Parameters
    ----------
    folder
        Where TensorBoard is pointed at.
    history
        Rows; this callback must stand after it.
    channels
        Names of the fields.
    """

    def __init__(self, folder: Path, history: History, channels: Sequence[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise EmulatorError(
                "training.tensorboard: the package tensorboard is not installed; `pip install "
                "tensorboard`, or set it to false (history.csv holds the same numbers)"
            ) from error
        self.folder, self.history, self.channels = folder, history, channels
        self.make_writer = SummaryWriter

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the last row, and the ensemble if one was drawn in this epoch."""
        if not trainer.is_global_zero:
            return
        row = dict(self.history.rows[-1])
        step = int(row.pop("step"))
        with self.make_writer(str(self.folder)) as writer:
            for name, value in row.items():
                writer.add_scalar(name, value, step)
            module = cast("EmulatorModule[Any]", pl_module)
            if module.masses is None or module.watched is None:
                return
            for index, name in enumerate(self.channels):
                truth = _flat(module.watched.target[:N_IMAGES, index], 2)
                members = _flat(module.masses[:N_IMAGES, :2, index], 3)
                writer.add_image(f"{name}: truth, two members", picture(truth, members), step)


def picture(truth: Tensor, members: Tensor) -> Tensor:
    """Truth and members side by side, a window a row, in one grey scale.

    It is logarithmic unless there are negative values.

    Parameters
    ----------
    truth, members
        ``(window, y, x)`` and ``(window, member, y, x)`` in the unit of the field.

    Returns
    -------
    ``(1, height, width)`` in [0, 1].
    """
    panels = torch.cat([truth[:, None], members], dim=1).cpu()
    levels = panels if bool((panels < 0).any()) else torch.log10(panels + FLOOR_MSUNH)
    low, high = levels[:, 0].min(), levels[:, 0].max()
    grey = ((levels - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    rows = [torch.cat(list(row), dim=1) for row in grey]
    return torch.cat(rows, dim=0)[None]


def _flat(windows: Tensor, first: int) -> Tensor:
    """Maps as they are; of volumes the central layer of their first axis of space."""
    if windows.ndim == first + 1:
        return windows
    return windows.select(first - 1, windows.shape[first - 1] // 2)
