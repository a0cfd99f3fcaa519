"""Schedules, densities and tables at single times, in closed form or by automatic derivatives."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal as TorchNormal
from torch.distributions import TransformedDistribution
from torch.nn.functional import softplus

from emulator.diffusion.distributions import (
    HyperbolicSecant,
    Logistic,
    Normal,
    SigmoidInTime,
    Truncated,
)
from emulator.diffusion.schedule import FixedLinear, LearnedLinear, LearnedMonotone
from emulator.diffusion.tables import GammaTable, ddpm_cosine, ddpm_linear, interpolate, tabulate

T = torch.tensor([0.0, 0.1, 0.25, 0.7, 0.999, 1.0]).double()
INNER = T[1:-1]
SHAPES = [
    Logistic(), Logistic(0.7, 2.3), HyperbolicSecant(), SigmoidInTime(), SigmoidInTime(-2.0, 4.0),
    Normal(), Normal(0.5, 3.0),
]  # fmt: skip


def close(found, expected, **tolerance):
    expected = torch.as_tensor(expected, dtype=found.dtype)
    torch.testing.assert_close(found, expected, **({"rtol": 1e-10, "atol": 1e-12} | tolerance))


def derivative(function, at):
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0]


def test_a_linear_schedule_is_a_straight_line():
    levels = FixedLinear(-4.0, 6.0).levels(T)
    close(levels.gamma, -4 + 10 * T)
    close(levels.slope, torch.full((6,), 10.0))
    assert levels.interior == ()
    learned = LearnedLinear(-4.0, 6.0)
    assert learned.learns_ends
    close(learned.levels(T).gamma.detach(), -4 + 10 * T, rtol=1e-6, atol=1e-6)
    close(learned.levels(T).slope.detach(), torch.full((6,), 10.0), rtol=1e-6)
    assert all(parameter.requires_grad for parameter in learned.parameters())
    assert (learned.gamma_min, learned.gamma_max) == pytest.approx((-4.0, 6.0))


def test_the_ends_of_a_learned_line_are_its_two_parameters():
    line = LearnedLinear(-4.0, 6.0)
    with torch.no_grad():
        line.learned.low.fill_(-3.0)
        line.learned.log_span.fill_(math.log(5.0))
    close(line.levels(T).gamma.detach(), -3 + 5 * T, rtol=1e-6, atol=1e-6)


def test_a_monotone_network_is_its_formula():
    """m(t) = w t + sum of v sigmoid(w_j t + b_j), between two ends."""
    torch.manual_seed(0)
    schedule = LearnedMonotone(-5.0, 7.0, width=3).double()
    with torch.no_grad():
        for parameter in schedule.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))

    raw = (schedule.raw_linear, schedule.raw_height, schedule.raw_rate)
    linear, height, rate = (np.log1p(np.exp(values.detach().numpy())) for values in raw)
    offset = schedule.offset.detach().numpy()

    def m(t):
        return linear * t + (height / (1 + np.exp(-(rate * t + offset)))).sum()

    def gamma(t):
        return -5 + 12 * (m(t) - m(0.0)) / (m(1.0) - m(0.0))

    levels = schedule.levels(T)
    close(levels.gamma.detach(), [gamma(t) for t in T.tolist()], rtol=1e-6, atol=1e-6)
    close(levels.slope.detach(), derivative(schedule.gamma, T), rtol=1e-9)
    shape, slope = levels.interior
    close(levels.gamma.detach(), (-5 + 12 * shape).detach(), rtol=1e-6, atol=1e-6)
    close(levels.slope.detach(), (12 * slope).detach(), rtol=1e-6)


def test_a_monotone_network_starts_close_to_a_line_with_sigmoids_all_over():
    schedule = LearnedMonotone().requires_grad_(False)
    close(schedule.gamma(T), -13.3 + 26.3 * T, rtol=0, atol=0.25)
    centres = -schedule.offset / softplus(schedule.raw_rate)
    close(centres, torch.linspace(0, 1, 32), rtol=1e-4, atol=1e-4)
    assert float(softplus(schedule.raw_linear)) == pytest.approx(1, abs=1e-4)
    assert float(schedule.raw_rate[0]) == pytest.approx(12.0)
    assert float(schedule.raw_height[0]) == pytest.approx(-4.0)


def test_the_ends_of_a_monotone_network_move_only_if_asked():
    fixed, moving = LearnedMonotone(), LearnedMonotone(learn_ends=True)
    for schedule, learns in ((fixed, False), (moving, True)):
        assert schedule.learns_ends is learns
        assert schedule.learned.low.requires_grad is learns
        assert schedule.learned.log_span.requires_grad is learns
        assert schedule.raw_height.requires_grad


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_quantiles_invert_probabilities_and_densities_are_their_slopes(shape):
    gamma = shape.quantile(INNER)
    close(shape.cdf(gamma), INNER, rtol=1e-9)
    close(shape.density(gamma), derivative(shape.cdf, gamma), rtol=1e-8)


@pytest.mark.parametrize(("loc", "scale"), [(-0.5, 1.4), (0.7, 2.3)])
def test_densities_are_those_of_the_textbooks(loc, scale):
    gamma = torch.tensor([-5.0, 0.0, 3.0]).double()
    place = torch.tensor([loc, scale], dtype=torch.float64)
    close(Normal(loc, scale).density(gamma), TorchNormal(*place).log_prob(gamma).exp())
    uniform = torch.distributions.Uniform(torch.zeros((), dtype=torch.float64), 1.0)
    # a logistic variable is the scaled logit of a uniform one
    transforms = [
        torch.distributions.transforms.SigmoidTransform().inv,
        torch.distributions.transforms.AffineTransform(*place),
    ]
    logistic = TransformedDistribution(uniform, transforms)
    close(Logistic(loc, scale).density(gamma), logistic.log_prob(gamma).exp())
    secant = 1 / (math.pi * (torch.exp(gamma / 2) + torch.exp(-gamma / 2)))
    close(HyperbolicSecant().density(gamma), secant)


def test_the_defaults_are_those_of_their_papers():
    assert Logistic() == Logistic(-0.5, 1.4)
    assert Normal() == Normal(2 * -1.2, 2 * 1.2)
    assert SigmoidInTime() == SigmoidInTime(-3.0, 3.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_truncated_schedule_is_uniform_in_probability_between_its_ends(shape):
    schedule = Truncated(shape, -5.0, 6.0)
    levels = schedule.levels(T)
    low, high = shape.cdf(torch.tensor([-5.0, 6.0]).double())
    close(shape.cdf(levels.gamma), low + T * (high - low), rtol=1e-9)
    close(levels.slope[1:-1], derivative(schedule.gamma, INNER), rtol=1e-6)
    assert levels.gamma[[0, -1]].tolist() == pytest.approx([-5.0, 6.0], rel=1e-12)
    assert levels.gamma.min() >= -5.0
    assert levels.gamma.max() <= 6.0


def test_levels_have_the_type_of_their_times():
    for schedule in (Truncated(Logistic()), GammaTable(ddpm_linear()), FixedLinear()):
        levels = schedule.levels(T.float())
        assert levels.gamma.dtype == levels.slope.dtype == torch.float32
        close(levels.gamma, schedule.gamma(T).float(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("edge", [-1, 1])
def test_a_distribution_must_leave_room_beyond_its_ends(edge):
    """One part in 1e12 on either side: the logit of it is 27.6."""
    narrow = Logistic(0.0, 1.0)
    for far, fits in ((27.6, True), (27.65, False)):
        ends = (-far, 1.0) if edge < 0 else (-1.0, far)
        if fits:
            assert Truncated(narrow, *ends).gamma_min == pytest.approx(ends[0], rel=1e-6)
        else:
            with pytest.raises(ValueError, match="no weight at gamma"):
                Truncated(narrow, *ends)


@pytest.mark.parametrize(
    "schedule", [FixedLinear(), LearnedLinear(), LearnedMonotone(), Truncated(Logistic())]
)
def test_schedules_run_from_data_to_noise_if_nothing_else_is_said(schedule):
    assert (schedule.gamma_min, schedule.gamma_max) == pytest.approx((-13.3, 13.0), rel=1e-6)


def test_a_broken_line_and_its_slopes():
    nodes, values = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([2.0, 5.0, 4.0])
    x = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
    found, slope = interpolate(x, nodes, values)
    close(found, [-1.0, 2.0, 3.5, 5.0, 4.5, 4.0, 3.5])
    close(slope, [3.0, 3.0, 3.0, -0.5, -0.5, -0.5, -0.5])


def test_a_table_is_cut_where_it_crosses_its_ends():
    gammas = torch.tensor([-6.0, -2.0, 0.0, 8.0])
    whole = GammaTable(gammas)
    close(whole.levels(T).gamma, np.interp(T, [0, 1 / 3, 2 / 3, 1], gammas), atol=1e-9)
    assert (whole.gamma_min, whole.gamma_max) == (-6.0, 8.0)
    cut = GammaTable(gammas, -4.0, 4.0)  # from entry 0.5 to entry 2.5
    close(cut.times, [0.0, 0.25, 0.75, 1.0])
    close(cut.gammas, [-4.0, -2.0, 0.0, 4.0])
    close(cut.levels(torch.tensor([0.1, 0.5, 0.9]).double()).slope, [8.0, 4.0, 16.0])
    at_entries = GammaTable(gammas, -2.0, 8.0)
    close(at_entries.times, [0.0, 0.5, 1.0])
    close(GammaTable(gammas, -99.0, 99.0).gammas, gammas.double())


@pytest.mark.parametrize("gammas", [[[1.0, 2.0]], [1.0], [1.0, 1.0], [3.0, 2.0]])
def test_a_table_must_be_a_list_that_increases(gammas):
    with pytest.raises(ValueError, match=r"at least two gammas that increase.* at entry 0"):
        GammaTable(torch.tensor(gammas))


def test_two_entries_are_a_table():
    close(GammaTable(torch.tensor([1.0, 2.0])).gamma(T), 1 + T)


def test_a_tabulated_line_has_equidistant_entries():
    assert tabulate(FixedLinear(-4.0, 6.0), 5) == pytest.approx([-4.0, -1.5, 1.0, 3.5, 6.0])
    assert len(tabulate(FixedLinear())) == 1025


@pytest.mark.parametrize("n", [50, 1000])
def test_the_linear_table_of_ddpm_is_a_product(n):
    """Betas from 1e-4 to 0.02 for 1000 steps, and more for fewer steps."""
    beta = np.linspace(0.1 / n, 20.0 / n, n)
    alpha2 = np.cumprod(1 - beta)
    close(ddpm_linear(n), np.log(1 / alpha2 - 1), rtol=1e-9, atol=1e-9)


def test_the_cosine_table_of_ddpm_is_capped():
    def signal(t):
        return math.cos((t + 0.1) / 1.1 * math.pi / 2) ** 2

    beta = [min(1 - signal((i + 1) / 8) / signal(i / 8), 0.999) for i in range(8)]
    assert beta[-1] == 0.999
    alpha2 = np.cumprod(1 - np.array(beta))
    close(ddpm_cosine(8, offset=0.1), np.log(1 / alpha2 - 1), rtol=1e-9, atol=1e-9)
    assert len(ddpm_cosine()) == len(ddpm_linear()) == 1000
    close(ddpm_cosine(), ddpm_cosine(1000, offset=0.008))
