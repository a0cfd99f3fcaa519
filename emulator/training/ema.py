r"""Moving averages of the weights.

* ``exponential``: with a warm-up. The decay at update ``n`` is :math:`\min(d, (n+1)/(n+20))`:
  without it a decay of 0.999 over a few hundred steps would keep half of the initial weights.
* ``power``: a constant share of the training so far
  (:mod:`~emulator.training.power_average`).

Up to update :math:`19/(1-d)`, 9500 at 0.998, the warm-up is all there is of the first, and that is
about a power average of relative length 0.048.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from emulator.training.power_average import decay_at, exponent_of

TRACKED = (0.1, 0.05)
"""Relative lengths of the power averages that are tracked; validation watches the first."""

ParamList = tuple[torch.Tensor, ...] | list[torch.Tensor]


def warmup_decay(n_updates: int, ceiling: float) -> float:
    """Decay of update ``n_updates`` (0 for the first)."""
    return min(ceiling, (n_updates + 1) / (n_updates + 20))


def build_ema(network: nn.Module, ceiling: float) -> AveragedModel:
    """Averaged copy of ``network``; call ``update_parameters`` after each optimiser step."""
    return _build(network, lambda n_updates: warmup_decay(n_updates, ceiling))


def build_power_average(network: nn.Module, length: float) -> AveragedModel:
    """The same with a relative length, which is that of any number of updates."""
    exponent = exponent_of(length)
    return _build(network, lambda n_updates: decay_at(n_updates + 1, exponent))


def _build(network: nn.Module, decay_of: Callable[[int], float]) -> AveragedModel:
    @torch.no_grad()
    def average(averaged: ParamList, current: ParamList, n_averaged: torch.Tensor | int) -> None:
        torch._foreach_lerp_(averaged, current, 1.0 - decay_of(int(n_averaged)))

    ema = AveragedModel(network, multi_avg_fn=average)
    return ema.requires_grad_(False).eval()
