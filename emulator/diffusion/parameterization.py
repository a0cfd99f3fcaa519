r"""What the network predicts: eps, x or v, all convertible at one place.

With :math:`z = \alpha x + \sigma\epsilon` and :math:`v = \alpha\epsilon - \sigma x`:

==========  =====================================  =========================================
prediction  :math:`\hat x`                         :math:`\hat\epsilon`
==========  =====================================  =========================================
eps         :math:`(z - \sigma\hat\epsilon)/\alpha`  the output
x           the output                             :math:`(z - \alpha\hat x)/\sigma`
v           :math:`\alpha z - \sigma\hat v`         :math:`\sigma z + \alpha\hat v`
==========  =====================================  =========================================

References
----------
Salimans & Ho (2022), arXiv:2202.00512, section 4; Kingma & Gao (2023), arXiv:2303.00848.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from emulator.diffusion.schedule import alpha_sigma, expand

Kind = Literal["eps", "x", "v"]


class Prediction(NamedTuple):
    """Both faces of one prediction; each computed without cancellation where that is possible."""

    x: Tensor
    eps: Tensor


Network = Callable[[Tensor, Tensor], Tensor]
"""``network(z, gamma)``: the raw output, read by :func:`interpret`."""

Denoiser = Callable[[Tensor, Tensor], Prediction]
"""``denoiser(z, gamma)`` with ``z (batch, channel, ...)`` and ``gamma (batch,)``."""


def prediction_target(kind: Kind, x: Tensor, eps: Tensor, gamma: Tensor) -> Tensor:
    """Return the value that a perfect network of this kind would output."""
    if kind == "eps":
        return eps
    if kind == "x":
        return x
    alpha, sigma = alpha_sigma(expand(gamma, x))
    return alpha * eps - sigma * x


def eps_error_scale(kind: Kind, gamma: Tensor) -> Tensor:
    r"""Size of the eps error for a unit error of the output, shape of ``gamma``.

    From the table above: 1 for eps, :math:`\alpha/\sigma` for x, :math:`\alpha` for v.
    """
    if kind == "eps":
        return torch.ones_like(gamma)
    if kind == "x":
        return torch.exp(-0.5 * gamma)
    return alpha_sigma(gamma)[0]


def interpret(kind: Kind, output: Tensor, z: Tensor, gamma: Tensor) -> Prediction:
    """Turn a network's output into :class:`Prediction` by the table above.

    Parameters
    ----------
    kind
        What the network predicts.
    output, z
        Network output and noised field, ``(batch, channel, ...)``.
    gamma
        -log SNR, ``(batch,)`` or a scalar.
    """
    alpha, sigma = alpha_sigma(expand(gamma, z))
    if kind == "eps":
        return Prediction((z - sigma * output) / alpha, output)
    if kind == "x":
        return Prediction(output, (z - alpha * output) / sigma)
    return Prediction(alpha * z - sigma * output, sigma * z + alpha * output)
