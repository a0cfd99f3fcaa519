"""Weights and arithmetic of a network, from its section of the config: right within a third.

Training counts the same on the network itself (:mod:`emulator.networks.summary`); this is for the
workflow, which must not wait for torch.
"""

import math
from typing import NamedTuple

from emulator.config import DiTConfig, ExperimentConfig, UNetConfig

KEPT = 33
"""Values that a block keeps for the backward pass, a pixel and channel."""


class NetworkCost(NamedTuple):
    """Weights; floating-point operations and kept activations [bytes] of one window."""

    n_weights: float
    forward_flop: float
    activation_bytes: float


def network_cost(config: ExperimentConfig) -> NetworkCost:
    """Cost of a network for windows of the config."""
    network, window = config.model.network, config.data.window_shape
    cost = _dit(network, window) if network.kind == "dit" else _unet(network, window)
    width = 4 if config.training.precision == "32" else 2
    n_networks = network.count(len(config.channels))
    return NetworkCost(
        n_networks * cost.n_weights,
        n_networks * cost.forward_flop,
        n_networks * cost.activation_bytes * width,
    )


def _unet(network: UNetConfig, window: tuple[int, ...]) -> NetworkCost:
    """Two convolutions a block; blocks of the way up read twice the channels, and are one more."""
    weights = flop = values = 0.0
    pixels = math.prod(float(side // network.patch) for side in window)
    kernel, blocks = 3 ** len(window), network.blocks
    for level, width in enumerate(network.widths):
        here = kernel * width**2 * (2 * blocks + 3 * (blocks + 1))
        here += 2 * network.embedding * width * (2 * blocks + 1)
        if level + 1 < len(network.widths):
            here += 2 * kernel * width * network.widths[level + 1]
        else:
            here += 4 * kernel * width**2
        weights += here
        flop += 2 * here * pixels
        values += KEPT * width * pixels * (2 * blocks + 1)
        pixels /= 2 ** len(window)
    return NetworkCost(weights, flop, values)


def _dit(network: DiTConfig, window: tuple[int, ...]) -> NetworkCost:
    """Attention (4 width^2), perceptron (8 width^2) and modulation (6 width^2) of each block."""
    tokens = math.prod(float(side // network.patch) for side in window)
    width, depth = network.width, network.depth
    weights = depth * 18.0 * width**2
    flop = 2 * tokens * depth * 12 * width**2 + 4 * depth * tokens**2 * width
    return NetworkCost(weights, flop, 35.0 * depth * tokens * width)
