r"""`DiT`: transformer over patches, modulated by gamma and parameters (adaLN-Zero).

The same interface as :class:`~emulator.networks.unet.UNetVDM`: the noised target, the condition and
its context windows with their Fourier features are cut into patches; each becomes a token with a
fixed position code. Every block scales, shifts and gates its two branches by the embedding; gates
and the last layer start at zero, so the whole starts at zero.

References
----------
Peebles & Xie (2023), arXiv:2212.09748.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from emulator.config import DiTConfig
from emulator.networks.attention import attend
from emulator.networks.backbone import Backbone, Interface
from emulator.networks.convolutions import zero_init
from emulator.networks.embeddings import GammaEmbedding, ParameterEmbedding, fourier_features
from emulator.networks.folding import fold, unfold


class DiT(Backbone):
    """Diffusion transformer.

    Parameters
    ----------
    config
        Width, depth, heads, patch.
    interface
        Channels, context windows and parameters.
    """

    def __init__(self, config: DiTConfig, interface: Interface) -> None:
        super().__init__()
        self.frequencies: Sequence[float] = config.fourier_frequencies
        self.patch, self.checkpointing, width = config.patch, config.checkpointing, config.width
        self.gamma_embedding = GammaEmbedding(interface.gamma_min, interface.gamma_max, width)
        self.parameter_embedding = ParameterEmbedding(interface.n_params, width)
        n_fields = (1 + interface.n_context) * (1 + 2 * len(config.fourier_frequencies))
        folded = config.patch**interface.ndim
        self.stem = nn.Linear((interface.n_channels + n_fields) * folded, width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = zero_init(nn.Linear(width, 2 * width))
        self.out = zero_init(nn.Linear(width, interface.n_written * folded))
        self.feature_width = width

    def features(self, z: Tensor, condition: Tensor) -> Tensor:
        """Patches as features ``(batch, width, ...)``, before any modulation."""
        fields = fold(
            torch.cat([z, fourier_features(condition, self.frequencies)], dim=1), self.patch
        )
        tokens = self.stem(fields.flatten(2).transpose(1, 2))
        features: Tensor = tokens.transpose(1, 2).unflatten(2, fields.shape[2:])
        return features

    def forward(
        self, z: Tensor, gamma: Tensor, condition: Tensor, params: Tensor, mask: Tensor
    ) -> Tensor:
        """Predict from ``z``; every side must be a multiple of ``patch``."""
        self.require_multiple(z, self.patch)
        embedding = functional.silu(
            self.gamma_embedding(gamma) + self.parameter_embedding(params, mask)
        )
        features = self.features(z, condition)
        space = features.shape[2:]
        h = features.flatten(2).transpose(1, 2)
        h = h + position_code(space, h.shape[-1]).to(h)
        for block in self.blocks:
            if self.checkpointing and self.training and torch.is_grad_enabled():
                h = checkpoint(block, h, embedding, use_reentrant=False)
            else:
                h = block(h, embedding)
        shift, scale = self.modulation(embedding)[:, None].chunk(2, dim=-1)
        h = self.out(self.norm(h) * (1 + scale) + shift)
        return unfold(h.transpose(1, 2).unflatten(2, space), self.patch)


class Block(nn.Module):
    """Self-attention and a two-layer network, each normalised, modulated and gated."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(approximate="tanh"),
            nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
        )
        self.modulation = zero_init(nn.Linear(width, 6 * width))

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Apply to tokens ``h (batch, token, width)``."""
        parts = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        shift1, scale1, gate1, shift2, scale2, gate2 = parts
        query, key, value = self.qkv(self.norm1(h) * (1 + scale1) + shift1).chunk(3, dim=-1)
        h = h + gate1 * self.mix(attend(query, key, value, self.heads))
        out: Tensor = h + gate2 * self.mlp(self.norm2(h) * (1 + scale2) + shift2)
        return out


def position_code(space: Sequence[int], width: int) -> Tensor:
    """Sines and cosines of every axis, ``(token, width)``; ``width`` a multiple of 2 d."""
    axes = []
    for size in space:
        n = width // (2 * len(space))
        frequency = torch.exp(-math.log(1e4) * torch.arange(n) / n)
        phase = torch.arange(size)[:, None] * frequency
        axes.append(torch.cat([phase.sin(), phase.cos()], dim=1))
    grid = torch.meshgrid(*(torch.arange(size) for size in space), indexing="ij")
    return torch.cat([code[index.flatten()] for code, index in zip(axes, grid, strict=True)], dim=1)
