"""The optimiser: AdamW, a linear warm-up, then a decay of the learning rate."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from emulator.config import TrainingConfig


def build_optimiser(
    network: nn.Module, others: Sequence[nn.Parameter], config: TrainingConfig
) -> dict[str, Any]:
    """AdamW without decay of biases and norms, as Lightning wants it.

    Parameters
    ----------
    network
        Its matrices decay, its vectors do not.
    others
        Further parameters; they do not decay.
    config
        Rates and steps.
    """
    decayed = [p for p in network.parameters() if p.ndim >= 2]
    plain = [p for p in network.parameters() if p.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": [*plain, *others], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
        return warm * decay_factor(config.decay, step, config.warmup_steps, config.max_steps)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def decay_factor(name: str, step: int, warmup_steps: int, max_steps: int) -> float:
    """Learning rate over its peak at a step, without the warm-up."""
    done = min(1.0, step / max_steps)
    match name:
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        case "linear":
            return 1.0 - done
        case "inverse_sqrt":
            return math.sqrt(max(warmup_steps, 1) / max(step, warmup_steps, 1))
    return 1.0
