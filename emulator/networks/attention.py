"""Attention by scaled dot products: of the pixels of a field to each other, and to its context."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from emulator.networks.convolutions import conv1, zero_init


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention of tokens ``(batch, token, width)``, without projections."""
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Multi-head self-attention over all pixels, residual; it starts as the identity."""

    def __init__(self, ndim: int, width: int, *, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = conv1(ndim, width, 3 * width)
        self.out = zero_init(conv1(ndim, width, width))

    def forward(self, h: Tensor) -> Tensor:
        """Attend over the pixels of ``h (batch, width, ...)``."""
        tokens = self.qkv(self.norm(h)).flatten(2).transpose(1, 2)
        query, key, value = tokens.chunk(3, dim=-1)
        mixed = attend(query, key, value, self.heads)
        residual: Tensor = self.out(mixed.transpose(1, 2).reshape(h.shape))
        return h + residual


class CrossAttention(nn.Module):
    """Pixels of a field attend to tokens of its context, residual; it starts as the identity."""

    def __init__(self, ndim: int, width: int, token_width: int, *, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, width)
        self.query = conv1(ndim, width, width)
        self.key_value = nn.Linear(token_width, 2 * width)
        self.out = zero_init(conv1(ndim, width, width))

    def forward(self, h: Tensor, tokens: Tensor) -> Tensor:
        """Attend from ``h (batch, width, ...)`` to ``tokens (batch, token, token_width)``."""
        query = self.query(self.norm(h)).flatten(2).transpose(1, 2)
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        mixed = attend(query, key, value, self.heads)
        residual: Tensor = self.out(mixed.transpose(1, 2).reshape(h.shape))
        return h + residual


class ContextTokens(nn.Module):
    """Context windows as a short sequence: patches of all windows, and where they are.

    Parameters
    ----------
    ndim
        Dimensions of space.
    n_context
        Number of windows.
    width
        Features of a token.
    side
        Tokens a side of the window.
    """

    def __init__(self, ndim: int, n_context: int, width: int, side: int = 4) -> None:
        super().__init__()
        self.side = side
        self.project = nn.Linear(n_context, width)
        self.position = nn.Parameter(0.02 * torch.randn(side**ndim, width))
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())

    def forward(
        self, context: Float[Tensor, "batch window *space"]
    ) -> Float[Tensor, "batch token width"]:
        """Average the windows to ``side`` pixels a side, and embed each pixel."""
        two = context.ndim == 4
        pool = functional.adaptive_avg_pool2d if two else functional.adaptive_avg_pool3d
        pixels = pool(context, self.side).flatten(2).transpose(1, 2)
        tokens: Tensor = self.mlp(self.project(pixels) + self.position)
        return tokens
