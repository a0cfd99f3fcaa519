r"""The forward process :math:`q(z_t|x) = N(\alpha_t x, \sigma_t^2 I)` in terms of gamma.

:math:`\gamma = -\log \mathrm{SNR}` increases with time: ``t = 0`` is the clean end, ``t = 1``
noise; :math:`\alpha^2 = \mathrm{sigmoid}(-\gamma)` and
:math:`\sigma^2 = \mathrm{sigmoid}(\gamma)`, so the
process preserves variance. Nothing here is learned.

References
----------
Kingma et al. (2021), Variational Diffusion Models, arXiv:2107.00630, section 3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


def alpha_sigma(gamma: Tensor) -> tuple[Tensor, Tensor]:
    r"""Signal and noise amplitudes :math:`(\alpha, \sigma)`.

    Written as ``exp(logsigmoid/2)``, which keeps full relative accuracy at both ends.

    Parameters
    ----------
    gamma
        -log SNR, any shape.

    Returns
    -------
    Two tensors of the shape of ``gamma`` with ``alpha**2 + sigma**2 == 1``.
    """
    half_log = torch.nn.functional.logsigmoid
    return torch.exp(0.5 * half_log(-gamma)), torch.exp(0.5 * half_log(gamma))


def diffuse(
    x: Float[Tensor, "batch channel *space"],
    eps: Float[Tensor, "batch channel *space"],
    gamma: Float[Tensor, " batch"],
) -> Float[Tensor, "batch channel *space"]:
    r"""Noised field :math:`z = \alpha x + \sigma \epsilon`, one gamma a sample."""
    alpha, sigma = alpha_sigma(expand(gamma, x))
    return alpha * x + sigma * eps


def expand(gamma: Tensor, like: Tensor) -> Tensor:
    """Reshape ``(batch,)`` so that it broadcasts against ``(batch, ...)``; scalars pass through."""
    return gamma.reshape(gamma.shape + (1,) * (like.ndim - gamma.ndim)) if gamma.ndim else gamma


@dataclass(frozen=True)
class FixedLinear:
    r"""Fixed linear schedule :math:`\gamma(t) = \gamma_0 + t (\gamma_1 - \gamma_0)`.

    Parameters
    ----------
    gamma_min, gamma_max
        gamma at ``t = 0`` (clean) and ``t = 1`` (noise).
    """

    gamma_min: float = -13.3
    gamma_max: float = 13.0

    def __post_init__(self) -> None:
        if self.gamma_min >= self.gamma_max:
            raise ValueError(
                f"gamma must increase with t: gamma_min={self.gamma_min} is the clean end and "
                f"must be below gamma_max={self.gamma_max}"
            )

    @property
    def span(self) -> float:
        r""":math:`\gamma'(t)`, here a constant."""
        return self.gamma_max - self.gamma_min

    def gamma(self, t: Tensor) -> Tensor:
        """Gamma at times ``t`` in [0, 1]."""
        return self.gamma_min + self.span * t


def low_discrepancy_times(batch: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Times :math:`t_i = (u + i/B) \bmod 1` with one uniform ``u``: each is uniform in [0, 1).

    References
    ----------
    Kingma et al. (2021), appendix I.1.
    """
    u = torch.rand((), generator=generator)
    return (u + torch.arange(batch) / batch) % 1.0
