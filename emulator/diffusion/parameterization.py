r"""What the network predicts, all convertible at one place.

A prediction is one row :math:`(p, q)`, functions of the amplitudes: the output is

.. math:: o = p\,x + q\,\epsilon, \qquad z = \alpha x + \sigma\epsilon .

All else follows from it. With the determinant :math:`D = \sigma p - \alpha q` an output is read by

.. math:: \hat x = (\sigma o - q z)/D, \qquad \hat\epsilon = (p z - \alpha o)/D .

============  ======================  ======================  ======================  =====
prediction    p                       q                       D                       paper
============  ======================  ======================  ======================  =====
``eps``       0                       1                       :math:`-\alpha`         [1]
``x``         1                       0                       :math:`\sigma`          [2]
``v``         :math:`-\sigma`         :math:`\alpha`          -1                      [2]
``velocity``  -1                      1                       :math:`-\alpha-\sigma`  [3]
``edm``       :math:`\sigma/(s n)`    :math:`-s\alpha/n`      :math:`n/s`             [4]
============  ======================  ======================  ======================  =====

with ``s`` the standard deviation of the data and :math:`n^2 = \sigma^2 + s^2\alpha^2` the variance
of ``z``. EDM's preconditioning written in these coordinates; with ``s = 1`` it is ``-v``. ``D`` is
given in closed form, so that ``v`` is read without any division that rounds.

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


class Row(NamedTuple):
    """One row of the table above; tensors of the shape of the amplitudes."""

    of_x: Tensor  # p
    of_eps: Tensor  # q
    determinant: Tensor  # D


class Reading(NamedTuple):
    r"""Coefficients of :math:`\hat x` and :math:`\hat\epsilon` in ``z`` and the output."""

    x_of_z: Tensor
    x_of_output: Tensor
    eps_of_z: Tensor
    eps_of_output: Tensor


Coefficients = tuple[Tensor | float, Tensor | float, Tensor | float]


def _variance(alpha: Tensor, sigma: Tensor, s: float) -> Tensor:
    """Variance of ``z`` for white data of standard deviation ``s``."""
    return sigma**2 + (s * alpha) ** 2


def _edm(alpha: Tensor, sigma: Tensor, s: float) -> Coefficients:
    n = torch.sqrt(_variance(alpha, sigma, s))
    return sigma / (s * n), -s * alpha / n, n / s


ROWS: dict[PredictionName, Callable[[Tensor, Tensor, float], Coefficients]] = {
    "eps": lambda alpha, sigma, s: (0.0, 1.0, -alpha),
    "x": lambda alpha, sigma, s: (1.0, 0.0, sigma),
    "v": lambda alpha, sigma, s: (-sigma, alpha, -1.0),
    "velocity": lambda alpha, sigma, s: (-1.0, 1.0, -(alpha + sigma)),
    "edm": _edm,
}
"""``p, q, D`` of each prediction from ``alpha, sigma, s``."""


@dataclass(frozen=True)
class Parameterization:
    """A prediction, and what follows from its row.

    Parameters
    ----------
    kind
        What the network predicts.
    sigma_data
        Standard deviation of the normalised data; only EDM's preconditioning knows it.
    """

    kind: PredictionName
    sigma_data: float = 1.0

    def row(self, alpha: Tensor, sigma: Tensor) -> Row:
        """Row of the table at some amplitudes; tensors of their shape."""
        row = ROWS[self.kind](alpha, sigma, self.sigma_data)
        return Row(*(c if isinstance(c, Tensor) else torch.full_like(alpha, c) for c in row))

    def reading(self, gamma: Tensor) -> Reading:
        """How to read an output at ``gamma``; tensors of its shape."""
        alpha, sigma = alpha_sigma(gamma)
        p, q, determinant = self.row(alpha, sigma)
        return Reading(-q / determinant, sigma / determinant, p / determinant, -alpha / determinant)

    def target(self, x: Tensor, eps: Tensor, gamma: Tensor) -> Tensor:
        """Return what a perfect network would output for data ``x`` under noise ``eps``."""
        p, q, _ = self.row(*alpha_sigma(expand(gamma, x)))
        return p * x + q * eps

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
            lambda: read.x_of_z * z + read.x_of_output * output,
            lambda: read.eps_of_z * z + read.eps_of_output * output,
        )

    def eps_error_scale(self, gamma: Tensor) -> Tensor:
        """Size of the eps error for a unit error of the output, shape of ``gamma``."""
        return self.reading(gamma).eps_of_output.abs()

    def best_linear(self, gamma: Tensor) -> Tensor:
        r"""Factor of ``z`` in the best linear prediction, ``E[o|z]``, for white data.

        .. math:: (s^2\alpha p + \sigma q)/n^2

        for data of unit variance, or of its own ``sigma_data`` for ``edm``. It is zero for ``v``
        and (but for rounding) for ``edm``.
        """
        alpha, sigma = alpha_sigma(gamma)
        p, q, _ = self.row(alpha, sigma)
        s = self.sigma_data if self.kind == "edm" else 1.0
        return (s**2 * alpha * p + sigma * q) / _variance(alpha, sigma, s)

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
                return _variance(alpha, sigma, self.sigma_data) ** -0.5

        elif path.name == "variance_preserving":
            return network
        else:
            scale = path.scale

        def scaled(z: Tensor, gamma: Tensor) -> Tensor:
            return network(scale(expand(gamma, z)) * z, gamma)

        return scaled
