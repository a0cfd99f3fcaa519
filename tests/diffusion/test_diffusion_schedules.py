"""Schedules against their papers, and what is learned against what is known to be best."""

import math

import pytest
import torch
from gaussians import gaussian_denoiser, gaussian_draws
from torch.distributions import Normal as TorchNormal

from emulator.config import DiffusionConfig, parse_config
from emulator.diffusion.distributions import (
    HyperbolicSecant,
    Logistic,
    Normal,
    SigmoidInTime,
    Truncated,
)
from emulator.diffusion.loss import training_loss
from emulator.diffusion.parameterization import Parameterization
from emulator.diffusion.process import alpha_sigma, amplitudes
from emulator.diffusion.schedule import FixedLinear, LearnedLinear, LearnedMonotone
from emulator.diffusion.tables import GammaTable, ddpm_cosine, ddpm_linear, tabulate
from emulator.diffusion.times import low_discrepancy_times
from emulator.diffusion.weighting import Weight
from emulator.io import EmulatorError
from emulator.model.build import build_schedule

NAMES = [
    "fixed_linear", "learned_linear", "learned_nn", "logistic", "cosine", "sigmoid", "edm",
    "ddpm_linear", "ddpm_cosine",
]  # fmt: skip
TIMES = torch.linspace(0.0, 1.0, 2001, dtype=torch.float64)


def schedule_of(name):
    weight = "bound" if name.startswith("learned") else "plain"
    return build_schedule(DiffusionConfig(schedule=name, weight=weight))


@pytest.mark.parametrize("name", NAMES)
def test_gamma_increases_between_its_ends_with_the_slope_it_says(name):
    schedule = schedule_of(name)
    levels = schedule.levels(TIMES)
    gamma, slope = levels.gamma.detach(), levels.slope.detach()
    assert (gamma.diff() > 0).all()
    assert gamma[0] == pytest.approx(schedule.gamma_min, abs=1e-5)
    assert gamma[-1] == pytest.approx(schedule.gamma_max, abs=1e-5)
    if not name.startswith("ddpm"):  # tables keep the end that they have
        assert schedule.gamma_min == pytest.approx(-13.3, abs=1e-5)
        assert schedule.gamma_max == pytest.approx(13.0, abs=1e-5)
    # the integral of the slope is the rise, by the midpoint rule on a fine grid
    fine = 0.01 + 0.98 * (torch.arange(100_000).double() + 0.5) / 100_000
    rise = schedule.gamma(torch.tensor([0.01, 0.99]).double()).detach().diff()
    assert float(0.98 * schedule.levels(fine).slope.detach().mean()) == pytest.approx(
        float(rise), rel=1e-4
    )
    if not name.startswith("ddpm"):
        centre = (gamma[2:] - gamma[:-2]) / (TIMES[2:] - TIMES[:-2])
        inner = slice(100, -100)
        torch.testing.assert_close(slope[1:-1][inner], centre[inner], rtol=2e-3, atol=0)


def test_variance_is_preserved_and_amplitudes_keep_their_digits():
    gamma = FixedLinear().gamma(TIMES)
    alpha, sigma = alpha_sigma(gamma)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(gamma))
    torch.testing.assert_close(-torch.log(alpha**2 / sigma**2), gamma)
    assert alpha[0] > 0.99  # t = 0 is the clean end
    assert sigma[-1] > 0.99
    for end in (15.0, -15.0):
        exact = math.exp(-7.5) / math.sqrt(1 + math.exp(-15.0))
        small = alpha_sigma(torch.tensor(end))[0 if end > 0 else 1]
        assert float(small) == pytest.approx(exact, rel=1e-6)  # float32
        assert amplitudes(end)[0 if end > 0 else 1] == pytest.approx(exact, rel=1e-14)


def test_cosine_is_the_cosine():
    """Alpha = cos(pi t/2) on the piece of [0, 1] between the ends."""
    schedule = Truncated(HyperbolicSecant())
    first, last = (2 / math.pi * math.atan(math.exp(g / 2)) for g in (-13.3, 13.0))
    alpha, _ = alpha_sigma(schedule.gamma(TIMES))
    expected = torch.cos(0.5 * math.pi * (first + TIMES * (last - first)))
    torch.testing.assert_close(alpha, expected, rtol=1e-9, atol=1e-12)


def test_sigmoid_is_the_sigmoid_of_its_paper():
    """alpha^2(t) = (sg(3) - sg(6t - 3)) / (sg(3) - sg(-3)), as published."""
    sigmoid = SigmoidInTime()
    t = torch.tensor([1e-6, 0.1, 0.5, 0.9, 1 - 1e-6]).double()
    high, low = torch.sigmoid(torch.tensor([3.0, -3.0]).double())
    alpha2 = (high - torch.sigmoid(6 * t - 3)) / (high - low)
    torch.testing.assert_close(torch.sigmoid(-sigmoid.quantile(t)), alpha2, rtol=1e-8, atol=0)
    torch.testing.assert_close(sigmoid.cdf(sigmoid.quantile(t)), t, rtol=1e-6, atol=0)


def test_edm_is_log_normal():
    gamma = Truncated(Normal()).gamma(torch.rand(200_000, dtype=torch.float64))
    log_sigma = 0.5 * gamma
    assert float(log_sigma.mean()) == pytest.approx(-1.2, abs=0.02)
    assert float(log_sigma.std()) == pytest.approx(1.2, abs=0.02)
    probability = torch.tensor([0.01, 0.5, 0.99]).double()
    expected = TorchNormal(-2.4, 2.4).icdf(probability.float())
    torch.testing.assert_close(Normal().quantile(probability).float(), expected)


def test_logistic_quantiles_are_those_of_the_distribution():
    schedule = Truncated(Logistic(-0.5, 1.4))
    t = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double()
    low, high = (torch.sigmoid((torch.tensor(g).double() + 0.5) / 1.4) for g in (-13.3, 13.0))
    cdf = (torch.sigmoid((schedule.gamma(t) + 0.5) / 1.4) - low) / (high - low)
    torch.testing.assert_close(cdf, t, rtol=0, atol=1e-9)


def test_uniform_flow_times_are_a_logistic_distribution():
    """Tau = sigma/(alpha + sigma) is uniform where gamma is logistic(0, 2)."""
    alpha, sigma = alpha_sigma(Truncated(Logistic(0.0, 2.0)).gamma(TIMES))
    tau = sigma / (alpha + sigma)
    torch.testing.assert_close(tau.diff(), tau.diff().mean().expand(2000), rtol=1e-6, atol=0)


def test_ddpm_tables_are_products_of_their_betas():
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    product, gammas = 1.0, ddpm_linear()
    for beta, gamma in zip(betas.tolist(), gammas.tolist(), strict=True):
        product *= 1.0 - beta
        assert gamma == pytest.approx(math.log((1 - product) / product), rel=1e-9)
    assert product == pytest.approx(4.0358e-5, rel=1e-3)  # the published end of DDPM
    # the limit of many steps is the VP-SDE: log expm1 of the integrated beta
    t = (torch.arange(1000).double() + 1) / 1000
    limit = torch.log(torch.expm1(0.1 * t + 0.5 * 19.9 * t**2))
    torch.testing.assert_close(gammas[50:], limit[50:], rtol=0, atol=0.08)
    # cosine: far from its cap, alpha^2 is the squared cosine
    t = (torch.arange(1000).double() + 1) / 1000
    signal = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    signal = signal / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    torch.testing.assert_close(torch.sigmoid(-ddpm_cosine())[:-2], signal[:-2], rtol=1e-6, atol=0)


def test_a_table_keeps_its_own_ends_and_is_cut_at_others():
    assert schedule_of("ddpm_linear").gamma_max == pytest.approx(10.1176, abs=1e-3)
    cut = GammaTable(ddpm_linear(), -5.0, 5.0)
    assert (cut.gamma_min, cut.gamma_max) == pytest.approx((-5.0, 5.0))
    whole = GammaTable(ddpm_linear())
    # the cut table is the same curve, on a piece of the time axis
    t = torch.linspace(0.0, 1.0, 5001, dtype=torch.float64)
    inside = whole.gamma(t)
    inside = inside[(inside > -5.0) & (inside < 5.0)]
    gammas = cut.gamma(t)
    counts = [(int((g < c).sum()) / len(g)) for g in (inside, gammas) for c in (0.0,)]
    assert counts[0] == pytest.approx(counts[1], abs=2e-3)


def test_a_table_of_a_schedule_is_the_schedule():
    torch.manual_seed(0)
    learned = LearnedMonotone()
    with torch.no_grad():
        learned.raw_height.add_(torch.randn(32))
    table = GammaTable(torch.tensor(tabulate(learned)))
    torch.testing.assert_close(table.gamma(TIMES), learned.gamma(TIMES).detach(), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FixedLinear(5.0, -5.0), "clean end"),
        (lambda: LearnedMonotone(5.0, 5.0), "clean end"),
        (lambda: Truncated(Logistic(), 13.0, -13.3), "clean end"),
        (lambda: Truncated(Logistic(0.0, 0.2)), "no weight"),
        (lambda: GammaTable(torch.tensor([-5.0, 1.0, 0.5, 6.0])), r"1\.0, 0\.5.* at entry 1"),
        (lambda: GammaTable(torch.tensor([3.0])), "at least two"),
        (lambda: GammaTable(ddpm_linear(), 11.0, 12.0), "clean end"),
    ],
)
def test_schedules_that_do_not_increase_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"gamma_max": 4.0}, ["gamma_max = 4", "1.8%", "pure noise", "4.61"]),
        ({"schedule": "cosin"}, ["schedule", "cosine"]),
        ({"prediction": "epsilon"}, ["prediction", "eps"]),
        ({"schedule": "learned_nn"}, ["learned_nn", "bound or sigmoid"]),
        ({"schedule": "learned_linear", "weight": "sigmoid"}, ["weight must be bound"]),
        ({"learn_ends": True, "weight": "bound"}, ["learned_nn"]),
    ],
)
def test_bad_configs_are_named(keys, words):
    with pytest.raises(EmulatorError) as error:
        parse_config({"name": "a", "diffusion": keys})
    for word in words:
        assert word in str(error.value)


def loss_of(schedule, x, eps, t):
    def network(z, gamma):
        return gaussian_denoiser(z, gamma).eps

    return training_loss(
        network, x, eps, t, schedule=schedule, parameterization=Parameterization("eps"),
        weight=Weight("bound"), channel_weights=torch.ones(2).double(), data_noise=0.05,
    )  # fmt: skip


def test_learned_ends_find_the_data_noise():
    """The bound is least where exp(gamma_0) = s^2: there z_0 is as noisy as p(x|z_0) says."""
    schedule = LearnedLinear(-13.3, 13.0)
    optimizer = torch.optim.Adam(schedule.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for step in range(400):
        x, eps, _ = gaussian_draws(64, seed=step)
        t = low_discrepancy_times(64, generator).double()
        optimizer.zero_grad()
        loss_of(schedule, x, eps, t).mean().backward()
        optimizer.step()
    assert schedule.gamma_min == pytest.approx(2 * math.log(0.05), abs=0.15)
    assert schedule.gamma_max > 13.0  # N(0, I) is not the marginal of these data: more noise


def test_the_learned_shape_lowers_the_variance_and_keeps_the_mean():
    """Variance of the loss estimate falls; the bound, a function of the ends, does not move."""
    torch.manual_seed(0)
    schedule = LearnedMonotone(-13.3, 13.0)
    optimizer = torch.optim.Adam([p for p in schedule.parameters() if p.requires_grad], lr=0.02)
    x, eps, _ = gaussian_draws(4096, seed=1)
    t = torch.rand(4096, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before = loss_of(schedule, x, eps, t).detach()
    for step in range(300):
        data, noise, times = gaussian_draws(128, seed=100 + step)
        optimizer.zero_grad()
        loss_of(schedule, data, noise, times).mean().backward()
        optimizer.step()
    after = loss_of(schedule, x, eps, t).detach()
    assert float(after.var()) < 0.6 * float(before.var())
    scatter = 4 * math.sqrt(float(before.var() + after.var()) / 4096)
    assert float(after.mean()) == pytest.approx(float(before.mean()), abs=scatter)
    assert (schedule.gamma_min, schedule.gamma_max) == pytest.approx((-13.3, 13.0), abs=1e-5)


def test_the_interior_gradient_is_that_of_the_square_and_the_networks_is_untouched():
    schedule = LearnedMonotone()
    x, eps, t = gaussian_draws(16, seed=3)
    gain = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)

    def losses(shape):
        return training_loss(
            lambda z, gamma: gain * gaussian_denoiser(z, gamma).eps, x, eps, t, schedule=shape,
            parameterization=Parameterization("eps"), weight=Weight("bound"),
            channel_weights=torch.ones(2).double(),
        )  # fmt: skip

    losses(schedule).mean().backward()
    hooked, of_network = schedule.raw_height.grad.clone(), gain.grad.clone()
    # the same by brute force: finite differences of mean(L^2) and of mean(L)
    step = 1e-3

    def moved(by, power):
        with torch.no_grad():
            schedule.raw_height[5] += by
            value = float((losses(schedule) ** power).mean())
            schedule.raw_height[5] -= by
        return value

    square = (moved(step, 2) - moved(-step, 2)) / (2 * step)
    assert float(hooked[5]) == pytest.approx(square, rel=2e-2)
    gain.grad = None
    frozen = LearnedMonotone().requires_grad_(False)
    losses(frozen).mean().backward()
    assert float(gain.grad) == pytest.approx(float(of_network), rel=1e-9)
