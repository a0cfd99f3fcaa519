r"""The forward process :math:`q(z_t|x) = N(\alpha_t x, \sigma_t^2 I)` in terms of gamma.

:math:`\gamma = -\log \mathrm{SNR}` increases with time: ``t = 0`` is the clean end, ``t = 1``
noise; :math:`\alpha^2 = \mathrm{sigmoid}(-\gamma)` and
:math:`\sigma^2 = \mathrm{sigmoid}(\gamma)`, so the
process preserves variance. Every other Gaussian path of the literature is this one up to a scale
(:mod:`emulator.diffusion.path`), so losses and solvers know this one only.

References
----------
Kingma et al. (2021), Variational Diffusion Models, arXiv:2107.00630, section 3.
"""

import math

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


def amplitudes(gamma: float) -> tuple[float, float]:
    """Alpha and sigma of one noise level in float64, for the coefficients of solvers."""
    return (1.0 + math.exp(gamma)) ** -0.5, (1.0 + math.exp(-gamma)) ** -0.5


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
