r"""Embeddings of scalars (gamma, parameters) and Fourier features of fields."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GammaEmbedding(nn.Module):
    r"""Sinusoidal features of gamma, scaled to [0, 1] over the trained range, then two layers.

    Parameters
    ----------
    gamma_min, gamma_max
        Range that is mapped to [0, 1].
    width
        Number of output features; even.
    """

    frequencies: Tensor

    def __init__(self, gamma_min: float, gamma_max: float, width: int) -> None:
        super().__init__()
        self.gamma_min, self.span = gamma_min, gamma_max - gamma_min
        frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, gamma: Float[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        """Embed ``gamma``."""
        phase = ((gamma - self.gamma_min) / self.span)[:, None] * self.frequencies
        embedding: Tensor = self.mlp(torch.cat([phase.sin(), phase.cos()], dim=1))
        return embedding


class ParameterEmbedding(nn.Module):
    """Two-layer embedding of scaled parameters, with a mask: 1 known, 0 missing.

    Parameters
    ----------
    n_params
        Number of parameters; zero gives a zero embedding.
    width
        Number of output features.
    """

    def __init__(self, n_params: int, width: int) -> None:
        super().__init__()
        self.n_params, self.width = n_params, width
        # without parameters there is nothing to embed, and no weight that DDP would wait for
        self.mlp = nn.Sequential()
        if n_params:
            self.mlp = nn.Sequential(
                nn.Linear(2 * n_params, width), nn.SiLU(), nn.Linear(width, width)
            )

    def forward(
        self, params: Float[Tensor, "batch param"], mask: Float[Tensor, "batch param"]
    ) -> Float[Tensor, "batch width"]:
        """Embed ``params * mask`` together with the mask."""
        if self.n_params == 0:
            return params.new_zeros(params.shape[0], self.width)
        embedding: Tensor = self.mlp(torch.cat([params * mask, mask], dim=1))
        return embedding


def fourier_features(
    fields: Float[Tensor, "batch channel *space"], frequencies: Sequence[float]
) -> Float[Tensor, "batch features *space"]:
    r"""Fields, then :math:`\sin(\pi f x)` and :math:`\cos(\pi f x)` for each frequency ``f``."""
    scaled = [math.pi * frequency * fields for frequency in frequencies]
    waves = [wave(s) for s in scaled for wave in (torch.sin, torch.cos)]
    return torch.cat([fields, *waves], dim=1)
