"""Guidance on Gaussian fields, where the conditioned denoiser and its draws are known exactly."""

import math

import pytest
import torch

from emulator.diffusion.guidance import (
    classifier_free,
    conjugate_gradients,
    observed_pixels,
    reconstruction_guided,
    weighted_sums,
)
from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.process import alpha_sigma
from emulator.diffusion.solvers import build_solver, build_spacing, gamma_grid, solve

SIDE, N = 6, 36


def covariance():
    """Of a smooth field on a 6 x 6 grid."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    places = torch.stack([y, x], -1).reshape(N, 2).double()
    apart = torch.cdist(places, places)
    return torch.exp(-0.5 * (apart / 2.0) ** 2) + 0.05 * torch.eye(N).double()


COVARIANCE = covariance()


def posterior_denoiser(mean, spread):
    """Perfect denoiser of x ~ N(mean, spread)."""

    def denoise(z, gamma):
        alpha, sigma = alpha_sigma(gamma[:1].double())
        system = alpha**2 * spread + sigma**2 * torch.eye(N).double()
        deviation = z.flatten(1) - alpha * mean
        x = mean + alpha * torch.linalg.solve(system, deviation.T).T @ spread
        return Prediction.of_data(x.reshape(z.shape), z, gamma)

    return denoise


PRIOR = posterior_denoiser(torch.zeros(N).double(), COVARIANCE)


def conditioned(matrix, observation, noise_std):
    """Mean and covariance of the field given observations: the textbook formula."""
    system = matrix @ COVARIANCE @ matrix.T + noise_std**2 * torch.eye(len(matrix)).double()
    gain = torch.linalg.solve(system, matrix @ COVARIANCE).T
    return gain @ observation, COVARIANCE - gain @ matrix @ COVARIANCE


def field(seed=0, batch=1):
    noise = torch.randn(batch, N, generator=torch.Generator().manual_seed(seed)).double()
    return (noise @ torch.linalg.cholesky(COVARIANCE).T).reshape(batch, 1, SIDE, SIDE)


def observations():
    truth = field(3)[0].flatten()
    mask = torch.rand(N, generator=torch.Generator().manual_seed(1)) < 0.3
    pixels = torch.eye(N).double() * mask
    total = torch.ones(1, N).double() / N
    return {
        "pixels": (observed_pixels(mask.reshape(1, 1, SIDE, SIDE)), pixels, truth * mask, 0.05),
        "total": (weighted_sums(total.reshape(1, 1, SIDE, SIDE)), total, total @ truth, 0.01),
    }


@pytest.mark.parametrize("what", ["pixels", "total"])
@pytest.mark.parametrize("gamma", [-6.0, 0.0, 4.0])
def test_the_guided_denoiser_is_the_conditional_posterior_mean(what, gamma):
    measure, matrix, observation, noise_std = observations()[what]
    guided = reconstruction_guided(
        PRIOR, measure, observation.expand(2, -1), noise_std=noise_std, n_iterations=40
    )
    z = torch.randn(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(5)).double()
    levels = torch.full((2,), gamma).double()
    exact = posterior_denoiser(*conditioned(matrix, observation, noise_std))
    read, truth = guided(z, levels), exact(z, levels)
    torch.testing.assert_close(read.x, truth.x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(read.eps, truth.eps, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("what", ["pixels", "total"])
def test_draws_have_the_conditional_mean_and_spread(what):
    """Inpainting and a known total, drawn by a solver: not only the observation is met."""
    measure, matrix, observation, noise_std = observations()[what]
    batch, generator = 1500, torch.Generator().manual_seed(0)
    guided = reconstruction_guided(
        PRIOR, measure, observation.expand(batch, -1), noise_std=noise_std, n_iterations=10
    )
    z = torch.randn(batch, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
    gammas = gamma_grid(13.0, -13.0, 40)
    with torch.no_grad():
        draws = solve(build_solver("unipc3"), guided, z, gammas, lambda: z).flatten(1)
    mean, spread = conditioned(matrix, observation, noise_std)
    error = torch.sqrt(spread.diagonal() / batch)
    assert float(((draws.mean(0) - mean).abs() / error.clamp(min=0.002)).max()) < 4.5
    found = torch.cov(draws.T)
    tolerance = 4.5 * math.sqrt(2 / batch)
    assert float((found.diagonal() / spread.diagonal() - 1).abs().max()) < tolerance + 0.03
    read = draws @ matrix.T
    left = torch.sqrt(torch.cov(read.T).reshape(len(matrix), -1).diagonal())
    assert float(left.max()) < 1.3 * noise_std


def test_a_nonlinear_measurement_is_met():
    """Known total of the exponential of a field: linearised at every step."""

    def measure(x):
        return torch.exp(0.5 * x).flatten(1).mean(1, keepdim=True)

    batch = 64
    target = torch.full((batch, 1), 1.6).double()
    guided = reconstruction_guided(PRIOR, measure, target, noise_std=0.01)
    z = torch.randn(batch, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2)).double()
    gammas = gamma_grid(13.0, -10.0, 32, build_spacing("logistic"))
    with torch.no_grad():
        plain = solve(build_solver("abm2"), PRIOR, z, gammas, lambda: z)
        draws = solve(build_solver("abm2"), guided, z, gammas, lambda: z)
    assert float((measure(plain) - target).abs().mean()) > 0.2
    assert float((measure(draws) - target).abs().max()) < 0.05


def test_guidance_refuses_noise_of_zero_and_foreign_shapes():
    measure, _, observation, _ = observations()["total"]
    with pytest.raises(ValueError, match="noise_std must be positive"):
        reconstruction_guided(PRIOR, measure, observation[None], noise_std=0.0)
    guided = reconstruction_guided(PRIOR, measure, torch.zeros(2, 3).double(), noise_std=1.0)
    with pytest.raises(ValueError, match=r"measure returns \(2, 1\), the observation is \(2, 3\)"):
        guided(field(batch=2), torch.zeros(2).double())


def test_conjugate_gradients_solve_rows_on_their_own():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(3, 8, 8, generator=generator).double()
    matrices = root @ root.transpose(1, 2) + torch.eye(8).double()
    right = torch.randn(3, 8, generator=generator).double()
    right[1] = 0.0  # a row that is solved from the start must stay finite
    solution, fell = conjugate_gradients(
        lambda y: torch.einsum("bij,bj->bi", matrices, y), right, 30
    )
    torch.testing.assert_close(solution, torch.linalg.solve(matrices, right))
    assert fell.all()


def test_conjugate_gradients_stop_where_a_system_is_not_positive():
    """What they return is then still closer than zero, or they say that it is not."""
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(40, 8, 8, generator=generator).double()
    matrices[0] = -torch.eye(8)
    right = torch.randn(40, 8, generator=generator).double()

    def system(y):
        return torch.einsum("bij,bj->bi", matrices, y)

    solution, fell = conjugate_gradients(system, right, 30)
    residual, start = ((r**2).sum(1) for r in (right - system(solution), right))
    assert (residual[fell] < start[fell]).all()
    assert (solution[~fell] == 0).all()
    assert 0 < fell.sum() < 40
    assert not fell[0]


@pytest.mark.parametrize("derivative", [-3.0, 1e6])
def test_a_denoiser_of_no_sensible_covariance_is_guided_plainly(derivative):
    """A network's slope at high noise is anything; the data's own variance is used instead."""

    def denoise(z, gamma):
        return Prediction.of_data(0.2 + derivative * torch.flip(z - z.detach(), [-1]), z, gamma)

    mask = torch.zeros(1, 1, SIDE, SIDE).double()
    mask[..., :2] = 1.0
    observed = torch.full((2, N), 0.7).double() * mask.flatten(1)
    guided = reconstruction_guided(denoise, observed_pixels(mask), observed, noise_std=0.1)
    gamma = torch.full((2,), 5.0).double()
    sigma2 = float(torch.sigmoid(gamma[0]))
    x = guided(field(batch=2), gamma).x
    expected = 0.2 + mask * sigma2 / (sigma2 + 0.01) * 0.5
    torch.testing.assert_close(x, expected.expand_as(x))


def constant(value):
    def denoise(z, gamma):
        calls.append(value)
        return Prediction(torch.full_like(z, value), torch.full_like(z, -value))

    calls = []
    denoise.calls = calls
    return denoise


def test_classifier_free_guidance_extrapolates_inside_its_interval_only():
    with_condition, without = constant(3.0), constant(1.0)
    z = torch.zeros(2, 1, 2, 2)
    guided = classifier_free(with_condition, without, 1.5, interval=(-2.0, 2.0))
    read = guided(z, torch.tensor([0.0, 5.0]))
    assert read.x[:, 0, 0, 0].tolist() == pytest.approx([1 + 1.5 * 2, 3.0])
    assert read.eps[:, 0, 0, 0].tolist() == pytest.approx([-4.0, -3.0])
    without.calls.clear()
    assert float(guided(z, torch.tensor([5.0, 5.0])).x[0, 0, 0, 0]) == 3.0
    assert classifier_free(with_condition, without, 1.0)(z, torch.zeros(2)).x.mean() == 3.0
    assert without.calls == []  # no second evaluation where it changes nothing
    assert classifier_free(with_condition, without, 0.0)(z, torch.zeros(2)).x.mean() == 1.0


def test_guided_gaussians_sharpen_towards_the_condition():
    """Guidance of Gaussians of equal width moves the mean to m_u + w (m_c - m_u)."""

    def gaussian(mean):
        def denoise(z, gamma):
            alpha, sigma = alpha_sigma(gamma[:, None])
            gain = alpha / (alpha**2 + sigma**2)
            return Prediction.of_data(mean + gain * (z - alpha * mean), z, gamma)

        return denoise

    z = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    guided = classifier_free(gaussian(1.0), gaussian(0.0), 2.0)
    draws = solve(build_solver("abm2"), guided, z, gamma_grid(13.0, -10.0, 40), lambda: z)
    assert float(draws.mean()) == pytest.approx(2.0, abs=0.04)
    assert float(draws.std()) == pytest.approx(1.0, abs=0.03)
