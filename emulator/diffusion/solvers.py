r"""Solvers: from noise to a draw, as functions of a denoiser and of a grid of gammas.

A solver walks down the grid :math:`\gamma_0 > \gamma_1 > \dots > \gamma_{n-1}`, calls the denoiser
once at every node, and returns :math:`\hat x` at the last one: ``n`` nodes are ``n`` network
evaluations. Coefficients are computed in float64 with ``expm1``, so that they keep their digits for
:math:`|\gamma|` up to 15 whatever the dtype of the fields.

References
----------
Kingma et al. (2021), arXiv:2107.00630, equation 31 (ancestral).
Lu et al. (2022), arXiv:2211.01095, algorithm 2 (DPM-Solver++(2M)).
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser

NoiseSource = Callable[[], Tensor]
"""Returns fresh unit noise of the shape of ``z``; only stochastic solvers call it."""

Solver = Callable[[Denoiser, Tensor, Sequence[float], NoiseSource], Tensor]


def gamma_grid(gamma_start: float, gamma_end: float, n_steps: int) -> list[float]:
    """``n_steps`` nodes, uniform in gamma, from the noisy ``gamma_start`` down to ``gamma_end``."""
    if n_steps < 2 or gamma_end >= gamma_start:
        raise ValueError(
            f"expected gamma_end < gamma_start and n_steps >= 2, got {gamma_end}, {gamma_start}, "
            f"{n_steps}"
        )
    step = (gamma_end - gamma_start) / (n_steps - 1)
    return [gamma_start + i * step for i in range(n_steps)]


def ancestral(denoiser: Denoiser, z: Tensor, gammas: Sequence[float], noise: NoiseSource) -> Tensor:
    r"""Draw from :math:`q(z_s|z_t, x=\hat x)` at every step.

    .. math::
        z_s = \frac{\alpha_s}{\alpha_t}\left(z_t - \sigma_t c\,\hat\epsilon\right)
              + \sigma_s\sqrt{c}\,\epsilon, \qquad c = -\mathrm{expm1}(\gamma_s - \gamma_t)

    Parameters
    ----------
    denoiser
        Denoiser of a batch.
    z
        Unit noise (or a draw of the marginal at ``gammas[0]``), ``(batch, channel, ...)``.
    gammas
        Decreasing grid.
    noise
        Source of fresh unit noise.
    """
    for gamma_t, gamma_s in pairwise(gammas):
        alpha_t, sigma_t = _alpha_sigma(gamma_t)
        alpha_s, sigma_s = _alpha_sigma(gamma_s)
        c = -math.expm1(gamma_s - gamma_t)
        eps_hat = denoiser(z, _batch(gamma_t, z)).eps
        z = (alpha_s / alpha_t) * (z - sigma_t * c * eps_hat) + sigma_s * math.sqrt(c) * noise()
    return denoiser(z, _batch(gammas[-1], z)).x


def dpm_solver_pp_2m(
    denoiser: Denoiser, z: Tensor, gammas: Sequence[float], noise: NoiseSource
) -> Tensor:
    r"""Second-order multistep exponential integrator of the probability-flow ODE.

    With :math:`\lambda = -\gamma/2` and :math:`h_i = \lambda_{i+1} - \lambda_i`:

    .. math::
        z_{i+1} = \frac{\sigma_{i+1}}{\sigma_i} z_i - \alpha_{i+1}\,\mathrm{expm1}(-h_i) D_i,
        \qquad D_i = \hat x_i + \frac{h_i}{2 h_{i-1}} (\hat x_i - \hat x_{i-1})

    The first step is of first order (:math:`D_0 = \hat x_0`). Deterministic: no ``noise`` is drawn.
    """
    previous, previous_h = None, 0.0
    for gamma, following in pairwise(gammas):
        _, sigma = _alpha_sigma(gamma)
        alpha_next, sigma_next = _alpha_sigma(following)
        h = 0.5 * (gamma - following)
        x_hat = denoiser(z, _batch(gamma, z)).x
        slope = x_hat if previous is None else x_hat + h / (2 * previous_h) * (x_hat - previous)
        z = (sigma_next / sigma) * z - alpha_next * math.expm1(-h) * slope
        previous, previous_h = x_hat, h
    return denoiser(z, _batch(gammas[-1], z)).x


SOLVERS: dict[str, Solver] = {"ancestral": ancestral, "dpm++2m": dpm_solver_pp_2m}
"""Solvers by their name in the config."""


def _alpha_sigma(gamma: float) -> tuple[float, float]:
    """Return alpha and sigma in Python floats (float64)."""
    return (1.0 + math.exp(gamma)) ** -0.5, (1.0 + math.exp(-gamma)) ** -0.5


def _batch(gamma: float, z: Tensor) -> Tensor:
    return torch.full((z.shape[0],), gamma, dtype=z.dtype, device=z.device)
