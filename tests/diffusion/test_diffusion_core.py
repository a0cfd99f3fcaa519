"""Forward process, conversions, objectives and the bound against closed forms."""

import math

import pytest
import torch

from emulator.diffusion.loss import training_loss, variational_bound
from emulator.diffusion.parameterization import Prediction, interpret, prediction_target
from emulator.diffusion.schedule import FixedLinear, alpha_sigma, diffuse, low_discrepancy_times
from emulator.diffusion.weighting import BoundObjective, LogisticObjective

TAU2 = torch.tensor([0.25, 4.0]).double()[None, :, None, None]
MEAN = torch.tensor([0.7, -1.2]).double()[None, :, None, None]
SCHEDULE = FixedLinear(-13.3, 13.0)


def gaussian_denoiser(z, gamma):
    """Perfect denoiser of x ~ N(MEAN, TAU2): E[x|z] by conjugacy."""
    alpha, sigma = alpha_sigma(gamma.double()[:, None, None, None])
    gain = alpha * TAU2 / (alpha**2 * TAU2 + sigma**2)
    x = MEAN + gain * (z - alpha * MEAN)
    return Prediction(x, (z - alpha * x) / sigma)


def gaussian_draws(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 2, 4, 4)
    x = MEAN + TAU2.sqrt() * torch.randn(shape, generator=generator, dtype=torch.float64)
    eps = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, eps, low_discrepancy_times(batch, generator).double()


def test_schedule_preserves_variance_and_snr_decreases():
    gamma = SCHEDULE.gamma(torch.linspace(0, 1, 101).double())
    alpha, sigma = alpha_sigma(gamma)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(gamma))
    torch.testing.assert_close(-torch.log(alpha**2 / sigma**2), gamma)
    assert (gamma.diff() > 0).all()
    assert alpha[0] > 0.99  # t = 0 is the clean end
    assert sigma[-1] > 0.99


def test_alpha_keeps_its_digits_at_the_noise_end():
    alpha, _ = alpha_sigma(torch.tensor(15.0))
    assert float(alpha) == pytest.approx(math.exp(-7.5) / math.sqrt(1 + math.exp(-15.0)), rel=1e-6)


def test_swapped_end_points_are_refused():
    with pytest.raises(ValueError, match="clean end"):
        FixedLinear(5.0, -5.0)


@pytest.mark.parametrize("kind", ["eps", "x", "v"])
@pytest.mark.parametrize("gamma", [-10.0, -1.0, 0.0, 3.0, 10.0])
def test_perfect_output_is_read_back_as_data_and_noise(kind, gamma):
    x, eps, _ = gaussian_draws(3)
    g = torch.full((3,), gamma).double()
    read = interpret(kind, prediction_target(kind, x, eps, g), diffuse(x, eps, g), g)
    torch.testing.assert_close(read.x, x, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(read.eps, eps, rtol=1e-8, atol=1e-8)


def test_v_error_is_eps_error_over_alpha():
    x, eps, _ = gaussian_draws(3)
    g = torch.tensor([-2.0, 0.0, 5.0]).double()
    z, v = diffuse(x, eps, g), prediction_target("v", x, eps, g)
    alpha, _ = alpha_sigma(g[:, None, None, None])
    wrong = v + 0.1
    torch.testing.assert_close(interpret("v", wrong, z, g).eps - eps, alpha * (wrong - v))


def test_times_are_stratified_and_uniform():
    t = low_discrepancy_times(64, torch.Generator().manual_seed(1))
    assert ((t >= 0) & (t < 1)).all()
    torch.testing.assert_close(t.sort().values.diff(), torch.full((63,), 1 / 64), rtol=0, atol=1e-6)


def exact_diffusion_nats(schedule):
    """Half the integral of SNR tau^2/(1 + SNR tau^2) over gamma, summed over 2 x 16 values."""
    snr_max, snr_min = math.exp(-schedule.gamma_min), math.exp(-schedule.gamma_max)
    per_value = 0.5 * torch.log((1 + snr_max * TAU2) / (1 + snr_min * TAU2))
    return float(per_value.sum() * 16)


def test_bound_of_a_gaussian_with_its_perfect_denoiser():
    x, eps, t = gaussian_draws(8192)
    bound = variational_bound(
        gaussian_denoiser, x, eps, t, schedule=SCHEDULE, data_noise=math.exp(SCHEDULE.gamma_min / 2)
    )
    exact = exact_diffusion_nats(SCHEDULE)
    error = float(bound.diffusion.std()) / math.sqrt(len(x))
    assert float(bound.diffusion.mean()) == pytest.approx(exact, abs=4 * error)
    assert 4 * error < 0.05 * exact
    # prior: KL of two Gaussians from torch.distributions
    alpha, sigma = alpha_sigma(torch.tensor(SCHEDULE.gamma_max).double())
    p = torch.distributions.Normal(alpha * x, sigma)
    q = torch.distributions.Normal(torch.zeros_like(x), torch.ones_like(x))
    kl = torch.distributions.kl_divergence(p, q).flatten(1).sum(1)
    torch.testing.assert_close(bound.prior, kl, rtol=1e-6, atol=1e-9)


def test_bound_is_close_to_the_entropy_where_the_data_noise_is_matched():
    """With a perfect denoiser the bound is tight: it converges to E[-log p(x)]."""
    x, eps, t = gaussian_draws(8192, seed=2)
    noise = math.exp(SCHEDULE.gamma_min / 2)
    bound = variational_bound(gaussian_denoiser, x, eps, t, schedule=SCHEDULE, data_noise=noise)
    entropy = float((0.5 * torch.log(2 * math.pi * math.e * TAU2)).sum() * 16)
    error = float(bound.total.std()) / math.sqrt(len(x))
    assert float(bound.total.mean()) == pytest.approx(entropy, abs=4 * error)


def test_reconstruction_term_is_its_expectation():
    x, eps, t = gaussian_draws(4)
    s = 5e-4
    bound = variational_bound(gaussian_denoiser, x, eps, t, schedule=SCHEDULE, data_noise=s)
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    read = math.exp(SCHEDULE.gamma_min / 2) * noise  # z_0/alpha_0 - x
    sampled = -torch.distributions.Normal(0.0, s).log_prob(read)
    error = float(sampled.std()) / math.sqrt(len(noise))
    assert float(bound.reconstruction[0]) / 32 == pytest.approx(
        float(sampled.mean()), abs=4 * error
    )


@pytest.mark.parametrize("kind", ["eps", "x", "v"])
def test_bound_objective_is_the_bound_a_dimension(kind):
    """Averaged over gamma, the training loss `bound` is the diffusion term over its dimension."""
    x, eps, u = gaussian_draws(8192, seed=4)

    def network(z, gamma):
        read = gaussian_denoiser(z, gamma)
        return prediction_target(kind, read.x, read.eps, gamma)

    loss = training_loss(
        network, x, eps, u,
        objective=BoundObjective(SCHEDULE), kind=kind, channel_weights=torch.ones(2).double(),
    )  # fmt: skip
    error = float(loss.std()) / math.sqrt(len(x))
    assert float(loss.mean()) == pytest.approx(exact_diffusion_nats(SCHEDULE) / 32, abs=4 * error)


def test_logistic_objective_of_v_against_its_closed_form():
    """The v error of the perfect denoiser is tau^2/(alpha^2 tau^2 + sigma^2) at each gamma."""
    objective = LogisticObjective(SCHEDULE, loc=-0.5, scale=1.4)
    x, eps, u = gaussian_draws(16384, seed=5)

    def network(z, gamma):
        alpha, sigma = alpha_sigma(gamma[:, None, None, None])
        read = gaussian_denoiser(z, gamma)
        return alpha * read.eps - sigma * read.x

    loss = training_loss(
        network, x, eps, u, objective=objective, kind="v", channel_weights=torch.ones(2).double()
    )
    gamma = objective.gamma((torch.arange(100_000).double() + 0.5) / 100_000)
    alpha, sigma = alpha_sigma(gamma[:, None])
    tau2 = TAU2.flatten()
    exact = float((tau2 / (alpha**2 * tau2 + sigma**2)).mean())
    error = float(loss.std()) / math.sqrt(len(x))
    assert float(loss.mean()) == pytest.approx(exact, abs=4 * error)
    assert 4 * error < 0.05 * exact


def test_logistic_quantiles_are_those_of_the_distribution():
    objective = LogisticObjective(SCHEDULE, loc=-0.5, scale=1.4)
    u = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double()
    low, high = (torch.sigmoid((torch.tensor(g).double() + 0.5) / 1.4) for g in (-13.3, 13.0))
    cdf = (torch.sigmoid((objective.gamma(u) + 0.5) / 1.4) - low) / (high - low)
    torch.testing.assert_close(cdf, u, rtol=0, atol=1e-6)


def test_channel_weights_scale_channels_and_not_the_loss():
    x, eps, u = gaussian_draws(64)
    kwargs = {"objective": LogisticObjective(SCHEDULE), "kind": "x"}

    def network(z, gamma):
        return torch.zeros_like(z)

    def loss(weights):
        return training_loss(
            network, x, eps, u, channel_weights=torch.tensor(weights).double(), **kwargs
        ).mean()

    power = (x**2).mean((0, 2, 3))
    torch.testing.assert_close(loss([1.0, 1.0]), power.mean())
    torch.testing.assert_close(loss([3.0, 1.0]), (1.5 * power[0] + 0.5 * power[1]) / 2)
