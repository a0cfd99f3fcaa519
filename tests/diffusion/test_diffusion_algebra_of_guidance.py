"""Guidance in systems that are small enough to solve by hand, and its conjugate gradients."""

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


def draws(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def krylov_best(matrix, right, n):
    """What conjugate gradients return: of their n iterates the one of the smallest residual."""
    iterates = [torch.zeros_like(right)]
    basis = [right]
    for _ in range(n):
        space = torch.stack(basis, 1)
        weights = torch.linalg.solve(space.T @ matrix @ space, space.T @ right)
        iterates.append(space @ weights)
        basis.append(matrix @ basis[-1])
    return min(iterates, key=lambda y: float((right - matrix @ y).norm()))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_conjugate_gradients_are_the_best_of_their_krylov_spaces(n):
    root, right = draws(2, 5, 5, seed=2), draws(2, 5, seed=3)
    matrices = root @ root.transpose(1, 2) + 0.1 * torch.eye(5).double()
    solution, fell = conjugate_gradients(
        lambda y: torch.einsum("bij,bj->bi", matrices, y), right, n
    )
    for i in range(2):
        expected = krylov_best(matrices[i], right[i], n)
        torch.testing.assert_close(solution[i], expected, rtol=1e-6, atol=1e-8)
    assert fell.tolist() == [bool(row.any()) for row in solution]


def test_conjugate_gradients_go_on_until_rounding():
    root, right = draws(1, 6, 6, seed=2), draws(1, 6, seed=3)
    matrix = torch.eye(6).double() + 0.1 * root[0] @ root[0].T
    solution, _ = conjugate_gradients(lambda y: y @ matrix, right, 6)
    assert float((right - solution @ matrix).norm() / right.norm()) < 1e-13


def test_no_more_iterations_than_unknowns():
    calls = []

    def system(y):
        calls.append(1)
        return 2.0 * y

    solution, fell = conjugate_gradients(system, torch.ones(1, 2), 9)
    assert len(calls) == 2
    assert solution.tolist() == [[0.5, 0.5]]
    assert fell.tolist() == [True]


def test_a_row_of_zeros_is_solved_by_zeros():
    solution, fell = conjugate_gradients(lambda y: y, torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 2)
    assert solution.tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert fell.all()


@pytest.mark.parametrize(("slope", "guided_fully"), [(3.0, True), (-3.0, False)])
def test_the_covariance_of_a_denoiser_is_its_slope(slope, guided_fully):
    """One observed pixel: x + S/(S + s^2) (y - x) with S = sigma^2/alpha dx/dz, or sigma^2."""

    def denoise(z, gamma):
        return Prediction.of_data(slope * z, z, gamma)

    z, gamma = draws(1, 1, 1, 2), torch.tensor([0.4]).double()
    mask = torch.tensor([[[[1.0, 0.0]]]])
    observed = torch.tensor([[5.0, 0.0]]).double()
    guided = reconstruction_guided(denoise, observed_pixels(mask), observed, noise_std=0.5)
    alpha, sigma = (float(a) for a in alpha_sigma(gamma))
    covariance = sigma**2 / alpha * slope if guided_fully else sigma**2
    read, x = guided(z, gamma), slope * z
    expected = x.clone()
    expected[..., 0] += covariance / (covariance + 0.25) * (5.0 - x[..., 0])
    torch.testing.assert_close(read.x, expected)
    torch.testing.assert_close(read.eps, (z - alpha * expected) / sigma)
    assert not read.x.requires_grad


@pytest.mark.parametrize(("times", "believed"), [(0.5, True), (9.8, True), (10.2, False)])
def test_a_correction_of_more_than_ten_times_the_plain_one_is_not_believed(times, believed):
    """The plain one is 1/21 of what the observation misses."""
    gamma = torch.tensor([0.4]).double()
    alpha, sigma = (float(a) for a in alpha_sigma(gamma))
    noise, plain = math.sqrt(20.0) * sigma, 1 / 21
    covariance = noise**2 * times * plain / (1 - times * plain)

    def denoise(z, gamma):
        return Prediction.of_data(covariance * alpha / sigma**2 * z, z, gamma)

    z, mask = torch.zeros(1, 1, 1, 1).double(), torch.ones(1, 1, 1, 1)
    observed = torch.ones(1, 1).double()
    guided = reconstruction_guided(denoise, observed_pixels(mask), observed, noise_std=noise)
    assert float(guided(z, gamma).x) == pytest.approx(plain * (times if believed else 1.0))


@pytest.mark.parametrize(("times", "believed"), [(1.95, True), (2.05, False)])
def test_a_field_of_more_than_twice_what_is_known_is_not_believed(times, believed):
    """A pixel that is not known would be led to ``times`` the value of the one that is."""
    gamma, noise = torch.tensor([0.4]).double(), 0.5
    alpha, sigma = (float(a) for a in alpha_sigma(gamma))
    variance, observed = 0.3, 2.0
    other = times * (variance + noise**2)
    matrix = torch.tensor([[variance, other], [other, 9.0]]).double() * alpha / sigma**2

    def denoise(z, gamma):
        return Prediction.of_data((z.flatten(1) @ matrix).reshape(z.shape), z, gamma)

    z, mask = torch.zeros(1, 1, 1, 2).double(), torch.tensor([[[[1.0, 0.0]]]])
    known = torch.tensor([[observed, 0.0]]).double()
    read = reconstruction_guided(denoise, observed_pixels(mask), known, noise_std=noise)(z, gamma)
    plain = [sigma**2 / (sigma**2 + noise**2), 0.0]
    sound = [variance / (variance + noise**2), times]
    expected = observed * torch.tensor(sound if believed else plain).double()
    torch.testing.assert_close(read.x.flatten(), expected)


def test_eight_iterations_are_the_default():
    root = draws(12, 12, seed=5)
    matrix = root @ root.T / 12 + 0.5 * torch.eye(12).double()

    def denoise(z, gamma):
        return Prediction.of_data((z.flatten(1) @ matrix).reshape(z.shape), z, gamma)

    z, gamma, observed = draws(1, 1, 3, 4), torch.zeros(1).double(), draws(1, 12, seed=6)

    def guided(**options):
        measure = observed_pixels(torch.ones(1, 1, 3, 4))
        return reconstruction_guided(denoise, measure, observed, noise_std=0.05, **options)(
            z, gamma
        ).x

    assert torch.equal(guided(), guided(n_iterations=8))
    assert not torch.equal(guided(), guided(n_iterations=9))


def test_measurements_are_masks_and_sums():
    x = draws(2, 1, 2, 2)
    mask = torch.tensor([[[[1, 0], [0, 1]]]])
    assert observed_pixels(mask)(x)[1].tolist() == [x[1, 0, 0, 0], 0.0, 0.0, x[1, 0, 1, 1]]
    weights = draws(3, 1, 2, 2, seed=4)
    expected = [[float((w * field).sum()) for w in weights] for field in x]
    torch.testing.assert_close(weighted_sums(weights)(x), torch.tensor(expected).double())


def test_guidance_reaches_both_ends_of_its_interval():
    def constant(value):
        return lambda z, gamma: Prediction(torch.full_like(z, value), torch.full_like(z, -value))

    guided = classifier_free(constant(3.0), constant(1.0), 2.0, interval=(-1.0, 1.0))
    levels = torch.tensor([-1.01, -1.0, 1.0, 1.01])
    read = guided(torch.zeros(4, 1), levels)
    assert read.x[:, 0].tolist() == [3.0, 5.0, 5.0, 3.0]
    assert read.eps[:, 0].tolist() == [-3.0, -5.0, -5.0, -3.0]
    everywhere = classifier_free(constant(3.0), constant(1.0), 2.0)
    assert everywhere(torch.zeros(2, 1), torch.tensor([-99.0, 99.0])).x.tolist() == [[5.0], [5.0]]
