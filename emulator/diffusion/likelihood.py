r"""Log-likelihood by the probability-flow ODE.

The flow :math:`dz/d\gamma = \tfrac12\alpha\sigma\,\hat v(z, \gamma)` carries the model's density of
:math:`z_{\gamma_0}` to (nearly) unit noise, and along it

.. math:: \log p(z_{\gamma_0}) = \log p(z_{\gamma_1}) + \int_{\gamma_0}^{\gamma_1} \tfrac12
    \alpha\sigma\,\mathrm{tr}\,\partial_z \hat v\; d\gamma

The trace is estimated by Hutchinson's probes, :math:`E[\xi^T (\partial_z\hat v)\,\xi]` with random
signs, held fixed along the path. With :math:`z_{\gamma_0} = \alpha_0 x`, the result is the density
of ``x`` under the model's distribution convolved with noise of :math:`e^{\gamma_0/2}`.

Not guaranteed: the estimate is unbiased for the trace, not for the ODE's own error (fixed steps of
fourth order; compare two numbers of steps).

References
----------
Chen et al. (2018), arXiv:1806.07366; Grathwohl et al. (2019), arXiv:1810.01367; Song et al. (2021),
arXiv:2011.13456, section 4.3.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser
from emulator.diffusion.process import amplitudes


class LogLikelihood(NamedTuple):
    """Log-density [nats] and its standard error from the probes, each ``(batch,)``."""

    nats: Tensor
    standard_error: Tensor


def log_likelihood(
    denoiser: Denoiser,
    x: Tensor,
    *,
    gamma_min: float,
    gamma_max: float,
    n_steps: int = 64,
    n_probes: int = 8,
    generator: torch.Generator | None = None,
) -> LogLikelihood:
    """Log-density of ``x`` under a denoiser.

    Parameters
    ----------
    denoiser
        Differentiable in ``z``.
    x
        Normalised fields, ``(batch, channel, ...)``.
    gamma_min, gamma_max
        Ends of the flow.
    n_steps
        Runge-Kutta steps, uniform in gamma, of four evaluations each.
    n_probes
        Probes of the trace; at least 2, for a standard error.
    generator
        Of the probes' signs.

    Raises
    ------
    ValueError
        For fewer than one step or two probes.
    """
    if n_steps < 1 or n_probes < 2:
        raise ValueError(
            f"expected n_steps >= 1 and n_probes >= 2 (one has no standard error), got {n_steps} "
            f"and {n_probes}"
        )
    signs = torch.randint(0, 2, (n_probes, *x.shape), generator=generator)
    probes = (2 * signs - 1).to(x)

    def rates(z: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
        """Velocity and, for each probe, divergence of the flow."""
        alpha, sigma = amplitudes(gamma)
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            read = denoiser(z, torch.full((len(z),), gamma, dtype=z.dtype, device=z.device))
            velocity = 0.5 * alpha * sigma * (alpha * read.eps - sigma * read.x)
            traces = [
                (torch.autograd.grad(velocity, z, probe, retain_graph=True)[0] * probe)
                .flatten(1)
                .double()
                .sum(1)
                for probe in probes
            ]
        return velocity.detach(), torch.stack(traces)

    alpha, _ = amplitudes(gamma_min)
    z = alpha * x
    dimension = x[0].numel()
    logs = torch.full((n_probes, len(x)), dimension * math.log(alpha), dtype=torch.float64)
    logs = logs.to(x.device)
    step = (gamma_max - gamma_min) / n_steps
    for index in range(n_steps):
        gamma = gamma_min + index * step
        first, trace_1 = rates(z, gamma)
        second, trace_2 = rates(z + 0.5 * step * first, gamma + 0.5 * step)
        third, trace_3 = rates(z + 0.5 * step * second, gamma + 0.5 * step)
        fourth, trace_4 = rates(z + step * third, gamma + step)
        z = z + step / 6 * (first + 2 * second + 2 * third + fourth)
        logs = logs + step / 6 * (trace_1 + 2 * trace_2 + 2 * trace_3 + trace_4)
    square = (z.double() ** 2).flatten(1).sum(1)
    logs = logs - 0.5 * (square + dimension * math.log(2 * math.pi))
    return LogLikelihood(logs.mean(0), logs.std(0) / math.sqrt(n_probes))
