"""Steps of every solver, written out as its paper does, with the noise that was drawn."""

import math

import pytest
import torch

from emulator.config.solvers import (
    AdamsMoultonConfig,
    DDIMConfig,
    EulerConfig,
    PredictorCorrectorConfig,
)
from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.path import Path
from emulator.diffusion.process import amplitudes
from emulator.diffusion.solvers import build_solver, solve
from emulator.diffusion.solvers.base import Node, Past, combine
from emulator.diffusion.solvers.multistep import DataForm, FlowForm, Multistep
from emulator.diffusion.solvers.single_step import DDIM, Euler, PredictorCorrector

T, S, U = 1.7, 0.4, -1.1
(A_T, S_T), (A_S, S_S), (A_U, S_U) = amplitudes(T), amplitudes(S), amplitudes(U)
Z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
KICKS = torch.randn(9, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def data(z, gamma):
    """Some estimate of the data that is linear neither in the field nor in the level."""
    return torch.sin(z) + 0.3 * gamma


def denoiser(z, gamma):
    return Prediction.of_data(data(z, gamma[:, None]), z, gamma)


def noise_of(z, gamma):
    alpha, sigma = amplitudes(gamma)
    return (z - alpha * data(z, gamma)) / sigma


def run(solver, *gammas):
    kicks = iter(KICKS)
    return solve(solver, denoiser, Z, gammas, lambda: next(kicks))


def is_the_end_of(found, z, gamma):
    torch.testing.assert_close(found, data(z, gamma), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_is_equation_12_of_its_paper(eta):
    """The standard deviation of its noise is eta s_s / s_t sqrt(1 - a_t^2 / a_s^2)."""
    fresh = eta * S_S / S_T * math.sqrt(1 - A_T**2 / A_S**2)
    z = A_S * data(Z, T) + math.sqrt(S_S**2 - fresh**2) * noise_of(Z, T) + fresh * KICKS[0]
    is_the_end_of(run(DDIM(eta), T, S), z, S)


def test_ancestral_sampling_uses_all_of_the_noise_and_ddim_none():
    assert (build_solver("ancestral"), build_solver("ddim")) == (DDIM(1.0), DDIM(0.0))
    assert build_solver(DDIMConfig(name="ddim", eta=0.4)) == DDIM(0.4)


def coordinates(name, gamma):
    """Clock, signal and noise of a path."""
    alpha, sigma = amplitudes(gamma)
    tau = 1 / (1 + math.exp(-gamma / 2))
    return {
        "variance_preserving": (gamma, alpha, sigma),
        "variance_exploding": (math.exp(gamma / 2), 1.0, math.exp(gamma / 2)),
        "linear": (tau, 1 - tau, tau),
    }[name]


def velocity(name, z, gamma, step=1e-6):
    """Rate of the path's field, its two amplitudes differentiated numerically."""
    (low, a_0, s_0), (high, a_1, s_1) = (coordinates(name, gamma + d) for d in (-step, step))
    return ((a_1 - a_0) * data(z, gamma) + (s_1 - s_0) * noise_of(z, gamma)) / (high - low)


@pytest.mark.parametrize("name", ["variance_preserving", "variance_exploding", "linear"])
@pytest.mark.parametrize("churn", [0.0, 0.2])
@pytest.mark.parametrize("corrects", [False, True])
def test_straight_steps_in_the_coordinates_of_a_path(name, churn, corrects):
    raised = T + 2 * math.log(1 + churn)
    z = Z
    if churn:  # sigma/alpha rises by the factor 1 + churn
        level, before = math.exp(raised / 2), math.exp(T / 2)
        z = amplitudes(raised)[0] * (Z / A_T + math.sqrt(level**2 - before**2) * KICKS[0])
    (here, a, _), (there, a_next, _) = coordinates(name, raised), coordinates(name, S)
    y = z * a / amplitudes(raised)[0]
    first = velocity(name, z, raised)
    back = A_S / a_next
    z_next = (y + (there - here) * first) * back
    if corrects:
        second = velocity(name, z_next, S)
        z_next = (y + (there - here) * 0.5 * (first + second)) * back
    section = EulerConfig(name="heun" if corrects else "euler", churn=churn)
    solver = build_solver(section, path=Path(name))
    torch.testing.assert_close(run(solver, T, S), data(z_next, S), rtol=1e-6, atol=1e-7)


def test_euler_and_heun_are_edms_if_no_path_is_named():
    assert build_solver("euler") == build_solver("euler", path=Path("variance_exploding"))
    assert build_solver("heun").path == Path("variance_exploding")
    assert build_solver("euler").churn == 0.0


def test_langevin_steps_and_an_ancestral_step():
    delta, z = 0.1, Z
    for kick in KICKS[:2]:
        z = z - delta * S_T * noise_of(z, T) + math.sqrt(2 * delta) * S_T * kick
    c = 1 - math.exp(S - T)
    z = A_S / A_T * (z - S_T * c * noise_of(z, T)) + S_S * math.sqrt(c) * KICKS[2]
    solver = build_solver(PredictorCorrectorConfig(name="pc", corrections=2, langevin_step=delta))
    is_the_end_of(run(solver, T, S), z, S)
    assert build_solver("pc") == PredictorCorrector(corrections=1, langevin_step=0.05)


@pytest.mark.parametrize("stochastic", [False, True])
def test_dpm_solver_looks_back_on_one_estimate(stochastic):
    h0, h1 = (T - S) / 2, (S - U) / 2
    x0 = data(Z, T)

    def step(z, h, x, before, after, kick):
        (_, sigma), (alpha_next, sigma_next) = amplitudes(before), amplitudes(after)
        if not stochastic:
            return sigma_next / sigma * z - alpha_next * math.expm1(-h) * x
        left = -math.expm1(-2 * h)
        carried = sigma_next / sigma * math.exp(-h) * z
        return carried + alpha_next * left * x + sigma_next * math.sqrt(left) * kick

    z = step(Z, h0, x0, T, S, KICKS[0])
    x1 = data(z, S)
    z = step(z, h1, x1 + h1 / (2 * h0) * (x1 - x0), S, U, KICKS[1])
    is_the_end_of(run(build_solver("sde-dpm++2m" if stochastic else "dpm++2m"), T, S, U), z, U)


def flow_rate(z, gamma, centre, step=1e-6):
    """dz/du of the flow dz/dgamma = alpha (alpha z - x) / 2, with du differenced."""
    alpha, _ = amplitudes(gamma)
    rise = (flow_time(gamma + step, centre) - flow_time(gamma - step, centre)) / (2 * step)
    return 0.5 * alpha * (alpha * z - data(z, gamma)) / rise


def flow_time(gamma, centre):
    return 1 / (1 + math.exp(-(gamma - centre) / 2))


def test_adams_bashforth_moulton_in_the_flow_time():
    """An Euler step, the trapezium that replaces it, and two values to go on with."""
    centre = 0.6
    t, s, u = (flow_time(gamma, centre) for gamma in (T, S, U))
    first = flow_rate(Z, T, centre)
    guess = Z + (s - t) * first
    second = flow_rate(guess, S, centre)
    z = Z + (s - t) * 0.5 * (first + second)
    ratio = (u - s) / (s - t)
    z = z + (u - s) * ((1 + ratio / 2) * second - ratio / 2 * first)
    found = run(build_solver(AdamsMoultonConfig(name="abm2", centre=centre)), T, S, U)
    torch.testing.assert_close(found, data(z, U), rtol=1e-6, atol=1e-7)


def test_exponential_adams_bashforth_of_second_order():
    """Alpha times the integral of e^(lambda - lambda_s) times the line through two estimates."""
    h0, h1 = (T - S) / 2, (S - U) / 2
    x0 = data(Z, T)
    z = S_S / S_T * Z + A_S * (1 - math.exp(-h0)) * x0
    x1 = data(z, S)
    moment = h1 - 1 + math.exp(-h1)  # of (lambda - lambda_s) over the step
    z = S_U / S_S * z + A_U * ((1 - math.exp(-h1)) * x1 + moment * (x1 - x0) / h0)
    is_the_end_of(run(build_solver("ab2"), T, S, U), z, U)


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        ("ab3", Multistep(DataForm(), order=3)),
        ("unipc2", Multistep(DataForm(), order=2, corrects=True)),
        ("abm4", Multistep(FlowForm(0.0), order=4, corrects=True)),
    ],
)
def test_names_stand_for_forms_and_orders(name, solver):
    assert build_solver(name) == solver


def test_what_a_solver_remembers_and_costs():
    assert [build_solver(n).memory for n in ("ddim", "dpm++2m", "ab3", "abm4")] == [0, 1, 3, 4]
    assert [build_solver(n).evaluations for n in ("ddim", "heun", "pc")] == [1, 2, 2]
    assert build_solver(PredictorCorrectorConfig(name="pc", corrections=3)).evaluations == 4
    # the last node costs one evaluation, every step before it as many as it makes
    assert [build_solver("heun").nodes(n) for n in (1, 2, 3, 4, 5)] == [1, 1, 2, 2, 3]
    assert [build_solver("ddim").nodes(n) for n in (1, 2, 7)] == [1, 2, 7]


@pytest.mark.parametrize(
    "make",
    [
        lambda: DDIM(eta=0.0),
        lambda: DDIM(eta=1.0),
        lambda: Euler(churn=math.sqrt(2.0) - 1.0),
        lambda: PredictorCorrector(corrections=1, langevin_step=0.999),
        lambda: Multistep(DataForm(), order=1),
    ],
)
def test_limits_belong_to_what_is_allowed(make):
    assert make() == make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: DDIM(eta=-0.01),
        lambda: DDIM(eta=1.01),
        lambda: Euler(churn=0.42),
        lambda: Euler(churn=-0.01),
        lambda: PredictorCorrector(corrections=0),
        lambda: PredictorCorrector(langevin_step=0.0),
    ],
)
def test_what_is_beyond_them_is_not(make):
    with pytest.raises(ValueError, match=r"eta|churn|corrections"):
        make()


def test_fields_are_combined_term_by_term():
    a, b, c = KICKS[:3]
    before = a.clone()
    torch.testing.assert_close(combine((2.0, a), (-1.0, b), (0.5, c)), 2 * a - b + 0.5 * c)
    torch.testing.assert_close(combine((3.0, a)), 3 * a)
    torch.testing.assert_close(a, before, rtol=0, atol=0)


def test_a_multistep_solver_forgets_what_is_older_than_its_order():
    """The third step of second order does not see the first node."""
    past = Past([Node(gamma, Z, KICKS[i]) for i, gamma in enumerate((T, S))], maxlen=2)
    solver = Multistep(DataForm(), order=2)
    solver.step(Z, U, -3.0, lambda z, gamma: Prediction(data(z, gamma), z), past, lambda: Z)
    assert [node.gamma for node in past] == [S, U]
