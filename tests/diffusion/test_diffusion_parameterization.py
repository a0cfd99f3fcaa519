"""Predictions and paths: all convertible, and each what its paper says."""

import pytest
import torch
from gaussians import gaussian_draws, network_of

from emulator.diffusion.parameterization import Parameterization, Prediction
from emulator.diffusion.path import Path
from emulator.diffusion.process import alpha_sigma, diffuse

KINDS = [Parameterization(k) for k in ("eps", "x", "v", "velocity", "edm")]
KINDS.append(Parameterization("edm", sigma_data=0.5))
PATHS = [Path(name) for name in ("variance_preserving", "variance_exploding", "linear")]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("gamma", [-15.0, -1.0, 0.0, 3.0, 15.0])
def test_perfect_output_is_read_back_as_data_and_noise(kind, gamma):
    x, eps, _ = gaussian_draws(3)
    g = torch.full((3,), gamma).double()
    read = kind.interpret(kind.target(x, eps, g), diffuse(x, eps, g), g)
    torch.testing.assert_close(read.x, x, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(read.eps, eps, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_determinant_is_that_of_the_row(kind):
    gamma = torch.linspace(-15.0, 15.0, 31).double()
    alpha, sigma = alpha_sigma(gamma)
    p, q, determinant = kind.row(alpha, sigma)
    torch.testing.assert_close(determinant, sigma * p - alpha * q, rtol=1e-14, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_v_is_read_without_rounding(dtype):
    """As a rotation turns back: the coefficients are the amplitudes, bit by bit."""
    gamma = torch.linspace(-15.0, 15.0, 31, dtype=dtype)
    alpha, sigma = alpha_sigma(gamma)
    for found, expected in zip(
        Parameterization("v").reading(gamma), (alpha, -sigma, sigma, alpha), strict=True
    ):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("gamma", [-15.0, 15.0])
def test_single_precision_is_enough_where_it_can_be(kind, gamma):
    """At gamma +-15 in float32; only dividing by alpha (eps) or sigma (x) amplifies rounding."""
    x, eps, _ = gaussian_draws(3)
    g = torch.full((3,), gamma).double()
    output, z = kind.target(x, eps, g).float(), diffuse(x, eps, g).float()
    read = kind.interpret(output, z, g.float())
    amplified = float(alpha_sigma(torch.tensor(-15.0).double())[1]) ** -1
    for face, truth, risky in (
        (read.x, x, kind.kind == "eps" and gamma > 0),
        (read.eps, eps, kind.kind == "x" and gamma < 0),
    ):
        tolerance = 1e-6 * (amplified if risky else 1.0)
        torch.testing.assert_close(face.double(), truth, rtol=0, atol=5 * tolerance)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_output_error_is_an_eps_error_of_the_stated_size(kind):
    x, eps, _ = gaussian_draws(3)
    g = torch.tensor([-2.0, 0.0, 5.0]).double()
    z, output = diffuse(x, eps, g), kind.target(x, eps, g)
    error = kind.interpret(output + 0.1, z, g).eps - eps
    scale = kind.eps_error_scale(g)[:, None, None, None]
    torch.testing.assert_close(error.abs(), (0.1 * scale).expand_as(error))


def test_edm_at_unit_variance_is_minus_v():
    x, eps, _ = gaussian_draws(3)
    g = torch.tensor([-3.0, 0.0, 4.0]).double()
    torch.testing.assert_close(
        Parameterization("edm").target(x, eps, g), -Parameterization("v").target(x, eps, g)
    )


def test_edm_is_the_preconditioning_of_its_paper():
    """D(y; s) = c_skip y + c_out F(c_in y) in the variance-exploding y = x + s eps, table 1."""
    s_data, kind = 0.5, Parameterization("edm", sigma_data=0.5)
    y = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    s = torch.tensor([0.01, 0.6, 40.0]).double()[:, None, None, None]
    gamma = 2 * torch.log(s).flatten()
    total = s**2 + s_data**2
    c_skip, c_out, c_in = s_data**2 / total, s * s_data / total.sqrt(), 1 / total.sqrt()

    def network(scaled, gamma):
        return torch.tanh(scaled)

    expected = c_skip * y + c_out * network(c_in * y, gamma)
    alpha, _ = alpha_sigma(gamma[:, None, None, None])
    z = alpha * y
    output = kind.precondition(network, Path())(z, gamma)
    torch.testing.assert_close(kind.interpret(output, z, gamma).x, expected)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_paths_are_their_processes(path):
    """A x + s eps in the coordinates of the literature, and rates that are derivatives."""
    gamma = torch.tensor([-6.0, 0.0, 7.0]).double()
    x, eps, _ = gaussian_draws(3)
    alpha, sigma = alpha_sigma(gamma[:, None, None, None])
    tau = sigma / (alpha + sigma)
    expected = {
        "variance_preserving": alpha * x + sigma * eps,
        "variance_exploding": x + torch.exp(0.5 * gamma)[:, None, None, None] * eps,
        "linear": (1 - tau) * x + tau * eps,
    }[path.name]
    scaled = path.scale(gamma)[:, None, None, None] * diffuse(x, eps, gamma)
    torch.testing.assert_close(scaled, expected)
    step = 1e-5
    for level in gamma.tolist():
        low, here, high = (path.moment(level + d) for d in (-step, 0.0, step))

        def amplitudes(moment, g):
            a, s = alpha_sigma(torch.tensor(g, dtype=torch.float64))
            return float(a) * moment.scale, float(s) * moment.scale

        (a0, s0), (a1, s1) = amplitudes(low, level - step), amplitudes(high, level + step)
        clock = high.time - low.time
        assert here.signal_rate == pytest.approx((a1 - a0) / clock, rel=1e-5, abs=1e-8)
        assert here.noise_rate == pytest.approx((s1 - s0) / clock, rel=1e-5, abs=1e-8)
        assert here.scale == pytest.approx(
            float(path.scale(torch.tensor(level, dtype=torch.float64)))
        )


@pytest.mark.parametrize("path", PATHS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_network_sees_its_own_coordinates(kind, path):
    """The denoiser does not depend on path and prediction if the network is perfect."""
    x, eps, _ = gaussian_draws(4)
    g = torch.tensor([-8.0, -1.0, 2.0, 9.0]).double()
    z = diffuse(x, eps, g)
    network = kind.precondition(network_of(kind, path), path)
    reference = Parameterization("v")
    plain = reference.interpret(network_of(reference)(z, g), z, g)
    torch.testing.assert_close(kind.interpret(network(z, g), z, g).x, plain.x)


def test_faces_are_computed_once_and_only_if_asked():
    calls = []

    def face():
        calls.append(1)
        return torch.ones(1)

    prediction = Prediction(face, face)
    assert calls == []
    assert prediction.x is prediction.x
    assert calls == [1]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_residual_is_beside_the_best_linear_prediction(kind):
    """Regression of the target on z, for white data of the kind's own variance."""
    gamma, n = 0.8, 400_000
    generator = torch.Generator().manual_seed(0)
    scale = kind.sigma_data if kind.kind == "edm" else 1.0
    x = scale * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    eps = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    g = torch.full((n,), gamma).double()
    z, target = diffuse(x, eps, g), kind.target(x, eps, g)
    slope = float((z * target).mean() / (z * z).mean())
    assert float(kind.best_linear(g[:1])) == pytest.approx(slope, abs=0.01)
    start = kind.precondition(lambda z, gamma: torch.zeros_like(z), Path(), residual=True)
    torch.testing.assert_close(start(z, g), kind.best_linear(g)[:, None] * z)
