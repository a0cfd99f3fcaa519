"""Consistency models, against the paths of Gaussian data, which are known in closed form."""

import pytest
import torch
from gaussians import MEAN, TAU2, gaussian_denoiser, gaussian_draws, mean_and_error

from emulator.diffusion.consistency import (
    Ladder,
    Renoise,
    consistency_loss,
    flow_step,
)
from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.process import alpha_sigma, amplitudes, diffuse, expand
from emulator.diffusion.solvers import NonFiniteError, gamma_grid, solve
from emulator.diffusion.solvers.base import Past
from emulator.diffusion.solvers.single_step import DDIM

GAMMA_MAX, GAMMA_END = 13.0, -6.0
EQUAL = torch.ones(2)


def spread(gamma):
    """Standard deviation of noised data."""
    alpha, sigma = alpha_sigma(gamma)
    return torch.sqrt(alpha**2 * TAU2 + sigma**2)


def carried(z, gamma, gamma_next):
    """Where the ODE leads: standardised values stay as they are."""
    here, there = (expand(torch.as_tensor(g).to(z), z) for g in (gamma, gamma_next))
    unit = (z - alpha_sigma(here)[0] * MEAN) / spread(here)
    return alpha_sigma(there)[0] * MEAN + spread(there) * unit


def exact(z, gamma):
    """The consistency function: the denoised end of the path."""
    end = torch.full_like(gamma, GAMMA_END)
    return Prediction.of_data(gaussian_denoiser(carried(z, gamma, end), end).x, z, gamma)


def loss_of(student, ladder, *, batch=64, **options):
    x, eps, _ = gaussian_draws(batch)
    level = torch.arange(batch) % ladder.levels
    options = {"channel_weights": EQUAL, **options}
    return consistency_loss(student, gaussian_denoiser, x, eps, level, ladder=ladder, **options)


# -------------------------------------------------------------------------------------- steps


def test_a_step_is_of_second_order():
    """Halving the steps leaves a quarter of the error; rows have levels of their own."""
    x, eps, _ = gaussian_draws(8)
    first = torch.linspace(9.0, 3.0, 8).double()
    start = diffuse(x, eps, first)
    errors = []
    for n_steps in (16, 32, 64):
        z, gamma = start, first
        for _ in range(n_steps):
            step = 6.0 / n_steps
            z, _ = flow_step(gaussian_denoiser, z, gamma, gamma - step)
            gamma = gamma - step
        errors.append(float((z - carried(start, first, first - 6.0)).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.1)
    assert errors[2] < 2e-3


def test_a_step_is_ddim_where_the_data_are_known():
    """Of an estimate that is the same everywhere nothing is corrected, and its weight is exact."""
    x, eps, _ = gaussian_draws(5)
    z, truth = diffuse(x, eps, torch.full((5,), 2.0).double()), x

    def knowing(z, gamma):
        return Prediction.of_data(truth, z, gamma)

    def evaluate(z, gamma):
        return knowing(z, torch.full((5,), gamma).double())

    ends = (torch.full((5,), gamma).double() for gamma in (2.0, -1.0))
    found, read = flow_step(knowing, z, *ends)
    torch.testing.assert_close(found, DDIM().step(z, 2.0, -1.0, evaluate, Past(), torch.Tensor))
    torch.testing.assert_close(read, truth)


def test_a_step_is_exact_where_the_data_move_linearly_in_log_snr():
    """The end of the path by quadrature of the data over it."""
    z = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    gamma, gamma_next = torch.full((3,), 4.0).double(), torch.full((3,), -2.0).double()

    def moving(z, gamma):
        return Prediction.of_data(torch.ones_like(z) * expand(0.7 - 0.3 * gamma, z), z, gamma)

    levels = torch.linspace(4.0, -2.0, 20001, dtype=torch.float64)
    ratio = torch.exp(-0.5 * levels)  # alpha / sigma
    gained = torch.trapezoid(0.7 - 0.3 * levels, ratio)
    (_, sigma), (_, sigma_next) = alpha_sigma(levels[0]), alpha_sigma(levels[-1])
    expected = sigma_next * (z / sigma + gained)
    found, _ = flow_step(moving, z, gamma, gamma_next)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


# --------------------------------------------------------------------------------------- loss


def test_the_ends_of_paths_lose_nothing_but_the_error_of_the_steps():
    """It falls as the steps do, and the teacher itself, whose answers move, loses much more."""
    losses = [float(loss_of(exact, Ladder(GAMMA_MAX, GAMMA_END, n)).max()) for n in (16, 64)]
    assert losses[1] < losses[0] / 100
    assert losses[1] < 1e-4
    teacher = loss_of(gaussian_denoiser, Ladder(GAMMA_MAX, GAMMA_END, 64))
    assert float(teacher.max()) > 100 * losses[1]


def test_more_steps_of_the_teacher_make_the_same_levels_exact():
    coarse, fine = (loss_of(exact, Ladder(GAMMA_MAX, GAMMA_END, 8, n)) for n in (1, 16))
    assert float(fine.max()) < float(coarse.max()) / 900


@pytest.mark.parametrize("direction", ["shift", "scale"])
def test_its_gradient_vanishes_at_the_ends_of_paths(direction):
    """Beside that of students a little to either side of it, and is theirs by its sign."""
    ladder = Ladder(GAMMA_MAX, GAMMA_END, 8, 32)

    def gradient(size):
        theta = torch.tensor(size, dtype=torch.float64, requires_grad=True)

        def student(z, gamma):
            # the further from the end the more: a student that is wrong alike is consistent
            wrong = expand((gamma - GAMMA_END) / (GAMMA_MAX - GAMMA_END), z) * theta
            x = exact(z, gamma).x
            return Prediction.of_data(x + wrong * (1.0 if direction == "shift" else x), z, gamma)

        loss = loss_of(student, ladder).mean()
        loss.backward()
        return float(theta.grad)

    below, at, above = (gradient(size) for size in (-0.1, 0.0, 0.1))
    assert below < 0 < above
    assert abs(at) < 0.15 * min(-below, above)


def test_the_lowest_level_learns_from_the_teacher_and_the_others_from_themselves():
    ladder = Ladder(GAMMA_MAX, GAMMA_END, 4, 64)
    x, eps, _ = gaussian_draws(4)

    def shifted(z, gamma):
        return Prediction.of_data(exact(z, gamma).x + 0.5, z, gamma)

    losses = consistency_loss(
        shifted, gaussian_denoiser, x, eps, torch.arange(4), ladder=ladder, channel_weights=EQUAL
    )
    assert losses[:3].max() < 1e-5  # it agrees with itself
    _, sigma = amplitudes(ladder.nodes()[3 * 64])
    assert float(losses[3]) == pytest.approx((0.5 / sigma) ** 2, rel=0.01)


def test_no_gradient_reaches_the_target():
    """By hand: the derivative of the squared error in v with the target held."""
    ladder = Ladder(GAMMA_MAX, GAMMA_END, 4)
    theta = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def student(z, gamma):
        return Prediction.of_data(theta * torch.tanh(z), z, gamma)

    loss_of(student, ladder, batch=3).sum().backward()
    x, eps, _ = gaussian_draws(3)
    nodes = torch.tensor(ladder.nodes()).double()
    z = diffuse(x, eps, nodes[:3])
    z_next, _ = flow_step(gaussian_denoiser, z, nodes[:3], nodes[1:4])
    held = (0.3 * torch.tanh(z_next)).detach()
    error = 0.3 * torch.tanh(z) - held
    slope = 2 * (error * torch.tanh(z)).mean((1, 2, 3)) / torch.sigmoid(nodes[:3])
    assert float(theta.grad) == pytest.approx(float(slope.sum()))


def test_channels_and_pixels_weigh_as_they_are_told():
    """Brute force, for a student that is wrong by a constant at the lowest level."""
    ladder = Ladder(GAMMA_MAX, GAMMA_END, 4, 64)
    x, eps, _ = gaussian_draws(3)
    wrong = torch.tensor([0.2, 0.6]).double()[:, None, None]
    pixels = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)).double()

    def student(z, gamma):
        return Prediction.of_data(exact(z, gamma).x + wrong, z, gamma)

    found = consistency_loss(
        student, gaussian_denoiser, x, eps, torch.full((3,), 3), ladder=ladder,
        channel_weights=torch.tensor([1.0, 3.0]), pixel_weights=pixels,
    )  # fmt: skip
    mean = (pixels.mean((2, 3)) * wrong[:, 0, 0] ** 2 * torch.tensor([0.5, 1.5])).mean(1)
    _, sigma = amplitudes(ladder.nodes()[3 * 64])
    torch.testing.assert_close(found, mean / sigma**2, rtol=0.01, atol=0.0)


# ------------------------------------------------------------------------------------- ladder


def test_levels_are_every_few_nodes_and_the_visited_ones_begin_at_the_noise():
    ladder = Ladder(GAMMA_MAX, GAMMA_END, 18, 3)
    levels = gamma_grid(GAMMA_MAX, GAMMA_END, 19)
    assert ladder.nodes()[::3] == pytest.approx(levels)
    assert ladder.visited(1) == [GAMMA_MAX]
    assert ladder.visited(2) == pytest.approx([levels[0], levels[9]])
    assert ladder.visited(4) == pytest.approx([levels[i] for i in (0, 4, 9, 13)])
    assert ladder.visited(18) == pytest.approx(levels[:-1])
    for number in (0, 19):
        with pytest.raises(ValueError, match="1 to 18"):
            ladder.visited(number)


# ----------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize("evaluations", [1, 2, 4])
def test_members_have_mean_and_variance_of_the_data(evaluations):
    """Of the paths' ends: data under the noise of the last level, denoised."""
    ladder = Ladder(GAMMA_MAX, GAMMA_END, 18)
    generator, shape = torch.Generator().manual_seed(evaluations), (4000, 2, 3, 3)

    def noise():
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    drawn = solve(Renoise(), exact, noise(), ladder.visited(evaluations), noise)
    gain = TAU2 / spread(torch.tensor(GAMMA_END).double()) * alpha_sigma(torch.tensor(-6.0))[0]
    for channel in range(2):
        values = (drawn - MEAN)[:, channel] / gain[0, channel]
        mean, error = mean_and_error(values.flatten())
        assert mean == pytest.approx(0.0, abs=error + 1e-3)
        square, error = mean_and_error(values.flatten() ** 2)
        assert square == pytest.approx(1.0, abs=error + 5e-3)


@pytest.mark.parametrize("evaluations", [1, 2, 4])
def test_members_have_the_covariance_of_correlated_data(evaluations):
    """Two pixels that are not independent: the ODE acts on each of their normal modes."""
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]]).double()
    variances = torch.tensor([0.1, 1.9]).double()
    covariance = turn @ torch.diag(variances) @ turn.T

    def ends(z, gamma):
        alpha, sigma = (a[:, None] for a in alpha_sigma(gamma))
        modes = z.flatten(1) @ turn / torch.sqrt(alpha**2 * variances + sigma**2)
        x = (modes * variances.sqrt()) @ turn.T  # the path's end, at no noise
        return Prediction.of_data(x.reshape(z.shape), z, gamma)

    generator, n_rows = torch.Generator().manual_seed(evaluations), 200_000

    def noise():
        return torch.randn(n_rows, 1, 2, generator=generator, dtype=torch.float64)

    ladder = Ladder(GAMMA_MAX, GAMMA_END, 8)
    drawn = solve(Renoise(), ends, noise(), ladder.visited(evaluations), noise)
    torch.testing.assert_close(torch.cov(drawn[:, 0].T), covariance, rtol=0, atol=0.02)


def test_noise_of_the_next_level_is_put_upon_the_end_of_the_path():
    """By hand, with what was drawn."""
    kicks = torch.randn(3, 2, 2, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    left, asked = iter(kicks), []

    def network(z, gamma):
        asked.append((z, float(gamma[0])))
        return Prediction.of_data(torch.sin(z), z, gamma)

    found = solve(Renoise(), network, next(left), [13.0, 1.0, -2.0], lambda: next(left))
    x = torch.sin(kicks[0])
    for gamma, kick in zip((1.0, -2.0), kicks[1:], strict=True):
        alpha, sigma = alpha_sigma(torch.tensor(gamma).double())
        x = torch.sin(alpha * x + sigma * kick)
    torch.testing.assert_close(found, x)
    assert [gamma for _, gamma in asked] == [13.0, 1.0, -2.0]


def test_an_answer_that_is_not_finite_is_named():
    def breaks(z, gamma):
        x = torch.zeros_like(z)
        x[1] = torch.nan if gamma[1] < 5 else 0.0
        return Prediction.of_data(x, z, gamma)

    with pytest.raises(NonFiniteError, match="evaluation 1, gamma = 1") as error:
        solve(Renoise(), breaks, torch.zeros(2, 2), [13.0, 1.0], lambda: torch.zeros(2, 2))
    assert error.value.rows == [1]
