r"""A field whose every solver has an exact answer: Gaussian, with its Wiener filter as the network.

A two-dimensional Gaussian field of 128 x 128 pixels and unit variance, with

.. math:: P(k) \propto \frac{k}{(1 + (k/4)^2)^{3/2}}\, e^{-(k/76.8)^2}, \qquad k = 1 \dots 64,

optionally correlated with a known field, :math:`r(k)` falling from 0.95 to 0.3. Its perfect
denoiser acts on each mode alone,

.. math:: \hat x = m + \frac{\alpha P_c}{\alpha^2 P_c + \sigma^2}(z - \alpha m), \qquad
    P_c = (1 - r^2) P

so every solver is linear in its noise: run once with one row of the batch for every source of noise
(and one for the known field), the sum of squares over rows is the output's power, without any Monte
Carlo.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser, Prediction
from emulator.diffusion.process import alpha_sigma, amplitudes
from emulator.diffusion.solvers import Solver, solve

N_PIXELS = 128


@dataclass(frozen=True)
class GaussianField:
    """Power of each shell in units of white noise, and its correlation with a known field.

    Attributes
    ----------
    power, correlation
        ``(mode,)``, float64.
    """

    power: Tensor
    correlation: Tensor

    @property
    def residual(self) -> Tensor:
        """Power that the known field does not explain."""
        return self.power * (1.0 - self.correlation**2)

    @property
    def response(self) -> Tensor:
        """Mean amplitude for a known field of unit amplitude."""
        return self.correlation * self.power.sqrt()

    def denoiser(self, mean: Tensor) -> Denoiser:
        """Perfect denoiser of rows with these means, ``(row, 1, mode)``."""

        def denoise(z: Tensor, gamma: Tensor) -> Prediction:
            alpha, sigma = alpha_sigma(gamma[:, None, None])
            gain = alpha * self.residual / (alpha**2 * self.residual + sigma**2)
            return Prediction.of_data(mean + gain * (z - alpha * mean), z, gamma)

        return denoise


def build_field(*, conditional: bool = False) -> GaussianField:
    """Field of the module's docstring."""
    axis = torch.fft.fftfreq(N_PIXELS, 1.0 / N_PIXELS, dtype=torch.float64)
    plane = torch.hypot(axis[:, None], axis[None, :])
    k = torch.arange(1.0, N_PIXELS // 2 + 1, dtype=torch.float64)
    power = _shape(k) / _shape(plane).mean()
    correlation = torch.linspace(0.95, 0.3, len(k), dtype=torch.float64)
    return GaussianField(power, correlation if conditional else torch.zeros_like(k))


def _shape(k: Tensor) -> Tensor:
    return k / (1.0 + (k / 4.0) ** 2) ** 1.5 * torch.exp(-((k / 76.8) ** 2))


@dataclass(frozen=True)
class Outcome:
    """What a solver makes of a field: power and response to the known field, exact, ``(mode,)``."""

    power: Tensor
    response: Tensor
    evaluations: int
    field: GaussianField

    @property
    def power_error(self) -> float:
        """Largest relative error of the power of any mode."""
        return float((self.power / self.field.power - 1.0).abs().max())

    @property
    def response_error(self) -> float:
        """Largest relative error of the response to the known field; 0 where there is none."""
        known = self.field.response
        if not bool(known.any()):
            return 0.0
        return float((self.response / known - 1.0).abs().max())


def run_exactly(
    field: GaussianField, solver: Solver, gammas: list[float], *, exact_start: bool = False
) -> Outcome:
    """Exact output power of a solver.

    Parameters
    ----------
    field
        Field and denoiser.
    solver, gammas
        What to run, on which grid.
    exact_start
        Start from the exact marginal at ``gammas[0]`` instead of N(0, I).
    """
    n_modes = len(field.power)
    n_draws = _count_draws(solver, gammas)
    rows = torch.zeros(2 + n_draws, 1, n_modes, dtype=torch.float64)
    mean = rows.clone()
    mean[0] = field.response  # row 0: the known field, and no noise
    start = rows.clone()
    start[1] = 1.0  # row 1: the start's noise; then one row a draw
    if exact_start:
        alpha, sigma = amplitudes(gammas[0])
        start[0] = alpha * field.response
        start[1] = torch.sqrt(alpha**2 * field.residual + sigma**2)
    draw = itertools.count(2)

    def noise() -> Tensor:
        kick = rows.clone()
        kick[next(draw)] = 1.0
        return kick

    evaluations = itertools.count()
    denoise = field.denoiser(mean)

    def counted(z: Tensor, gamma: Tensor) -> Prediction:
        next(evaluations)
        return denoise(z, gamma)

    out = solve(solver, counted, start, gammas, noise)[:, 0]
    return Outcome((out**2).sum(0), out[0], next(evaluations), field)


def _count_draws(solver: Solver, gammas: list[float]) -> int:
    """How often a solver asks for noise on a grid."""
    z = torch.zeros(1, 1, 1, dtype=torch.float64)
    calls = itertools.count()

    def noise() -> Tensor:
        next(calls)
        return z

    solve(solver, lambda z, gamma: Prediction.of_data(z, z, gamma), z, gammas, noise)
    return next(calls)
