"""The condition: what a draw is conditioned on, from a user's arrays to the network."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Condition(NamedTuple):
    """Windows and parameters in physical units; of volumes ``(..., z, y, x)``.

    Attributes
    ----------
    field
        ``(batch, y, x)`` DMO mass [Msun/h per pixel].
    context
        ``(batch, level, y, x)`` DMO mass in wider windows [Msun/h per fine pixel].
    params
        ``(batch, param)`` float64, physical values in the order of the model; NaN where unknown.
    """

    field: Tensor
    context: Tensor
    params: Tensor

    def rows(self, index: Sequence[int]) -> "Condition":
        """Return some rows of the batch, in this order."""
        chosen = torch.as_tensor(list(index), device=self.field.device)
        return Condition(*(part[chosen] for part in self))

    def repeat(self, n_times: int) -> "Condition":
        """Every row ``n_times``, one after the other."""
        return Condition(*(part.repeat_interleave(n_times, 0) for part in self))

    def to(self, device: torch.device) -> "Condition":
        """Return the same on a device."""
        return Condition(*(part.to(device) for part in self))
