r"""`UNetVDM`: residual U-Net for conditional diffusion of fields.

Input: the noised target ``z`` and, concatenated, the condition and its context windows, each with
Fourier features. Every residual block is modulated by an embedding of gamma and of the parameters
(FiLM). The output has the channels of ``z``; the last layer starts at zero. With ``patch`` above
one, blocks of pixels are folded into channels first (space to depth) and unfolded last: the same
field at a fraction of the cost, for small machines.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

from emulator.config import NetworkConfig
from emulator.networks.embeddings import GammaEmbedding, ParameterEmbedding, fourier_features
from emulator.networks.layers import (
    Downsample,
    Unit,
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
        self.factor = config.patch * 2 ** (len(widths) - 1)
        folded = config.patch**2
        self.stem = conv3((n_channels + n_fields) * folded, widths[0], config.padding)

        def unit(n_in: int, level: int) -> Unit:
            return Unit(n_in, widths[level], config, attention=level in config.attention_levels)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for level, n_out in enumerate(widths):
            for _ in range(config.blocks):
                self.down.append(unit(width, level))
                width = n_out
                skips.append(width)
            if level < len(widths) - 1:
                self.down.append(Downsample(width, config.padding))
                skips.append(width)
        self.middle = unit(width, len(widths) - 1)
        for level in reversed(range(len(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(unit(width + skips.pop(), level))
                width = widths[level]
            if level > 0:
                self.up.append(Upsample(width, config.padding))
        self.norm = nn.GroupNorm(config.groups, width)
        self.out = zero_init(conv3(width, n_channels * folded, config.padding))
        convert_conv2d_weight_memory_format(self, torch.channels_last)

    def forward(
        self,
        z: Float[Tensor, "batch channel y x"],
        gamma: Float[Tensor, " batch"],
        condition: Float[Tensor, "batch field y x"],
        params: Float[Tensor, "batch param"],
        mask: Float[Tensor, "batch param"],
    ) -> Float[Tensor, "batch channel y x"]:
        """Predict from ``z`` at ``gamma`` given condition, context and scaled parameters.

        ``condition`` holds the normalised condition followed by its context windows. ``y`` and
        ``x`` must be multiples of ``patch * 2**(levels - 1)``.
        """
        factor = self.factor
        if z.shape[-1] % factor or z.shape[-2] % factor:
            raise ValueError(f"field {tuple(z.shape[-2:])} is not a multiple of {factor} pixels")
        embedding = functional.silu(
            self.gamma_embedding(gamma) + self.parameter_embedding(params, mask)
        )
        fields = torch.cat([z, fourier_features(condition, self.frequencies)], dim=1)
        fields = functional.pixel_unshuffle(fields, self.patch)
        h = self.stem(fields.contiguous(memory_format=torch.channels_last))
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding)
            skips.append(h)
        h = self.middle(h, embedding)
        for layer in self.up:
            joined = h if isinstance(layer, Upsample) else torch.cat([h, skips.pop()], dim=1)
            h = layer(joined, embedding)
        return functional.pixel_shuffle(self.out(functional.silu(self.norm(h))), self.patch)
