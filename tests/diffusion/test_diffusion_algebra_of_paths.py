"""Amplitudes, paths, predictions and weights at single noise levels, in closed form."""

import math
from dataclasses import FrozenInstanceError

import pytest
import torch

from emulator.diffusion.distributions import HyperbolicSecant, Logistic, Normal, SigmoidInTime
from emulator.diffusion.parameterization import Parameterization, Prediction
from emulator.diffusion.path import Path
from emulator.diffusion.process import alpha_sigma, amplitudes, diffuse, expand
from emulator.diffusion.solvers import build_spacing
from emulator.diffusion.solvers.multistep import DataForm, DPMSolver2M, FlowForm, Multistep
from emulator.diffusion.solvers.single_step import DDIM, Euler, Heun, PredictorCorrector
from emulator.diffusion.weighting import Weight

GAMMAS = torch.tensor([-6.0, -1.0, 0.5, 4.0]).double()
ALPHAS = [1 / math.sqrt(1 + math.exp(g)) for g in GAMMAS.tolist()]
SIGMAS = [1 / math.sqrt(1 + math.exp(-g)) for g in GAMMAS.tolist()]
KINDS = [Parameterization(kind) for kind in ("eps", "x", "v", "velocity", "edm")]
KINDS.append(Parameterization("edm", sigma_data=0.4))


def close(found, expected, **tolerance):
    expected = torch.as_tensor(expected, dtype=found.dtype)
    torch.testing.assert_close(found, expected, **({"rtol": 1e-12, "atol": 1e-14} | tolerance))


def draws(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 3, 2, generator=generator, dtype=torch.float64)


def test_amplitudes_of_signal_and_noise():
    alpha, sigma = alpha_sigma(GAMMAS)
    close(alpha, ALPHAS)
    close(sigma, SIGMAS)
    for gamma, *expected in zip(GAMMAS.tolist(), ALPHAS, SIGMAS, strict=True):
        assert amplitudes(gamma) == pytest.approx(tuple(expected), rel=1e-14)


def test_every_sample_is_noised_at_its_own_level():
    x, eps = draws()
    z = diffuse(x, eps, GAMMAS)
    for i in range(4):
        close(z[i], ALPHAS[i] * x[i] + SIGMAS[i] * eps[i])
    assert expand(GAMMAS, torch.zeros(4, 1, 1, 1)).shape == (4, 1, 1, 1)
    assert expand(torch.tensor(0.0), x).shape == ()


@pytest.mark.parametrize("i", range(4))
def test_paths_and_their_rates(i):
    """Signal and noise of each path as functions of its clock, differentiated by hand."""
    gamma, alpha, sigma = GAMMAS[i].item(), ALPHAS[i], SIGMAS[i]
    here = GAMMAS[i : i + 1]
    preserving = Path().moment(gamma)
    assert (preserving.time, preserving.scale) == (gamma, 1.0)
    # alpha^2 = 1/(1 + e^gamma), and sigma^2 = 1 - alpha^2
    rate = math.exp(gamma) / (1 + math.exp(gamma)) ** 2
    assert preserving.signal_rate == pytest.approx(-rate / (2 * alpha), rel=1e-12)
    assert preserving.noise_rate == pytest.approx(rate / (2 * sigma), rel=1e-12)
    close(Path().scale(here), [1.0])
    exploding = Path("variance_exploding").moment(gamma)
    assert exploding == pytest.approx((math.exp(gamma / 2), 1 / alpha, 0.0, 1.0), rel=1e-12)
    close(Path("variance_exploding").scale(here), [1 / alpha])
    linear = Path("linear").moment(gamma)
    tau = 1 / (1 + math.exp(-gamma / 2))
    assert linear == pytest.approx((tau, (1 - tau) / alpha, -1.0, 1.0), rel=1e-12)
    close(Path("linear").scale(here), [tau / sigma])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_target_reads_as_the_data_and_the_noise_it_was_made_of(kind):
    x, eps = draws()
    z, target = diffuse(x, eps, GAMMAS), kind.target(x, eps, GAMMAS)
    read = kind.interpret(target, z, GAMMAS)
    close(read.x, x, rtol=1e-9, atol=1e-9)
    close(read.eps, eps, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_output_reads_as_data_and_noise_that_make_up_the_field(kind):
    output, z = draws(1)
    read = kind.interpret(output, z, GAMMAS)
    close(diffuse(read.x, read.eps, GAMMAS), z, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_targets_are_those_of_the_table(kind):
    x, eps = draws(2)
    for i, (a, s) in enumerate(zip(ALPHAS, SIGMAS, strict=True)):
        data = kind.sigma_data
        expected = {
            "eps": eps[i],
            "x": x[i],
            "v": a * eps[i] - s * x[i],
            "velocity": eps[i] - x[i],
            "edm": (s * x[i] - data**2 * a * eps[i]) / (data * math.hypot(s, data * a)),
        }[kind.kind]
        close(kind.target(x, eps, GAMMAS)[i], expected)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_size_of_an_eps_error_is_the_slope_of_the_reading(kind):
    output, z = draws(3)
    change = kind.interpret(output + 1.0, z, GAMMAS).eps - kind.interpret(output, z, GAMMAS).eps
    close(kind.eps_error_scale(GAMMAS), change[:, 0, 0].abs(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS[:4], ids=str)
def test_the_best_linear_prediction_is_the_covariance_with_the_field(kind):
    """For x and eps of unit variance, E[target z] = a E[target x] + s E[target eps]."""
    one, zero = torch.ones(4, 1, 1).double(), torch.zeros(4, 1, 1).double()
    of_x, of_eps = (kind.target(*pair, GAMMAS)[:, 0, 0] for pair in ((one, zero), (zero, one)))
    alpha, sigma = (torch.tensor(v, dtype=torch.float64) for v in (ALPHAS, SIGMAS))
    close(kind.best_linear(GAMMAS), alpha * of_x + sigma * of_eps, atol=1e-12)


def test_edm_leaves_nothing_to_a_linear_prediction():
    assert float(KINDS[-1].best_linear(GAMMAS).abs().max()) < 1e-15


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ["variance_preserving", "variance_exploding", "linear"])
def test_a_network_is_given_its_scale_and_adds_to_the_linear_part(name, kind, residual):
    z, _ = draws(4)

    def network(field, gamma):
        return 3.0 * field + expand(gamma, field)

    found = kind.precondition(network, Path(name), residual=residual)(z, GAMMAS)
    for i, (a, s) in enumerate(zip(ALPHAS, SIGMAS, strict=True)):
        scale = {"variance_preserving": 1.0, "variance_exploding": 1 / a, "linear": 1 / (a + s)}
        factor = 1 / math.hypot(s, kind.sigma_data * a) if kind.kind == "edm" else scale[name]
        linear = {"eps": s, "x": a, "velocity": s - a}.get(kind.kind, 0.0) if residual else 0.0
        close(found[i], (3 * factor + linear) * z[i] + GAMMAS[i], rtol=1e-10, atol=1e-12)


def test_noise_follows_from_an_estimate_of_the_data():
    x, z = draws(5)
    read = Prediction.of_data(x, z, GAMMAS)
    for i, (a, s) in enumerate(zip(ALPHAS, SIGMAS, strict=True)):
        close(read.eps[i], (z[i] - a * x[i]) / s)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_weights_are_those_of_the_table(kind):
    slope = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
    scale = kind.eps_error_scale(GAMMAS) ** 2
    costs = {
        "bound": [0.5 * s for s in slope],
        "sigmoid": [0.5 * s / (1 + math.exp(-g - 1.5)) for g, s in zip(GAMMAS, slope, strict=True)],
        "simple": [1.0] * 4,
        "min_snr": [min(1.0, 3.0 * math.exp(g)) for g in GAMMAS],
        "edm": [1 + math.exp(g) / 0.7**2 for g in GAMMAS],
    }
    for name, expected in costs.items():
        weight = Weight(name, min_snr=3.0, sigmoid_bias=1.5, sigma_data=0.7)
        close(weight.of_eps(GAMMAS, slope), expected)
        of_output = weight.of_output(kind, GAMMAS, slope)
        close(of_output / scale, expected, rtol=1e-9)
    close(Weight("plain").of_output(kind, GAMMAS, slope), torch.ones(4))
    with pytest.raises(ValueError, match="not of eps"):
        Weight("plain").of_eps(GAMMAS, slope)


def test_the_published_numbers_are_the_defaults():
    assert (Weight().min_snr, Weight().sigmoid_bias, Weight().sigma_data) == (5.0, 2.0, 1.0)
    assert Parameterization("edm").sigma_data == 1.0


@pytest.mark.parametrize(
    "make",
    [
        Logistic, HyperbolicSecant, SigmoidInTime, Normal, Path, Weight, DataForm,
        FlowForm, DDIM, Euler, Heun, DPMSolver2M, PredictorCorrector,
        lambda: Parameterization("v"), lambda: Multistep(DataForm()),
        lambda: build_spacing("karras"),
    ],
)  # fmt: skip
def test_what_a_config_chooses_is_a_value(make):
    """Two of the same numbers are one, so that none of them may change."""
    assert len({make(), make()}) == 1
    with pytest.raises(FrozenInstanceError):
        make().name = "another"
