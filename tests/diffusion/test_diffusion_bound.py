"""The bound and the log-likelihood of Gaussian data, against their exact values."""

import math

import pytest
import torch
from gaussians import MEAN, TAU2, gaussian_denoiser, gaussian_draws, mean_and_error

from emulator.diffusion.bound import variational_bound
from emulator.diffusion.distributions import HyperbolicSecant, Truncated
from emulator.diffusion.likelihood import log_likelihood
from emulator.diffusion.process import alpha_sigma
from emulator.diffusion.schedule import FixedLinear, LearnedMonotone

SCHEDULE = FixedLinear(-13.3, 13.0)
DIMENSION = 32  # two channels of 4 x 4


def bound_of(seed, schedule=SCHEDULE, batch=8192, **options):
    x, eps, t = gaussian_draws(batch, seed=seed)
    defaults = {"data_noise": math.exp(SCHEDULE.gamma_min / 2)}
    return x, variational_bound(
        gaussian_denoiser, x, eps, t, schedule=schedule, **(defaults | options)
    )


def continuous_nats(schedule):
    """Half the integral of SNR tau^2/(1 + SNR tau^2) over gamma, summed over all values."""
    snr_max, snr_min = math.exp(-schedule.gamma_min), math.exp(-schedule.gamma_max)
    per_value = 0.5 * torch.log((1 + snr_max * TAU2) / (1 + snr_min * TAU2))
    return float(per_value.sum() * 16)


def discrete_nats(schedule, n_steps):
    """The same, as the finite sum: T/2 times the mean of expm1(gamma_t - gamma_s) MSE(gamma_t)."""
    edges = schedule.gamma(torch.linspace(0, 1, n_steps + 1, dtype=torch.float64))
    signal = TAU2.flatten() * torch.exp(-edges[1:, None])
    mse = signal / (1 + signal)
    return float(0.5 * (torch.expm1(edges.diff())[:, None] * mse).sum() * 16)


def test_terms_of_the_bound_of_a_gaussian():
    x, bound = bound_of(seed=0)
    mean, error = mean_and_error(bound.diffusion)
    assert mean == pytest.approx(continuous_nats(SCHEDULE), abs=error)
    assert error < 0.05 * mean
    # prior: KL of two Gaussians from torch.distributions
    alpha, sigma = alpha_sigma(torch.tensor(SCHEDULE.gamma_max).double())
    p = torch.distributions.Normal(alpha * x, sigma)
    q = torch.distributions.Normal(torch.zeros_like(x), torch.ones_like(x))
    kl = torch.distributions.kl_divergence(p, q).flatten(1).sum(1)
    torch.testing.assert_close(bound.prior, kl, rtol=1e-6, atol=1e-9)
    assert bound.dimension == DIMENSION
    bits = bound.total / (DIMENSION * math.log(2))
    torch.testing.assert_close(bound.bits_per_dimension, bits)


def test_bound_is_tight_for_the_perfect_denoiser():
    """With matched data noise it converges to E[-log p(x)], the entropy."""
    _, bound = bound_of(seed=2)
    entropy = float((0.5 * torch.log(2 * math.pi * math.e * TAU2)).sum() * 16)
    mean, error = mean_and_error(bound.total)
    assert mean == pytest.approx(entropy, abs=error)


@pytest.mark.parametrize("schedule", [Truncated(HyperbolicSecant()), LearnedMonotone()])
def test_bound_depends_on_the_ends_alone(schedule):
    with torch.no_grad():
        _, bound = bound_of(seed=3, schedule=schedule)
    mean, error = mean_and_error(bound.diffusion)
    assert mean == pytest.approx(continuous_nats(SCHEDULE), abs=error)


def test_reconstruction_term_is_its_expectation():
    s = 5e-4
    _, bound = bound_of(seed=0, batch=4, data_noise=s)
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    read = math.exp(SCHEDULE.gamma_min / 2) * noise  # z_0/alpha_0 - x
    sampled, error = mean_and_error(-torch.distributions.Normal(0.0, s).log_prob(read))
    assert float(bound.reconstruction[0]) / DIMENSION == pytest.approx(sampled, abs=error)


@pytest.mark.parametrize("n_steps", [20, 100])
def test_discrete_bound_is_its_finite_sum(n_steps):
    _, bound = bound_of(seed=4, n_steps=n_steps)
    mean, error = mean_and_error(bound.diffusion)
    assert mean == pytest.approx(discrete_nats(SCHEDULE, n_steps), abs=error)


def test_discrete_bound_falls_to_the_continuous_one_as_one_over_the_steps():
    exact = continuous_nats(SCHEDULE)
    gaps = [discrete_nats(SCHEDULE, n) - exact for n in (100, 200, 400, 800, 100_000)]
    assert all(gap > 0 for gap in gaps)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[2] / gaps[3] == pytest.approx(2.0, rel=0.05)
    assert gaps[-1] < 1e-3 * exact


def test_discrete_steps_are_at_least_one():
    with pytest.raises(ValueError, match="n_steps=0"):
        bound_of(seed=0, batch=2, n_steps=0)


def exact_log_density(x, gamma_min):
    """Of N(MEAN, TAU2 + exp(gamma_min)): the data smoothed by the noise of the clean end."""
    deviation = (TAU2 + math.exp(gamma_min)).sqrt()
    return torch.distributions.Normal(MEAN, deviation).log_prob(x).flatten(1).sum(1)


@pytest.mark.parametrize("gamma_min", [-13.3, -3.0])
def test_log_likelihood_of_a_gaussian_is_exact(gamma_min):
    """A linear denoiser of each value alone has a diagonal Jacobian: every probe is exact."""
    x, _, _ = gaussian_draws(4)
    result = log_likelihood(
        gaussian_denoiser, x, gamma_min=gamma_min, gamma_max=16.0, n_steps=200, n_probes=2
    )
    exact = exact_log_density(x, gamma_min)
    torch.testing.assert_close(result.nats, exact, rtol=0, atol=2e-3 * DIMENSION)
    assert (result.standard_error < 1e-9).all()


def mixed_denoiser(z, gamma):
    """The Gaussian's denoiser in mixed coordinates: its Jacobian is not diagonal."""
    turned = torch.stack([z[:, 0] + z[:, 1], z[:, 0] - z[:, 1]], 1) / math.sqrt(2)
    x = gaussian_denoiser(turned, gamma).x
    back = torch.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], 1) / math.sqrt(2)
    return gaussian_denoiser(z, gamma).of_data(back, z, gamma)


def test_hutchinsons_error_is_the_stated_one():
    x, _, _ = gaussian_draws(16)
    turned = torch.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], 1) / math.sqrt(2)
    result = log_likelihood(
        mixed_denoiser, turned, gamma_min=-10.0, gamma_max=14.0, n_steps=100, n_probes=64,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    deviation = (result.nats - exact_log_density(x, -10.0)) / result.standard_error
    assert (result.standard_error > 0).all()
    assert float(deviation.abs().max()) < 4.5
    assert 0.5 < float(deviation.square().mean().sqrt()) < 1.6


@pytest.mark.parametrize("options", [{"n_steps": 0}, {"n_probes": 1}])
def test_log_likelihood_refuses_what_has_no_answer(options):
    with pytest.raises(ValueError, match="n_steps >= 1 and n_probes >= 2"):
        log_likelihood(gaussian_denoiser, MEAN, gamma_min=-8.0, gamma_max=8.0, **options)
