"""Solvers on a Gaussian with its perfect denoiser, exactly: every sampler is linear in its noise.

A linear sampler maps the start noise and each fresh noise to the output by a fixed factor, so its
output mean and variance follow without Monte Carlo: run it once with zero noise (mean) and once for
every noise source with a unit there (one row a source).
"""

import itertools

import pytest
import torch

from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.schedule import alpha_sigma
from emulator.diffusion.solvers import SOLVERS, ancestral, dpm_solver_pp_2m, gamma_grid

MEAN, TAU2 = 0.7, 0.25


def denoiser(z, gamma):
    alpha, sigma = alpha_sigma(gamma.double()[:, None])
    gain = alpha * TAU2 / (alpha**2 * TAU2 + sigma**2)
    x = MEAN + gain * (z - alpha * MEAN)
    return Prediction(x, (z - alpha * x) / sigma)


def exact_moments(solver, gammas):
    """Mean and variance of the output for unit Gaussian noise sources."""
    n_sources = len(gammas)  # the start, and at most one a transition
    rows = torch.zeros(n_sources + 1, n_sources, dtype=torch.float64)
    rows[1:] = torch.eye(n_sources)  # row 0: no noise
    calls = itertools.count(1)
    out = solver(denoiser, rows[:, :1].clone(), gammas, lambda: rows[:, next(calls)][:, None])
    mean = float(out[0])
    return mean, float(((out[1:] - mean) ** 2).sum())


@pytest.mark.parametrize(
    ("name", "n_steps", "mean_tolerance", "variance_tolerance"),
    # DPM-Solver++(2M) is of second order: error ~ (span/n)^2. Ancestral is of first order.
    [("dpm++2m", 50, 0.001, 0.01), ("dpm++2m", 20, 0.005, 0.06), ("ancestral", 1000, 0.002, 0.03)],
)
def test_recovers_mean_and_variance(name, n_steps, mean_tolerance, variance_tolerance):
    mean, variance = exact_moments(SOLVERS[name], gamma_grid(13.0, -13.3, n_steps))
    assert mean == pytest.approx(MEAN, rel=mean_tolerance)
    assert variance == pytest.approx(TAU2, rel=variance_tolerance)


@pytest.mark.parametrize(("solver", "order"), [(ancestral, 1), (dpm_solver_pp_2m, 2)])
def test_order_of_convergence(solver, order):
    """Halving the step divides the variance error by about 2^order."""
    errors = [
        abs(exact_moments(solver, gamma_grid(13.0, -13.3, n))[1] / TAU2 - 1) for n in (201, 401)
    ]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.25)


def test_monte_carlo_agrees_with_the_exact_moments():
    gammas = gamma_grid(13.0, -13.3, 100)
    generator = torch.Generator().manual_seed(0)

    def noise():
        return torch.randn(40_000, 1, generator=generator, dtype=torch.float64)

    draws = ancestral(denoiser, noise(), gammas, noise)
    mean, variance = exact_moments(ancestral, gammas)
    n = len(draws)
    assert float(draws.mean()) == pytest.approx(mean, abs=4 * (variance / n) ** 0.5)
    assert float(draws.var()) == pytest.approx(variance, rel=4 * (2 / n) ** 0.5)


def test_dpm_solver_draws_no_noise():
    def no_noise():
        raise RuntimeError("a deterministic solver asked for noise")

    z = torch.ones(1, 1, dtype=torch.float64)
    dpm_solver_pp_2m(denoiser, z, gamma_grid(13.0, -8.0, 10), no_noise)


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_one_evaluation_a_node(solver):
    calls = []

    def counted(z, gamma):
        calls.append(float(gamma[0]))
        return denoiser(z, gamma)

    z = torch.zeros(1, 1, dtype=torch.float64)
    gammas = gamma_grid(10.0, -8.0, 7)
    solver(counted, z, gammas, lambda: torch.zeros_like(z))
    assert calls == pytest.approx(gammas)


def test_a_grid_that_goes_up_is_refused():
    with pytest.raises(ValueError, match="gamma_end < gamma_start"):
        gamma_grid(-8.0, 13.0, 20)
