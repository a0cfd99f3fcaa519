"""The loss, the bound and the likelihood of single draws, worked out term by term."""

import math

import pytest
import torch

from emulator.diffusion.bound import Bound, end_terms, variational_bound
from emulator.diffusion.likelihood import log_likelihood
from emulator.diffusion.loss import training_loss
from emulator.diffusion.parameterization import Parameterization, Prediction
from emulator.diffusion.process import alpha_sigma, amplitudes
from emulator.diffusion.schedule import FixedLinear, LearnedLinear, LearnedMonotone
from emulator.diffusion.weighting import Weight

T = torch.tensor([0.1, 0.5, 0.8]).double()
SCHEDULE = FixedLinear(-4.0, 6.0)


def draws(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 2, 4, generator=generator, dtype=torch.float64)


def network(z, gamma):
    return torch.sin(z) + gamma[:, None, None]


def loss(schedule=SCHEDULE, weight="bound", weights=(1.0, 1.0), **options):
    x, eps = draws()
    return training_loss(
        network, x, eps, T, schedule=schedule, parameterization=Parameterization("v"),
        weight=Weight(weight), channel_weights=torch.tensor(weights).double(), **options,
    )  # fmt: skip


def channel_errors(gamma):
    """Mean squared error of the output, ``(batch, channel)``, of a network that predicts v."""
    x, eps = draws()
    alpha, sigma = (a[:, None, None] for a in alpha_sigma(gamma))
    error = network(alpha * x + sigma * eps, gamma) - (alpha * eps - sigma * x)
    return (error**2).mean(2)


def eps_cost(gamma):
    """A unit error of v is an error of alpha of eps; the bound costs half the slope, here 10."""
    return 5.0 * torch.sigmoid(-gamma)


def test_the_loss_is_a_weighted_mean_over_channels():
    gamma = -4 + 10 * T
    errors = channel_errors(gamma)
    cost = eps_cost(gamma)
    torch.testing.assert_close(loss(), cost * errors.mean(1))
    torch.testing.assert_close(loss(weight="plain"), errors.mean(1))
    # weights 1 and 3 are normalised to a mean of one
    expected = (0.5 * errors[:, 0] + 1.5 * errors[:, 1]) / 2
    torch.testing.assert_close(loss(weights=(1.0, 3.0)), cost * expected)


def test_a_missing_channel_leaves_the_mean_over_the_others():
    mask = torch.tensor([[1, 1], [0, 1], [1, 0]])
    errors = channel_errors(-4 + 10 * T)
    left = torch.stack([errors[0].mean(), errors[1, 1], errors[2, 0]])
    torch.testing.assert_close(loss(weight="plain", channel_mask=mask), left)
    weighted = loss(weight="plain", weights=(1.0, 3.0), channel_mask=mask)
    shares = torch.stack(
        [(errors[0] * torch.tensor([0.5, 1.5])).mean(), 1.5 * left[1], 0.5 * left[2]]
    )
    torch.testing.assert_close(weighted, shares)


def test_one_sample_without_channels_is_an_error():
    with pytest.raises(ValueError, match="without any channel"):
        loss(channel_mask=torch.tensor([[1, 1], [0, 0], [1, 1]]))


def test_learned_ends_add_their_terms_of_the_bound_per_value():
    x, _ = draws()
    schedule = LearnedLinear(-4.0, 6.0)
    terms = sum(end_terms(x, torch.tensor(-4.0).double(), torch.tensor(6.0).double(), 0.2))
    found = loss(schedule, data_noise=0.2).detach()
    torch.testing.assert_close(found, loss() + terms / 8, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="needs data_noise"):
        loss(schedule)


def test_the_shape_learns_the_square_of_each_samples_loss():
    """Gradients of the interior are those of mean(L^2), through the gammas alone."""
    torch.manual_seed(0)
    shape = LearnedMonotone(-4.0, 6.0, width=3).double()
    loss(shape).sum().backward()
    hooked = [p.grad.clone() for p in (shape.raw_linear, shape.raw_height, shape.raw_rate)]
    other = LearnedMonotone(-4.0, 6.0, width=3).double()
    levels = other.levels(T)
    value = 0.5 * levels.slope * torch.sigmoid(-levels.gamma) * channel_errors(levels.gamma).mean(1)
    (value**2).sum().backward()
    squares = [p.grad for p in (other.raw_linear, other.raw_height, other.raw_rate)]
    torch.testing.assert_close(hooked, squares, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("noise", [0.3, [0.3, 0.7]])
def test_end_terms_are_a_divergence_and_an_expected_log_density(noise):
    x, _ = draws()
    low, high = torch.tensor(-4.0).double(), torch.tensor(2.0).double()
    prior, reconstruction = end_terms(x, low, high, torch.tensor(noise))
    normal = torch.distributions.Normal
    alpha, sigma = amplitudes(2.0)
    divergence = torch.distributions.kl_divergence(
        normal(alpha * x, sigma), normal(torch.zeros_like(x), 1.0)
    )
    torch.testing.assert_close(prior, divergence.sum((1, 2)))
    s = torch.tensor(noise).double().expand(2)
    # E[-log N(e; 0, s^2)] for e of variance exp(gamma_0), over four pixels of two channels
    nats = 4 * (torch.log(s) + 0.5 * math.log(2 * math.pi) + 0.5 * math.exp(-4) / s**2).sum()
    torch.testing.assert_close(reconstruction, nats.expand(3), rtol=1e-6, atol=1e-9)


COUNTED = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(9)) < 0.6
COUNTED[1, 0] = False  # a sample may have no value of a channel


def test_pixels_are_weighted_within_their_channel():
    gamma, (x, eps) = -4 + 10 * T, draws()
    weights = COUNTED * torch.tensor([2.5, 1.0]).double()[:, None]
    alpha, sigma = (a[:, None, None] for a in alpha_sigma(gamma))
    error = network(alpha * x + sigma * eps, gamma) - (alpha * eps - sigma * x)
    expected = (weights * error**2).mean(2) @ torch.tensor([0.5, 1.5]).double() / 2
    found = loss(weight="plain", weights=(1.0, 3.0), pixel_weights=weights)
    torch.testing.assert_close(found, expected)
    assert torch.equal(loss(pixel_weights=torch.ones_like(x)), loss())


def test_terms_of_the_bound_are_those_of_the_values_that_count():
    """Of independent values, each with a term of its own; the others do not matter."""
    x, eps = draws()
    options = {"schedule": SCHEDULE, "data_noise": torch.tensor([0.3, 0.7])}
    found = variational_bound(guess, x, eps, T, counted=COUNTED, **options)
    other = variational_bound(
        guess, torch.where(COUNTED, x, 9.0), torch.where(COUNTED, eps, -5.0), T,
        counted=COUNTED, **options,
    )  # fmt: skip
    for name in ("diffusion", "prior", "reconstruction"):
        terms = torch.zeros(3).double()
        for channel in (0, 1):
            for pixel in range(4):
                alone = x[:, channel, pixel], eps[:, channel, pixel]
                single = variational_bound(
                    guess, *(part[:, None, None] for part in alone), T,
                    schedule=SCHEDULE, data_noise=float(options["data_noise"][channel]),
                )  # fmt: skip
                terms += getattr(single, name) * COUNTED[:, channel, pixel]
        torch.testing.assert_close(getattr(found, name), terms)
        torch.testing.assert_close(getattr(other, name), terms)
    learned = LearnedLinear(-4.0, 6.0).double()
    ends = end_terms(x, *learned.ends(), 0.3, COUNTED)
    weights = COUNTED.double()
    difference = loss(learned, pixel_weights=weights, data_noise=0.3) - loss(pixel_weights=weights)
    torch.testing.assert_close(difference, sum(ends) / 8, rtol=1e-5, atol=1e-6)


def guess(z, gamma):
    return Prediction(torch.cos(z), torch.sin(z))


@pytest.mark.parametrize("n_steps", [None, 1, 4])
def test_the_bound_is_its_formula_at_the_noise_levels_it_visits(n_steps):
    x, eps = draws()
    found = variational_bound(guess, x, eps, T, schedule=SCHEDULE, data_noise=0.3, n_steps=n_steps)
    for i, t in enumerate(T.tolist()):
        if n_steps is None:
            upper, cost = t, 0.5 * 10
        else:  # the upper end of the step that holds t
            upper = (int(t * n_steps) + 1) / n_steps
            cost = 0.5 * n_steps * (math.exp(10 / n_steps) - 1)
        alpha, sigma = amplitudes(-4 + 10 * upper)
        missed = eps[i] - torch.sin(alpha * x[i] + sigma * eps[i])
        assert float(found.diffusion[i]) == pytest.approx(cost * float((missed**2).sum()))
    prior, reconstruction = end_terms(x, *SCHEDULE.ends(), 0.3)
    torch.testing.assert_close(found.prior, prior)
    torch.testing.assert_close(found.reconstruction, reconstruction)
    assert found.dimension == 8


def test_a_bound_adds_up_and_is_told_in_bits():
    one, two, four = (torch.tensor([value]) for value in (1.0, 2.0, 4.0))
    bound = Bound(one, two, four, dimension=2)
    assert float(bound.total) == 7.0
    assert float(bound.bits_per_dimension) == pytest.approx(7 / 2 / math.log(2))


def flow_of(matrix, n_steps, low, high, x):
    """Runge-Kutta of a linear flow z' = r(gamma) A z, with what it does to the probes."""

    def rate(gamma):
        alpha, _ = amplitudes(gamma)
        return 0.5 * (alpha * torch.eye(2).double() - matrix(gamma)) * alpha

    z, logs, step = amplitudes(low)[0] * x, 0.0, (high - low) / n_steps
    for i in range(n_steps):
        start, middle, end = (low + (i + part) * step for part in (0.0, 0.5, 1.0))
        first = z @ rate(start).T
        second = (z + step / 2 * first) @ rate(middle).T
        third = (z + step / 2 * second) @ rate(middle).T
        fourth = (z + step * third) @ rate(end).T
        z = z + step * (first + 2 * second + 2 * third + fourth) / 6
        logs = logs + step * (rate(start) + 4 * rate(middle) + rate(end)) / 6
    return z, logs


def mixing(gamma):
    """Estimate of the data x = M z: not diagonal, and another one at every level."""
    return torch.tensor([[0.5, 0.3], [0.2, 0.4 + 0.02 * gamma]], dtype=torch.float64)


def linear_denoiser(z, gamma):
    x = (z.flatten(1) @ mixing(float(gamma[0])).T).reshape(z.shape)
    return Prediction.of_data(x, z, gamma)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_the_log_likelihood_is_a_runge_kutta_integral_with_probes(n_steps):
    x = torch.tensor([[[0.3], [-1.0]], [[2.0], [0.7]]]).double()
    options = {"gamma_min": -3.0, "gamma_max": 4.0, "n_steps": n_steps, "n_probes": 3}
    found = log_likelihood(
        linear_denoiser, x, **options, generator=torch.Generator().manual_seed(5)
    )
    signs = torch.randint(0, 2, (3, *x.shape), generator=torch.Generator().manual_seed(5))
    probes = (2 * signs - 1).double().flatten(2)
    z, flow = flow_of(mixing, n_steps, -3.0, 4.0, x.flatten(1))
    # log p(x) = log N(z_1; 0, I) + the trace along the flow + log of alpha_0 for each value
    density = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    traces = torch.einsum("pbi,ij,pbj->pb", probes, flow, probes)
    nats = density + traces + 2 * math.log(amplitudes(-3.0)[0])
    torch.testing.assert_close(found.nats, nats.mean(0), rtol=1e-8, atol=1e-8)
    error = nats.std(0) / math.sqrt(3)
    torch.testing.assert_close(found.standard_error, error, rtol=1e-6, atol=1e-8)
    assert (error > 0).any()


def test_eight_probes_and_sixty_four_steps_are_the_default():
    x, ends = torch.ones(1, 2, 1).double(), {"gamma_min": -3.0, "gamma_max": 4.0}

    def found(**options):
        return log_likelihood(
            linear_denoiser, x, **ends, **options, generator=torch.Generator().manual_seed(0)
        )

    for default, said in zip(found(), found(n_steps=64, n_probes=8), strict=True):
        assert torch.equal(default, said)


def test_probes_are_signs_and_two_of_them_are_enough():
    found = log_likelihood(
        linear_denoiser, torch.ones(1, 2, 1).double(), gamma_min=-1.0, gamma_max=1.0,
        n_steps=1, n_probes=2,
    )  # fmt: skip
    assert torch.isfinite(found.standard_error).all()


def test_white_data_are_as_likely_as_noise_of_their_own_variance():
    """For N(0, 1) nothing flows: log N(x; 0, 1/alpha^2), whatever the number of steps."""

    def white(z, gamma):
        alpha, sigma = alpha_sigma(gamma[:, None, None])
        return Prediction(alpha * z, sigma * z)

    x, _ = draws()
    found = log_likelihood(white, x, gamma_min=-2.0, gamma_max=3.0, n_steps=1, n_probes=2)
    deviation = math.sqrt(1 + math.exp(-2.0))
    exact = torch.distributions.Normal(0.0, deviation).log_prob(x).sum((1, 2))
    torch.testing.assert_close(found.nats, exact, rtol=1e-6, atol=1e-6)
