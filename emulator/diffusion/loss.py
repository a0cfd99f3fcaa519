r"""Training loss and the variational bound.

For one sample of ``D`` values, in nats (Kingma et al. 2021, equations 11-17):

.. math::
    -\log p(x) \le \underbrace{\tfrac12 E_{t,\epsilon}[\gamma'(t)\|\epsilon-\hat\epsilon\|^2]}_{
    \text{diffusion}} + \underbrace{KL(q(z_1|x)\,\|\,N(0,I))}_{\text{prior}}
    + \underbrace{E[-\log N(x; z_0/\alpha_0, s^2 I)]}_{\text{reconstruction}}

The bound is reported unweighted, whatever weights train the network.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser, Kind, Network, prediction_target
from emulator.diffusion.schedule import FixedLinear, alpha_sigma, diffuse
from emulator.diffusion.weighting import Objective


def training_loss(
    network: Network,
    x: Tensor,
    eps: Tensor,
    u: Tensor,
    *,
    objective: Objective,
    kind: Kind,
    channel_weights: Tensor,
) -> Tensor:
    """Loss of each sample, averaged over pixels and weighted over channels.

    Parameters
    ----------
    network
        ``network(z, gamma)`` returns the prediction of ``kind``.
    x, eps
        Normalised fields and unit noise, ``(batch, channel, ...)``.
    u
        Quantiles in [0, 1), ``(batch,)``; see
        :func:`~emulator.diffusion.schedule.low_discrepancy_times`.
    objective
        Distribution of gamma and cost of an error.
    kind
        What the network predicts.
    channel_weights
        ``(channel,)``; normalised to mean one.

    Returns
    -------
    ``(batch,)``.
    """
    gamma = objective.gamma(u)
    error = network(diffuse(x, eps, gamma), gamma) - prediction_target(kind, x, eps, gamma)
    per_channel = (error**2).flatten(2).mean(-1) * objective.weight(kind, gamma)[:, None]
    return (per_channel * (channel_weights / channel_weights.mean())).mean(-1)


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
    schedule: FixedLinear,
    data_noise: float,
) -> Bound:
    r"""One-sample Monte Carlo estimate of the bound for each sample; the estimator is unbiased.

    The last two terms are exact expectations given ``x``: the prior is the KL of two Gaussians, and
    the reconstruction uses :math:`z_0/\alpha_0 = x + e^{\gamma_0/2}\epsilon`.

    Parameters
    ----------
    denoiser
        Optimal or learned denoiser.
    x, eps
        Normalised fields and unit noise, ``(batch, channel, ...)``.
    t
        Times in [0, 1), ``(batch,)``.
    schedule
        Fixed linear gamma.
    data_noise
        Standard deviation ``s`` of :math:`p(x|z_0)`, in normalised units.
    """
    gamma = schedule.gamma(t)
    prediction = denoiser(diffuse(x, eps, gamma), gamma)
    diffusion = 0.5 * schedule.span * ((eps - prediction.eps) ** 2).flatten(1).sum(1)

    alpha_1, sigma_1 = alpha_sigma(torch.tensor(schedule.gamma_max, dtype=torch.float64))
    variance = float(sigma_1**2)
    # -log(sigma^2) = log1p(exp(-gamma)) keeps its digits where sigma is close to one
    minus_log_variance = math.log1p(math.exp(-schedule.gamma_max))
    dimension = x[0].numel()
    mean_square = float(alpha_1**2) * (x**2).flatten(1).sum(1)
    prior = 0.5 * (mean_square + dimension * (variance - 1.0 + minus_log_variance))

    nats = 0.5 * (
        math.log(2 * math.pi * data_noise**2) + math.exp(schedule.gamma_min) / data_noise**2
    )
    return Bound(diffusion, prior, torch.full_like(prior, dimension * nats), dimension)
