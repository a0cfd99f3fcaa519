"""Weights and times against closed forms; channel weights and masks."""

import math

import pytest
import torch
from gaussians import TAU2, gaussian_denoiser, gaussian_draws, mean_and_error, network_of

from emulator.diffusion.distributions import HyperbolicSecant, Logistic, Normal, Truncated
from emulator.diffusion.loss import training_loss
from emulator.diffusion.parameterization import Parameterization
from emulator.diffusion.process import alpha_sigma
from emulator.diffusion.schedule import FixedLinear, LearnedLinear
from emulator.diffusion.times import (
    AdaptiveTimes,
    TimeSampler,
    build_times,
    low_discrepancy_times,
)
from emulator.diffusion.weighting import Weight

ONES = torch.ones(2).double()
KINDS = ["eps", "x", "v", "velocity", "edm"]


def loss(kind, weight, schedule, seed=4, batch=8192, data=None, **options):
    x, eps, t = data or gaussian_draws(batch, seed=seed)
    parameterization = Parameterization(kind)
    return training_loss(
        options.pop("network", None) or network_of(parameterization), x, eps, t,
        schedule=schedule, parameterization=parameterization, weight=Weight(weight),
        channel_weights=options.pop("channel_weights", ONES), **options,
    )  # fmt: skip


def exact(cost, schedule):
    """Loss of the perfect denoiser: cost times tau^2 SNR/(1 + tau^2 SNR), by quadrature."""
    t = (torch.arange(400_000).double() + 0.5) / 400_000
    gamma, slope, _ = schedule.levels(t)
    signal = TAU2.flatten() * torch.exp(-gamma)[:, None]
    return float((cost(gamma, slope) * (signal / (1 + signal)).mean(1)).mean())


COSTS = {
    "bound": lambda g, s: 0.5 * s,
    "simple": lambda g, s: torch.ones_like(g),
    "min_snr": lambda g, s: torch.minimum(torch.exp(-g), torch.tensor(5.0)) / torch.exp(-g),
    "sigmoid": lambda g, s: 0.5 * s * torch.sigmoid(g + 2.0),
    "edm": lambda g, s: 1 + torch.exp(g),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight", COSTS)
def test_every_weight_is_its_formula_whatever_is_predicted(kind, weight):
    schedule = Truncated(Logistic(0.0, 2.0), -6.0, 6.0)
    mean, error = mean_and_error(loss(kind, weight, schedule))
    assert mean == pytest.approx(exact(COSTS[weight], schedule), abs=error)
    assert error < 0.15 * mean


def test_min_snr_of_x_is_the_published_one():
    """On the x error the weight is min(SNR, 5): Hang et al. (2023)."""
    gamma = torch.tensor([-6.0, -math.log(5.0), 0.0, 6.0]).double()
    weight = Weight("min_snr").of_output(Parameterization("x"), gamma, torch.ones(4).double())
    torch.testing.assert_close(weight, torch.exp(-gamma).clamp(max=5.0))


def test_edm_weight_is_one_on_edms_own_output():
    gamma = torch.tensor([-6.0, 0.0, 6.0]).double()
    for sigma_data in (0.5, 1.0):
        weight = Weight("edm", sigma_data=sigma_data)
        own = weight.of_output(Parameterization("edm", sigma_data), gamma, torch.ones(3).double())
        torch.testing.assert_close(own, torch.ones(3).double())


@pytest.mark.parametrize("weight", ["bound", "sigmoid"])
def test_weights_of_gamma_do_not_depend_on_the_schedule(weight):
    """The loss of Kingma & Gao is an integral over gamma: any schedule estimates it."""
    schedules = [FixedLinear(-9.0, 9.0), Truncated(Logistic(), -9.0, 9.0)]
    schedules += [Truncated(d, -9.0, 9.0) for d in (HyperbolicSecant(), Normal())]
    values = [exact(COSTS[weight], schedule) for schedule in schedules]
    assert values == pytest.approx([values[0]] * 4, rel=1e-3)
    mean, error = mean_and_error(loss("v", weight, schedules[1]))
    assert mean == pytest.approx(values[0], abs=error)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_is_the_squared_error_of_the_output(kind):
    x, eps, t = gaussian_draws(64)
    schedule, parameterization = Truncated(Logistic()), Parameterization(kind)
    gamma = schedule.gamma(t)

    def network(z, gamma):
        return torch.zeros_like(z)

    value = loss(kind, "plain", schedule, data=(x, eps, t), network=network)
    expected = (parameterization.target(x, eps, gamma) ** 2).flatten(1).mean(1)
    torch.testing.assert_close(value, expected)


def test_plain_v_against_its_closed_form():
    """The v error of the perfect denoiser is tau^2/(alpha^2 tau^2 + sigma^2) at each gamma."""
    schedule = Truncated(Logistic(-0.5, 1.4))
    mean, error = mean_and_error(loss("v", "plain", schedule, batch=16384, seed=5))
    gamma = schedule.gamma((torch.arange(100_000).double() + 0.5) / 100_000)
    alpha, sigma = alpha_sigma(gamma[:, None])
    tau2 = TAU2.flatten()
    assert mean == pytest.approx(float((tau2 / (alpha**2 * tau2 + sigma**2)).mean()), abs=error)
    assert error < 0.05 * mean


def zeros(z, gamma):
    return torch.zeros_like(z)


def test_channel_weights_scale_channels_and_not_the_loss():
    data = gaussian_draws(64)
    power = (data[0] ** 2).mean((0, 2, 3))

    def value(*weights):
        weights = torch.tensor(weights).double()
        return loss("x", "plain", FixedLinear(), data=data, network=zeros, channel_weights=weights)

    torch.testing.assert_close(value(1.0, 1.0).mean(), power.mean())
    torch.testing.assert_close(value(3.0, 1.0).mean(), (1.5 * power[0] + 0.5 * power[1]) / 2)


def test_masked_channels_do_not_count_even_where_they_are_nan():
    x, eps, t = gaussian_draws(3)
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    power = (x**2).flatten(2).mean(-1)
    x[1, 1] = float("nan")
    value = loss(
        "x", "plain", FixedLinear(), data=(x, eps, t), network=zeros, channel_mask=mask
    )  # fmt: skip
    torch.testing.assert_close(value, torch.stack([power[0].mean(), power[1, 0], power[2, 1]]))
    with pytest.raises(ValueError, match="without any channel"):
        loss("x", "plain", FixedLinear(), data=(x, eps, t), network=zeros, channel_mask=0 * mask)


def test_learned_ends_need_the_data_noise():
    with pytest.raises(ValueError, match="data_noise"):
        loss("v", "bound", LearnedLinear(), batch=4)


def test_low_discrepancy_times_are_stratified_and_uniform():
    t = low_discrepancy_times(64, torch.Generator().manual_seed(1))
    assert ((t >= 0) & (t < 1)).all()
    torch.testing.assert_close(t.sort().values.diff(), torch.full((63,), 1 / 64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["low_discrepancy", "uniform", "adaptive"])
def test_times_are_a_function_of_torchs_generator_and_unbiased(name):
    sampler = build_times(name)
    if name == "adaptive":  # teach it a loss that is large near t = 0
        t = (torch.arange(3200) + 0.5) / 3200
        for _ in range(3):
            sampler.update(t, torch.exp(-5 * t))
    draws = [sampler.draw(64, torch.Generator().manual_seed(7)) for _ in range(2)]
    torch.testing.assert_close(draws[0].t, draws[1].t, rtol=0, atol=0)
    generator = torch.Generator().manual_seed(0)
    batches = [sampler.draw(64, generator) for _ in range(400)]
    values = torch.stack([(b.weight * torch.exp(-5 * b.t)).mean() for b in batches])
    mean, error = mean_and_error(values)
    assert mean == pytest.approx((1 - math.exp(-5)) / 5, abs=max(error, 1e-5))
    for batch in batches:
        assert ((batch.t >= 0) & (batch.t < 1)).all()


def test_adaptive_times_go_where_the_loss_is_and_lower_the_variance():
    sampler = AdaptiveTimes(n_bins=16, uniform=0.1)
    plain = sampler.draw(4096, torch.Generator().manual_seed(0))
    assert (plain.weight == 1).all()  # nothing is known yet
    t = (torch.arange(1600) + 0.5) / 1600
    sampler.update(t, torch.where(t < 0.25, 4.0, 1.0))
    density = sampler.density()
    # root mean squares 4 and 1 of mean 1.75, mixed with a tenth of uniform
    expected = torch.where(torch.arange(16) < 4, 0.9 * 4 / 1.75 + 0.1, 0.9 / 1.75 + 0.1).double()
    torch.testing.assert_close(density, expected)
    assert float(density.mean()) == pytest.approx(1.0)
    draws = sampler.draw(20_000, torch.Generator().manual_seed(1))
    counts = torch.histc(draws.t, 16, 0.0, 1.0) / 20_000 * 16
    torch.testing.assert_close(counts.double(), density, rtol=0.02, atol=0)
    assert float(draws.weight.max()) <= 10.0

    def spread(batch):
        return float((batch.weight * torch.where(batch.t < 0.25, 4.0, 1.0)).var())

    assert spread(draws) < 0.1 * spread(plain)


def test_adaptive_times_are_part_of_the_state():
    one, other = AdaptiveTimes(n_bins=8), AdaptiveTimes(n_bins=8)
    one.update(torch.rand(100), torch.rand(100))
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(one.density(), other.density())
    assert not TimeSampler().state_dict()


def test_the_gaussian_helper_is_a_posterior_mean():
    """The tests' own truth: regression of x on z has the helper's gain."""
    x, eps, _ = gaussian_draws(20_000, side=2)
    gamma = torch.full((20_000,), 0.7).double()
    alpha, sigma = alpha_sigma(torch.tensor(0.7).double())
    error = gaussian_denoiser(alpha * x + sigma * eps, gamma).x - x
    tau2 = TAU2.flatten()
    expected = tau2 * sigma**2 / (alpha**2 * tau2 + sigma**2)
    torch.testing.assert_close((error**2).mean((0, 2, 3)), expected, rtol=0.03, atol=0)
