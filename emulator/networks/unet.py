r"""`UNetVDM`: residual U-Net for conditional diffusion of fields.

Input: the noised target ``z`` and, concatenated, the condition and its context windows, each with
Fourier features. Every residual block is modulated by an embedding of gamma and of the parameters
(FiLM); pixels of chosen levels attend to each other, and to the context. The output has the
channels of ``z``; the last layer starts at zero. With ``patch`` above one, blocks of pixels are
folded into channels first (space to depth) and unfolded last: the same field at a fraction of the
cost, for small machines.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format, convert_conv3d_weight_memory_format
from torch.utils.checkpoint import checkpoint

from emulator.config import UNetConfig
from emulator.networks.attention import ContextTokens
from emulator.networks.backbone import Backbone, Interface
from emulator.networks.convolutions import CHANNELS_LAST, conv3, zero_init
from emulator.networks.embeddings import GammaEmbedding, ParameterEmbedding, fourier_features
from emulator.networks.folding import fold, unfold
from emulator.networks.layers import Downsample, Unit, Upsample


class UNetVDM(Backbone):
    """Residual U-Net with dark-matter condition, multi-scale context and parameter FiLM.

    Parameters
    ----------
    config
        Widths, blocks, attention, padding.
    interface
        Channels, context windows and parameters.
    """

    def __init__(self, config: UNetConfig, interface: Interface) -> None:
        super().__init__()
        self.frequencies: Sequence[float] = config.fourier_frequencies
        self.ndim, self.checkpointing = interface.ndim, config.checkpointing
        ndim, widths, embedding = interface.ndim, config.widths, config.embedding
        self.gamma_embedding = GammaEmbedding(interface.gamma_min, interface.gamma_max, embedding)
        self.parameter_embedding = ParameterEmbedding(interface.n_params, embedding)
        n_fields = (1 + interface.n_context) * (1 + 2 * len(config.fourier_frequencies))
        self.patch = config.patch
        self.factor = config.factor
        folded = config.patch**ndim
        self.stem = conv3(
            ndim, (interface.n_channels + n_fields) * folded, widths[0], config.padding
        )

        def unit(n_in: int, level: int) -> Unit:
            return Unit(ndim, n_in, widths[level], config, level)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for level, n_out in enumerate(widths):
            for _ in range(config.blocks):
                self.down.append(unit(width, level))
                width = n_out
                skips.append(width)
            if level < len(widths) - 1:
                self.down.append(Downsample(ndim, width, config.padding))
                skips.append(width)
        self.middle = unit(width, len(widths) - 1)
        for level in reversed(range(len(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(unit(width + skips.pop(), level))
                width = widths[level]
            if level > 0:
                self.up.append(Upsample(ndim, width, config.padding))
        self.norm = nn.GroupNorm(config.groups, width)
        self.out = zero_init(conv3(ndim, width, interface.n_written * folded, config.padding))
        self.tokens = None
        if config.cross_attention_levels:
            if interface.n_context == 0:
                raise ValueError("cross_attention_levels needs context windows, and there are none")
            self.tokens = ContextTokens(ndim, interface.n_context, embedding)
        self.feature_width = widths[0]
        if ndim == 2:
            convert_conv2d_weight_memory_format(self, torch.channels_last)
        else:
            convert_conv3d_weight_memory_format(self, torch.channels_last_3d)

    def features(self, z: Tensor, condition: Tensor) -> Tensor:
        """First layer: what is seen before gamma and parameters modulate anything."""
        fields = torch.cat([z, fourier_features(condition, self.frequencies)], dim=1)
        folded = fold(fields, self.patch)
        features: Tensor = self.stem(folded.contiguous(memory_format=CHANNELS_LAST[self.ndim]))
        return features

    def forward(
        self, z: Tensor, gamma: Tensor, condition: Tensor, params: Tensor, mask: Tensor
    ) -> Tensor:
        """Predict from ``z`` at ``gamma`` given condition, context and scaled parameters.

        Every side must be a multiple of ``patch * 2**(levels - 1)``; shapes as in
        :class:`~emulator.networks.backbone.Backbone`.
        """
        self.require_multiple(z, self.factor)
        embedding = functional.silu(
            self.gamma_embedding(gamma) + self.parameter_embedding(params, mask)
        )
        tokens = None if self.tokens is None else self.tokens(condition[:, 1:])
        h = self.features(z, condition)
        skips = [h]
        for layer in self.down:
            h = self._run(layer, h, embedding, tokens)
            skips.append(h)
        h = self._run(self.middle, h, embedding, tokens)
        for layer in self.up:
            joined = h if isinstance(layer, Upsample) else torch.cat([h, skips.pop()], dim=1)
            h = self._run(layer, joined, embedding, tokens)
        return unfold(self.out(functional.silu(self.norm(h))), self.patch)

    def _run(self, layer: nn.Module, h: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        """Apply a layer, which is computed again in the backward pass where that is asked for."""
        if self.checkpointing and self.training and torch.is_grad_enabled():
            out: Tensor = checkpoint(layer, h, embedding, tokens, use_reentrant=False)
        else:
            out = layer(h, embedding, tokens)
        return out
