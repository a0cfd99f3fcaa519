"""Building blocks of the U-Net: padded convolutions, FiLM residual blocks, attention."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from emulator.config import NetworkConfig, Padding


def conv3(n_in: int, n_out: int, padding: Padding, *, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution that keeps the size (or divides it by ``stride``)."""
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, padding_mode=padding)


def zero_init(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer to zero, so that its residual branch starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    r"""Pre-activation residual block with FiLM: :math:`h \to (1 + s)\,\mathrm{GN}(h) + b`.

    Scale ``s`` and shift ``b`` are linear in the embedding of gamma and parameters and stand before
    the second convolution (Perez et al. 2018, arXiv:1709.07871; Dhariwal & Nichol 2021).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        embedding: int,
        groups: int,
        dropout: float,
        padding: Padding,
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups if n_in % groups == 0 else 1, n_in)
        self.conv1 = conv3(n_in, n_out, padding)
        self.film = nn.Linear(embedding, 2 * n_out)
        self.norm2 = nn.GroupNorm(groups, n_out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zero_init(conv3(n_out, n_out, padding))
        self.skip = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Apply the block to ``h (batch, n_in, y, x)``."""
        residual = self.conv1(functional.silu(self.norm1(h)))
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        residual = self.norm2(residual) * (1 + scale) + shift
        return self.skip(h) + self.conv2(self.dropout(functional.silu(residual)))


class SelfAttention(nn.Module):
    """Multi-head self-attention over all pixels (scaled dot product), residual."""

    def __init__(self, width: int, *, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = zero_init(nn.Conv2d(width, width, 1))

    def forward(self, h: Tensor) -> Tensor:
        """Attend over the pixels of ``h (batch, width, y, x)``."""
        batch, width, ny, nx = h.shape
        qkv = self.qkv(self.norm(h)).flatten(2).reshape(batch, 3, self.heads, -1, ny * nx)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(-1, -2).reshape(batch, width, ny, nx)
        return h + self.out(mixed)


class Unit(nn.Module):
    """Residual block, followed by self-attention where the config asks for it."""

    def __init__(self, n_in: int, n_out: int, config: NetworkConfig, *, attention: bool) -> None:
        super().__init__()
        self.block = ResidualBlock(
            n_in,
            n_out,
            embedding=config.embedding,
            groups=config.groups,
            dropout=config.dropout,
            padding=config.padding,
        )
        self.attention = (
            SelfAttention(n_out, heads=config.heads, groups=config.groups)
            if attention
            else nn.Identity()
        )

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Apply to ``h (batch, n_in, y, x)``."""
        return self.attention(self.block(h, embedding))


class Downsample(nn.Module):
    """Strided convolution: half the resolution."""

    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__()
        self.conv = conv3(width, width, padding, stride=2)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Halve ``(y, x)``; the embedding is not used."""
        return self.conv(h)


class Upsample(nn.Module):
    """Nearest-neighbour doubling followed by a convolution."""

    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__()
        self.conv = conv3(width, width, padding)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Double ``(y, x)``; the embedding is not used."""
        doubled = functional.interpolate(h, scale_factor=2.0, mode="nearest")
        # interpolate loses channels_last on some builds; convolutions want it back
        return self.conv(doubled.contiguous(memory_format=torch.channels_last))
