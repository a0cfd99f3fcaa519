"""Convolutions in two or three dimensions, and layers that start at zero."""

from typing import TypeVar

import torch
from torch import nn

from emulator.config import Padding

Convolution = nn.Conv2d | nn.Conv3d
Layer = TypeVar("Layer", bound=nn.Module)

CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


def conv1(ndim: int, n_in: int, n_out: int) -> Convolution:
    """Convolution of one pixel: a linear map of channels."""
    return CONVOLUTIONS[ndim](n_in, n_out, 1)


def conv3(ndim: int, n_in: int, n_out: int, padding: Padding, *, stride: int = 1) -> Convolution:
    """Convolution of three pixels a side that keeps the size (or divides it by ``stride``)."""
    return CONVOLUTIONS[ndim](n_in, n_out, 3, stride=stride, padding=1, padding_mode=padding)


def zero_init(layer: Layer) -> Layer:
    """Set a layer to zero, so that its residual branch starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
