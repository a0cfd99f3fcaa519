r"""What the network predicts, all convertible at one place.

Every prediction is a linear map between the output and :math:`(\hat x, \hat\epsilon)`, given the
noised field :math:`z = \alpha x + \sigma\epsilon`:

============  ====================================  ===================================  ==========
prediction    target                                :math:`\hat x` from (z, output o)     paper
============  ====================================  ===================================  ==========
``eps``       :math:`\epsilon`                      :math:`(z - \sigma o)/\alpha`         [1]
``x``         :math:`x`                             :math:`o`                             [2]
``v``         :math:`\alpha\epsilon - \sigma x`     :math:`\alpha z - \sigma o`           [2]
``velocity``  :math:`\epsilon - x`                  :math:`(z - \sigma o)/(\alpha+\sigma)` [3]
``edm``       :math:`(\sigma x - s^2\alpha\epsilon) :math:`s^2\alpha z/n^2 +              [4]
              /(s n)`                               s\sigma o/n`
============  ====================================  ===================================  ==========

with ``s`` the standard deviation of the data and :math:`n^2 = \sigma^2 + s^2\alpha^2` the variance
of ``z``. EDM's preconditioning written in these coordinates; with ``s = 1`` it is ``-v``.

References
----------
[1] Ho et al. (2020), arXiv:2006.11239. [2] Salimans & Ho (2022), arXiv:2202.00512, section 4.
[3] Lipman et al. (2023), arXiv:2210.02747. [4] Karras et al. (2022), arXiv:2206.00364, table 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.config.names import PredictionName
from emulator.diffusion.path import Path
from emulator.diffusion.process import alpha_sigma, expand

Face = Tensor | Callable[[], Tensor]


class Prediction:
    """Both faces of one prediction; a face given as a function is computed when first asked for.

    Parameters
    ----------
    x, eps
        Estimates of data and noise, ``(batch, channel, ...)``, or functions that return them.
    """

    def __init__(self, x: Face, eps: Face) -> None:
        self._x, self._eps = x, eps

    @cached_property
    def x(self) -> Tensor:
        """Estimate of the data."""
        return self._x if isinstance(self._x, Tensor) else self._x()

    @cached_property
    def eps(self) -> Tensor:
        """Estimate of the noise."""
        return self._eps if isinstance(self._eps, Tensor) else self._eps()

    @classmethod
    def of_data(cls, x: Tensor, z: Tensor, gamma: Tensor) -> "Prediction":
        r"""From an estimate of the data: :math:`\hat\epsilon = (z - \alpha\hat x)/\sigma`."""
        return cls(x, lambda: _noise_left(x, z, gamma))


def _noise_left(x: Tensor, z: Tensor, gamma: Tensor) -> Tensor:
    alpha, sigma = alpha_sigma(expand(gamma, z))
    return (z - alpha * x) / sigma


Network = Callable[[Tensor, Tensor], Tensor]
"""``network(z, gamma)``: the raw output, read by :meth:`Parameterization.interpret`."""

Denoiser = Callable[[Tensor, Tensor], Prediction]
"""``denoiser(z, gamma)`` with ``z (batch, channel, ...)`` and ``gamma (batch,)``."""


class Reading(NamedTuple):
    r"""Coefficients of :math:`\hat x` and :math:`\hat\epsilon` in ``z`` and the output."""

    x_of_z: Tensor
    x_of_output: Tensor
    eps_of_z: Tensor
    eps_of_output: Tensor


@dataclass(frozen=True)
class Parameterization:
    """One row of the table above.

    Parameters
    ----------
    kind
        What the network predicts.
    sigma_data
        Standard deviation of the normalised data; only EDM's preconditioning knows it.
    """

    kind: PredictionName
    sigma_data: float = 1.0

    def reading(self, gamma: Tensor) -> Reading:
        """How to read an output at ``gamma``; tensors of its shape."""
        alpha, sigma = alpha_sigma(gamma)
        zero, one = torch.zeros_like(gamma), torch.ones_like(gamma)
        match self.kind:
            case "eps":
                return Reading(1 / alpha, -sigma / alpha, zero, one)
            case "x":
                return Reading(zero, one, 1 / sigma, -alpha / sigma)
            case "v":
                return Reading(alpha, -sigma, sigma, alpha)
            case "velocity":
                share = 1 / (alpha + sigma)
                return Reading(share, -sigma * share, share, alpha * share)
            case "edm":
                s = self.sigma_data
                n = torch.sqrt(sigma**2 + (s * alpha) ** 2)
                return Reading(s**2 * alpha / n**2, s * sigma / n, sigma / n**2, -s * alpha / n)

    def target(self, x: Tensor, eps: Tensor, gamma: Tensor) -> Tensor:
        """Return what a perfect network would output for data ``x`` under noise ``eps``."""
        alpha, sigma = alpha_sigma(expand(gamma, x))
        match self.kind:
            case "eps":
                return eps
            case "x":
                return x
            case "v":
                return alpha * eps - sigma * x
            case "velocity":
                return eps - x
            case "edm":
                s = self.sigma_data
                n = torch.sqrt(sigma**2 + (s * alpha) ** 2)
                return (sigma * x - s**2 * alpha * eps) / (s * n)

    def interpret(self, output: Tensor, z: Tensor, gamma: Tensor) -> Prediction:
        """Read an output as estimates of data and noise.

        Parameters
        ----------
        output, z
            Network output and noised field, ``(batch, channel, ...)``.
        gamma
            -log SNR, ``(batch,)`` or a scalar.
        """
        read = self.reading(expand(gamma, z))
        return Prediction(
            output if self.kind == "x" else lambda: read.x_of_z * z + read.x_of_output * output,
            output
            if self.kind == "eps"
            else lambda: read.eps_of_z * z + read.eps_of_output * output,
        )

    def eps_error_scale(self, gamma: Tensor) -> Tensor:
        """Size of the eps error for a unit error of the output, shape of ``gamma``."""
        return self.reading(gamma).eps_of_output.abs()

    def best_linear(self, gamma: Tensor) -> Tensor:
        """Factor of ``z`` in the best linear prediction for white data of unit variance.

        It is E[target | z]: zero for ``v`` (and for ``edm``, for data of its own ``sigma_data``).
        """
        alpha, sigma = alpha_sigma(gamma)
        match self.kind:
            case "eps":
                return sigma
            case "x":
                return alpha
            case "velocity":
                return sigma - alpha
        return torch.zeros_like(gamma)

    def precondition(self, network: Network, path: Path, *, residual: bool = False) -> Network:
        """Let the network see its input in the scale of ``path`` (EDM: at unit variance).

        With ``residual`` its output is what is left beside :meth:`best_linear`, so that a network
        that starts at zero starts from there.
        """
        plain = self._scaled(network, path)
        if not residual:
            return plain
        return lambda z, gamma: plain(z, gamma) + self.best_linear(expand(gamma, z)) * z

    def _scaled(self, network: Network, path: Path) -> Network:
        if self.kind == "edm":

            def scale(gamma: Tensor) -> Tensor:
                alpha, sigma = alpha_sigma(gamma)
                return (sigma**2 + (self.sigma_data * alpha) ** 2) ** -0.5

        elif path.name == "variance_preserving":
            return network
        else:
            scale = path.scale

        def scaled(z: Tensor, gamma: Tensor) -> Tensor:
            return network(scale(expand(gamma, z)) * z, gamma)

        return scaled
