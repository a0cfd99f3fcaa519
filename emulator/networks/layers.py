"""Building blocks of the U-Net, in two or three dimensions: padded convolutions, FiLM blocks."""

from torch import Tensor, nn
from torch.nn import functional

from emulator.config import Padding, UNetConfig
from emulator.networks.attention import CrossAttention, SelfAttention
from emulator.networks.convolutions import CHANNELS_LAST, conv1, conv3, zero_init


class ResidualBlock(nn.Module):
    r"""Pre-activation residual block with FiLM: :math:`h \to (1 + s)\,\mathrm{GN}(h) + b`.

    Scale ``s`` and shift ``b`` are linear in the embedding of gamma and parameters and stand before
    the second convolution (Perez et al. 2018, arXiv:1709.07871; Dhariwal & Nichol 2021).
    """

    def __init__(self, ndim: int, n_in: int, n_out: int, config: UNetConfig) -> None:
        super().__init__()
        groups = config.groups
        self.norm1 = nn.GroupNorm(groups if n_in % groups == 0 else 1, n_in)
        self.conv1 = conv3(ndim, n_in, n_out, config.padding)
        self.film = nn.Linear(config.embedding, 2 * n_out)
        self.norm2 = nn.GroupNorm(groups, n_out)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = zero_init(conv3(ndim, n_out, n_out, config.padding))
        self.skip = conv1(ndim, n_in, n_out) if n_in != n_out else nn.Identity()

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Apply the block to ``h (batch, n_in, ...)``."""
        residual = self.conv1(functional.silu(self.norm1(h)))
        film = self.film(embedding)
        scale, shift = film.reshape(*film.shape, *(1,) * (h.ndim - 2)).chunk(2, dim=1)
        residual = self.norm2(residual) * (1 + scale) + shift
        out: Tensor = self.skip(h) + self.conv2(self.dropout(functional.silu(residual)))
        return out


class Unit(nn.Module):
    """Residual block, followed by attention where the config asks for it.

    Attention is over the pixels of the level (``attention_levels``), and over tokens of the context
    (``cross_attention_levels``).
    """

    def __init__(self, ndim: int, n_in: int, n_out: int, config: UNetConfig, level: int) -> None:
        super().__init__()
        self.block = ResidualBlock(ndim, n_in, n_out, config)
        heads, groups = config.heads, config.groups
        self.attention = (
            SelfAttention(ndim, n_out, heads=heads, groups=groups)
            if level in config.attention_levels
            else nn.Identity()
        )
        self.crossed = level in config.cross_attention_levels
        if self.crossed:
            self.cross = CrossAttention(ndim, n_out, config.embedding, heads=heads, groups=groups)

    def forward(self, h: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        """Apply to ``h (batch, n_in, ...)``."""
        h = self.attention(self.block(h, embedding))
        return self.cross(h, tokens) if self.crossed else h


class Downsample(nn.Module):
    """Strided convolution: half the resolution."""

    def __init__(self, ndim: int, width: int, padding: Padding) -> None:
        super().__init__()
        self.conv = conv3(ndim, width, width, padding, stride=2)

    def forward(self, h: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        """Halve every side; embedding and tokens are not used."""
        halved: Tensor = self.conv(h)
        return halved


class Upsample(nn.Module):
    """Nearest-neighbour doubling followed by a convolution."""

    def __init__(self, ndim: int, width: int, padding: Padding) -> None:
        super().__init__()
        self.ndim = ndim
        self.conv = conv3(ndim, width, width, padding)

    def forward(self, h: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        """Double every side; embedding and tokens are not used."""
        doubled = functional.interpolate(h, scale_factor=2.0, mode="nearest")
        # interpolate loses channels_last on some builds; convolutions want it back
        out: Tensor = self.conv(doubled.contiguous(memory_format=CHANNELS_LAST[self.ndim]))
        return out
