r"""The variational bound, in nats and in bits per dimension; never weighted.

For one sample of ``D`` values (Kingma et al. 2021, equations 11-17):

.. math::
    -\log p(x) \le \underbrace{\tfrac12 E_{t,\epsilon}[\gamma'(t)\|\epsilon-\hat\epsilon\|^2]}_{
    \text{diffusion}} + \underbrace{KL(q(z_1|x)\,\|\,N(0,I))}_{\text{prior}}
    + \underbrace{E[-\log N(x; z_0/\alpha_0, s^2 I)]}_{\text{reconstruction}}

With ``T`` discrete steps the first term is, for ``s = t - 1/T`` and ``t`` uniform on the grid,

.. math:: \tfrac T2 E_{t,\epsilon}[\mathrm{expm1}(\gamma_t-\gamma_s)\,
    \|\epsilon-\hat\epsilon\|^2]

which falls to the continuous one as ``T`` grows.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser
from emulator.diffusion.process import diffuse
from emulator.diffusion.schedule import Schedule


@dataclass(frozen=True)
class Bound:
    """Terms of the variational bound [nats a sample], each ``(batch,)``."""

    diffusion: Tensor
    prior: Tensor
    reconstruction: Tensor
    dimension: int

    @property
    def total(self) -> Tensor:
        """Upper bound on -log p(x) [nats]."""
        return self.diffusion + self.prior + self.reconstruction

    @property
    def bits_per_dimension(self) -> Tensor:
        """Total over ``D log 2``."""
        return self.total / (self.dimension * math.log(2.0))


def variational_bound(
    denoiser: Denoiser,
    x: Tensor,
    eps: Tensor,
    t: Tensor,
    *,
    schedule: Schedule,
    data_noise: float | Tensor,
    n_steps: int | None = None,
    counted: Tensor | None = None,
) -> Bound:
    r"""One-sample Monte Carlo estimate of the bound for each sample; the estimator is unbiased.

    Prior and reconstruction are exact expectations given ``x``.

    Parameters
    ----------
    denoiser
        Optimal or learned denoiser.
    x, eps
        Normalised fields and unit noise, ``(batch, channel, ...)``.
    t
        Times in [0, 1), ``(batch,)``; with ``n_steps`` each is moved up to the grid.
    schedule
        Gamma as a function of time.
    data_noise
        Standard deviation ``s`` of :math:`p(x|z_0)`, in normalised units; or one a channel,
        ``(channel,)``.
    n_steps
        Number of steps of the discrete bound; default: the continuous bound.
    counted
        Mask of the shape of ``x``: values that no loss has seen are left out of all three terms.
        What is left is no bound on any density; default: all values.

    Raises
    ------
    ValueError
        If ``n_steps`` is below one.
    """
    if n_steps is None:
        levels = schedule.levels(t)
        gamma, cost = levels.gamma, 0.5 * levels.slope
    elif n_steps < 1:
        raise ValueError(f"the discrete bound needs at least one step, got n_steps={n_steps}")
    else:
        upper = (torch.floor(t * n_steps) + 1.0) / n_steps
        gamma = schedule.gamma(upper)
        cost = 0.5 * n_steps * torch.expm1(gamma - schedule.gamma(upper - 1.0 / n_steps))
    prediction = denoiser(diffuse(x, eps, gamma), gamma)
    square = (eps - prediction.eps) ** 2
    if counted is not None:
        square = square * counted
    diffusion = cost * square.flatten(1).sum(1)
    prior, reconstruction = end_terms(x, *schedule.ends(), data_noise, counted)
    return Bound(diffusion, prior.to(x), reconstruction.to(x), x[0].numel())


def end_terms(
    x: Tensor,
    gamma_min: Tensor,
    gamma_max: Tensor,
    data_noise: float | Tensor,
    counted: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Prior and reconstruction [nats a sample], ``(batch,)`` each, given the ends of a schedule.

    The prior is the KL divergence of two Gaussians; the reconstruction follows from
    :math:`z_0/\alpha_0 = x + e^{\gamma_0/2}\epsilon`:

    .. math:: \tfrac12\big(\alpha_1^2\|x\|^2 + D(\sigma_1^2 - 1 - \ln\sigma_1^2)\big), \qquad
        \tfrac D2\big\langle\ln 2\pi s^2 + e^{\gamma_0}/s^2\big\rangle_{channels}

    Of the values that ``counted`` names, if it is given.
    """
    dimension: int | Tensor = x[0].numel()
    # -log(sigma^2) = log1p(exp(-gamma)) keeps its digits where sigma is close to one
    signal = torch.sigmoid(-gamma_max)
    spare = torch.log1p(torch.exp(-gamma_max)) - signal
    if counted is not None:
        x = torch.where(counted, x, 0.0)
        dimension = counted.flatten(1).sum(1)
    prior = 0.5 * (signal * (x.double() ** 2).flatten(1).sum(1) + dimension * spare)
    s2 = torch.as_tensor(data_noise).double().to(x.device) ** 2
    nats = 0.5 * (torch.log(2 * math.pi * s2) + torch.exp(gamma_min) / s2)
    if counted is not None:
        return prior, (counted.flatten(2).sum(2) * nats).sum(1)
    return prior, (dimension * nats.mean()).expand_as(prior)
