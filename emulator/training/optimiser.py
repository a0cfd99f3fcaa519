"""The optimiser: AdamW or Muon, a linear warm-up, then a decay of the learning rate."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from emulator.config import TrainingConfig
from emulator.networks.backbone import Backbone
from emulator.training.muon import Muon


def build_optimiser(
    network: Backbone, others: Sequence[nn.Parameter], config: TrainingConfig
) -> dict[str, Any]:
    """Optimiser and schedule, as Lightning wants them.

    Parameters
    ----------
    network
        Its matrices decay, its vectors do not.
    others
        Further parameters; they do not decay.
    config
        Rates and steps.
    """
    optimizer = _build(network, others, config)

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
        return warm * decay_factor(config.decay, step, config.warmup_steps, config.max_steps)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _build(network: Backbone, others: Sequence[nn.Parameter], config: TrainingConfig) -> Optimizer:
    decay = config.weight_decay
    matrices = {name: p for name, p in network.named_parameters() if p.ndim >= 2}
    plain = [p for p in network.parameters() if p.ndim < 2]
    rest = {"params": [*plain, *others], "weight_decay": 0.0}
    if config.optimiser == "adamw":
        decayed = {"params": list(matrices.values()), "weight_decay": decay}
        return torch.optim.AdamW([decayed, rest], lr=config.learning_rate)
    ends = [p for name, p in matrices.items() if name.startswith(network.ends)]
    inner = [p for name, p in matrices.items() if not name.startswith(network.ends)]
    groups = [
        {"params": inner, "weight_decay": decay, "orthogonal": True},
        {"params": ends, "weight_decay": decay},
        rest,
    ]
    half = config.precision == "bf16"
    dtype = torch.bfloat16 if half else torch.float32
    return Muon(groups, lr=config.learning_rate, dtype=dtype)


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
