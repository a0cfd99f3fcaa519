r"""Exponential moving average of the weights with a warm-up.

The decay at update ``n`` is :math:`\min(d, (n+1)/(n+20))`: without it a decay of 0.999 over a few
hundred steps would keep half of the initial weights.
"""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

ParamList = tuple[torch.Tensor, ...] | list[torch.Tensor]


def warmup_decay(n_updates: int, ceiling: float) -> float:
    """Decay of update ``n_updates`` (0 for the first)."""
    return min(ceiling, (n_updates + 1) / (n_updates + 20))


def build_ema(network: nn.Module, ceiling: float) -> AveragedModel:
    """Averaged copy of ``network``; call ``update_parameters`` after each optimiser step."""

    @torch.no_grad()
    def average(averaged: ParamList, current: ParamList, n_averaged: torch.Tensor | int) -> None:
        decay = warmup_decay(int(n_averaged), ceiling)
        torch._foreach_lerp_(averaged, current, 1.0 - decay)

    ema = AveragedModel(network, multi_avg_fn=average)
    return ema.requires_grad_(False).eval()
