r"""`UNetVDM`: residual U-Net for conditional diffusion of fields.

Input: the noised target ``z`` and, concatenated, the condition and its context windows, each with
Fourier features. Every residual block is modulated by an embedding of gamma and of the parameters
(FiLM). The output has the channels of ``z``; the last layer starts at zero. With ``patch`` above one,
blocks of pixels are folded into channels first (space to depth) and unfolded last: the same field at
a fraction of the cost, for small machines.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from emulator.config import NetworkConfig
from emulator.networks.embeddings import GammaEmbedding, ParameterEmbedding, fourier_features
from emulator.networks.layers import (
    Downsample,
    ResidualBlock,
    SelfAttention,
    Upsample,
    conv3,
    zero_init,
)


class UNetVDM(nn.Module):
    """Residual U-Net with dark-matter condition, multi-scale context and parameter FiLM.

    Parameters
    ----------
    config
        Widths, blocks, attention, padding.
    n_channels
        Channels of ``z`` and of the output.
    n_context
        Number of context windows beside the condition.
    n_params
        Number of conditioning parameters.
    gamma_min, gamma_max
        Trained range of gamma.
    """

    def __init__(
        self,
        config: NetworkConfig,
        *,
        n_channels: int,
        n_context: int,
        n_params: int,
        gamma_min: float,
        gamma_max: float,
    ) -> None:
        super().__init__()
        self.frequencies: Sequence[float] = config.fourier_frequencies
        widths, embedding = config.widths, config.embedding
        self.gamma_embedding = GammaEmbedding(gamma_min, gamma_max, embedding)
        self.parameter_embedding = ParameterEmbedding(n_params, embedding)
        n_fields = (1 + n_context) * (1 + 2 * len(config.fourier_frequencies))
        self.patch = config.patch
        folded = config.patch**2
        self.stem = conv3((n_channels + n_fields) * folded, widths[0], config.padding)

        def block(n_in: int, n_out: int) -> ResidualBlock:
            return ResidualBlock(
                n_in,
                n_out,
                embedding=embedding,
                groups=config.groups,
                dropout=config.dropout,
                padding=config.padding,
            )

        def attention(level: int) -> nn.Module:
            if level not in config.attention_levels:
                return nn.Identity()
            return SelfAttention(widths[level], heads=config.heads, groups=config.groups)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.downsample, self.upsample = nn.ModuleList(), nn.ModuleList()
        self.down_attention, self.up_attention = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for level, n_out in enumerate(widths):
            self.down.append(nn.ModuleList())
            self.down_attention.append(nn.ModuleList())
            for _ in range(config.blocks):
                self.down[level].append(block(width, n_out))
                self.down_attention[level].append(attention(level))
                width = n_out
                skips.append(width)
            if level < len(widths) - 1:
                self.downsample.append(Downsample(width, config.padding))
                skips.append(width)
        self.middle = block(width, width)
        for level in reversed(range(len(widths))):
            self.up.append(nn.ModuleList())
            self.up_attention.append(nn.ModuleList())
            for _ in range(config.blocks + 1):
                self.up[-1].append(block(width + skips.pop(), widths[level]))
                self.up_attention[-1].append(attention(level))
                width = widths[level]
            if level > 0:
                self.upsample.append(Upsample(width, config.padding))
        self.norm = nn.GroupNorm(config.groups, width)
        self.out = zero_init(conv3(width, n_channels * folded, config.padding))

    def forward(
        self,
        z: Float[Tensor, "batch channel y x"],
        gamma: Float[Tensor, " batch"],
        condition: Float[Tensor, "batch field y x"],
        params: Float[Tensor, "batch param"],
        mask: Float[Tensor, "batch param"],
    ) -> Float[Tensor, "batch channel y x"]:
        """Predict from ``z`` at ``gamma`` given condition, context and scaled parameters.

        ``condition`` holds the normalised condition followed by its context windows. ``y`` and ``x``
        must be multiples of ``patch * 2**(levels - 1)``.
        """
        factor = self.patch * 2 ** len(self.downsample)
        if z.shape[-1] % factor or z.shape[-2] % factor:
            raise ValueError(f"field {tuple(z.shape[-2:])} is not a multiple of {factor} pixels")
        embedding = functional.silu(
            self.gamma_embedding(gamma) + self.parameter_embedding(params, mask)
        )
        fields = torch.cat([z, fourier_features(condition, self.frequencies)], dim=1)
        fields = functional.pixel_unshuffle(fields, self.patch)
        h = self.stem(fields.contiguous(memory_format=torch.channels_last))
        skips = [h]
        for level, (blocks, attentions) in enumerate(
            zip(self.down, self.down_attention, strict=True)
        ):
            for block, attention in zip(blocks, attentions, strict=True):
                h = attention(block(h, embedding))
                skips.append(h)
            if level < len(self.downsample):
                h = self.downsample[level](h)
                skips.append(h)
        h = self.middle(h, embedding)
        for index, (blocks, attentions) in enumerate(zip(self.up, self.up_attention, strict=True)):
            for block, attention in zip(blocks, attentions, strict=True):
                h = attention(block(torch.cat([h, skips.pop()], dim=1), embedding))
            if index < len(self.upsample):
                h = self.upsample[index](h)
        return functional.pixel_shuffle(self.out(functional.silu(self.norm(h))), self.patch)
