r"""Pixels that count more where there is more matter.

.. math:: w_i = m_i^{\tau} / \langle m^{\tau} \rangle

with ``m`` the DMO mass of a pixel and the mean over training windows. Masses, power and responses
of a box are those of its massive pixels, of which there are few: in a plain mean over pixels they
are hardly seen. A weight that is a function of the condition alone moves no minimum: what is
learned is the same law, massive places first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from emulator.data.condition import Condition
from emulator.data.dataset import WindowDataset
from emulator.training.loaders import unseen_windows

REFERENCE_MSUNH = 1.0e10
"""Unit of the masses whose powers weigh pixels [Msun/h]; the weights are normalised anyway."""


PROBED = 512
"""Training windows from which means and scatters are measured, at least."""


class MassTilt:
    """Weights of pixels, one on average.

    Parameters
    ----------
    power
        ``tau``; 0: all pixels count alike.
    floor_msunh
        Mass that is added to each pixel [Msun/h]; None of arrays, which have no power.
    """

    def __init__(self, power: float, floor_msunh: float | None) -> None:
        self.power, self.floor_msunh, self.mean = power, floor_msunh or 0.0, 1.0

    def measure(self, conditions: Sequence[Condition]) -> None:
        """Mean over training windows, by which weights are divided."""
        self.mean = float(torch.cat([self._raw(each) for each in conditions]).mean())

    def measure_unless_even(self, windows: WindowDataset) -> None:
        """The same from training windows that no step sees, where pixels do not count alike."""
        if self.power:
            self.measure([batch.condition for batch in unseen_windows(windows, PROBED)])

    def __call__(self, condition: Condition) -> Tensor:
        """``(batch, 1, y, x)``."""
        return self._raw(condition)[:, None] / self.mean

    def weigh(
        self, pixel_weights: Tensor | None, condition: Condition, like: Tensor
    ) -> Tensor | None:
        """Weights that pixels have anyway times those of their mass; None: one everywhere.

        Parameters
        ----------
        pixel_weights
            Of the shape of ``like``, or None.
        condition
            Of the batch.
        like
            ``(batch, channel, y, x)``.
        """
        if not self.power:
            return pixel_weights
        tilt = self(condition).expand_as(like)
        return tilt if pixel_weights is None else pixel_weights * tilt

    def _raw(self, condition: Condition) -> Tensor:
        return ((condition.field + self.floor_msunh) / REFERENCE_MSUNH) ** self.power
