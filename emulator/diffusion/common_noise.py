r"""Log-likelihoods that are to be compared: the bound, with the same noise for all.

For data with noise of :math:`s = e^{\gamma_0/2}`, the variational bound of everything above
:math:`\gamma_0`, in units of the data, is

.. math:: E_\epsilon[\ln p(x + s\epsilon)] \ge -\tfrac12\int_{\gamma_0}^{\gamma_1}
    E_\epsilon\|\epsilon - \hat\epsilon\|^2\,d\gamma - KL(q(z_1|x)\,\|\,N(0, I))
    - \tfrac D2 \ln(2\pi e s^2)

with equality for a perfect denoiser. Its noise is of the size of ln p itself; but what the noise
adds is nearly the same for two conditions, so that the *difference* of two values with the same
gammas and the same :math:`\epsilon` is far more precise than either.

Why not from the model's gamma_min: what a network says of fine noise is not what its draws are
made of. :data:`NOISE` was found by the coverage of posteriors of members of the demo's model
(docs/inference.md).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.diffusion.bound import end_terms
from emulator.diffusion.parameterization import Denoiser
from emulator.diffusion.process import diffuse

NOISE = 0.4
"""Noise at which bounds begin, in units of the normalised fields."""


class CommonBound(NamedTuple):
    """Bounds of rows whose differences are precise."""

    nats: Tensor  # (batch,), float64: log-density, from below
    terms: Tensor  # (noise, batch): contribution of each noise level, whose sum is the integral

    def error_beside(self, row: int) -> Tensor:
        """Standard error of ``nats - nats[row]``, ``(batch,)``, from pairs of neighbouring levels.

        Gammas lie one in each of ``noise`` equal intervals; half of the squared difference of two
        neighbours overestimates the variance of one by what the mean changes between them.
        """
        differences = self.terms - self.terms[:, row : row + 1]
        steps = differences[1::2] - differences[::2]
        return (steps**2).sum(0).sqrt()


@torch.no_grad()
def common_bound(
    denoiser: Denoiser,
    x: Tensor,
    *,
    gamma_min: float,
    gamma_max: float,
    n_noise: int,
    generator: torch.Generator,
    counted: Tensor | None = None,
) -> CommonBound:
    """Bounds of the log-density of ``x`` with noise, of all rows with the same noise.

    Parameters
    ----------
    denoiser
        Of as many conditions as there are rows.
    x
        Normalised fields, ``(batch, channel, ...)``; rows may be the same.
    gamma_min, gamma_max
        Noise that is added to the data, ``s^2 = exp(gamma_min)``; and the noise end.
    n_noise
        Noise levels, one in each of as many equal intervals of gamma; even.
    generator
        Of gammas and noise.
    counted
        See :func:`emulator.diffusion.bound.variational_bound`.

    Raises
    ------
    ValueError
        For an odd number of levels or none, or an empty range.
    """
    if n_noise < 2 or n_noise % 2 or gamma_min >= gamma_max:
        raise ValueError(
            f"expected an even n_noise >= 2 and gamma_min < gamma_max, got {n_noise}, "
            f"{gamma_min:g}, {gamma_max:g}"
        )
    width = (gamma_max - gamma_min) / n_noise
    places = torch.rand(n_noise, generator=generator, dtype=torch.float64)
    terms = []
    for index in range(n_noise):
        gamma = float(gamma_min + (index + places[index]) * width)
        eps = torch.randn((1, *x.shape[1:]), generator=generator).to(x).expand_as(x)
        gammas = torch.full((len(x),), gamma, dtype=x.dtype, device=x.device)
        square = (eps - denoiser(diffuse(x, eps, gammas), gammas).eps) ** 2
        if counted is not None:
            square = square * counted
        terms.append(-0.5 * width * square.flatten(1).double().sum(1))
    found = torch.stack(terms)
    ends = torch.tensor([gamma_min, gamma_max], dtype=torch.float64, device=x.device)
    # a reconstruction with the noise itself is the entropy that is wanted: D/2 ln(2 pi e s^2)
    prior, entropy = end_terms(x, ends[0], ends[1], math.exp(0.5 * gamma_min), counted)
    return CommonBound(found.sum(0) - prior - entropy, found)
