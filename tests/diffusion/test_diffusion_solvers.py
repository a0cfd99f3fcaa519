"""Solvers against their published formulas, their orders, and exact moments of Gaussian data."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from analysis.benchmarks.gaussian_field import GaussianField, run_exactly
from emulator.config.solvers import (
    DDIMConfig,
    EulerConfig,
    LogisticSpacing,
    PredictorCorrectorConfig,
)
from emulator.diffusion.distributions import HyperbolicSecant, Truncated
from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.path import Path
from emulator.diffusion.process import alpha_sigma, amplitudes
from emulator.diffusion.solvers import (
    SOLVER_NAMES,
    NonFiniteError,
    Spacing,
    build_solver,
    build_spacing,
    gamma_grid,
    solve,
)
from emulator.diffusion.solvers.coefficients import polynomial_weights
from emulator.diffusion.solvers.multistep import DataForm, FlowForm, Multistep
from emulator.diffusion.solvers.single_step import DDIM, Heun, PredictorCorrector

STOCHASTIC = {"ancestral", "sde-dpm++2m", "pc"}
FIELD = GaussianField(torch.tensor([0.25, 1.0, 20.0]).double(), torch.zeros(3).double())


def bimodal(z, gamma):
    """Perfect denoiser of x = +-1 with equal odds: not linear in z."""
    alpha, sigma = alpha_sigma(gamma[:, None])
    return Prediction.of_data(torch.tanh(alpha * z / sigma**2), z, gamma)


def starts(n=64, dtype=torch.float64):
    return torch.randn(n, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(
        dtype
    )


def no_noise():
    raise RuntimeError("a deterministic solver asked for noise")


def run(solver, gammas, z=None, noise=no_noise, denoiser=bimodal):
    return solve(solver, denoiser, starts() if z is None else z, gammas, noise)


@pytest.mark.parametrize(
    ("name", "order"),
    [("ancestral", 1), ("ddim", 1), ("euler", 1), ("heun", 2), ("dpm++2m", 2), ("ab2", 2),
     ("ab3", 3), ("unipc2", 3), ("unipc3", 4), ("abm2", 3), ("abm3", 3), ("abm4", 3)],
)  # fmt: skip
def test_order_of_convergence(name, order):
    """Halving the step divides the error by 2^order.

    A corrector adds one order to its predictor. Adams-Bashforth-Moulton starts with one step of
    second order, which limits it to third; the exponential forms start where nothing happens yet.
    """
    spacing = build_spacing("logistic") if name.startswith("abm") else None
    alpha, sigma = amplitudes(-7.0)
    exact = (alpha * FIELD.power) ** 2 / (alpha**2 * FIELD.power + sigma**2)

    def error(n_steps):
        grid = gamma_grid(12.0, -7.0, n_steps + 1, spacing)
        found = run_exactly(FIELD, build_solver(name), grid, exact_start=True).power
        return float((found - exact).abs().max())

    rate = math.log2(error(160) / error(320))
    assert rate > order - 0.25
    if order < 3:
        assert rate < order + 0.25


@pytest.mark.parametrize("name", SOLVER_NAMES)
def test_no_more_evaluations_than_asked_for_and_only_noise_that_is_declared(name):
    calls, kicks = [], []

    def counted(z, gamma):
        calls.append(float(gamma[0]))
        return bimodal(z, gamma)

    def noise():
        kicks.append(1)
        return torch.zeros(64, 1, dtype=torch.float64)

    solver = build_solver(name)
    for budget in (1, 2, 6, 7):
        calls.clear()
        gammas = gamma_grid(10.0, -8.0, solver.nodes(budget))
        run(solver, gammas, noise=noise, denoiser=counted)
        assert budget - solver.evaluations < len(calls) <= budget
        assert set(calls) <= set(gammas)  # and at no other noise level
    assert bool(kicks) == (name in STOCHASTIC)


@pytest.mark.parametrize("name", SOLVER_NAMES)
def test_a_row_does_not_depend_on_its_company(name):
    solver = build_solver(name)
    gammas = gamma_grid(12.0, -8.0, solver.nodes(15))
    kicks = torch.randn(40, 64, 1, generator=torch.Generator().manual_seed(1)).double()

    def sample(rows):
        draws = iter(kicks[:, rows])
        return run(solver, gammas, z=starts()[rows], noise=lambda: next(draws))

    torch.testing.assert_close(sample(slice(0, 64))[5:9], sample(slice(5, 9)), rtol=0, atol=0)


@pytest.mark.parametrize("name", [n for n in SOLVER_NAMES if n not in STOCHASTIC])
def test_single_precision_keeps_its_digits_at_both_ends(name):
    """From gamma = 15 to -15 in float32: as in float64, to a few units of rounding."""
    gammas = gamma_grid(15.0, -15.0, build_solver(name).nodes(201))
    exact, single = (
        run(build_solver(name), gammas, starts(dtype=dtype), denoiser=smooth)
        for dtype in (torch.float64, torch.float32)
    )
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=2e-5)


def smooth(z, gamma):
    """Perfect denoiser of N(0, 4): its flow does not amplify rounding."""
    alpha, sigma = alpha_sigma(gamma[:, None])
    return Prediction.of_data(4 * alpha / (4 * alpha**2 + sigma**2) * z, z, gamma)


def test_ancestral_is_the_published_step():
    """VDM, equation 31: z_s = alpha_s/alpha_t (z_t - sigma_t c eps) + sigma_s sqrt(c) noise."""
    t, s, z = 1.3, -0.4, starts()
    kick = torch.randn(64, 1, generator=torch.Generator().manual_seed(2)).double()
    (alpha_t, sigma_t), (alpha_s, sigma_s) = amplitudes(t), amplitudes(s)
    eps_hat, c = bimodal(z, torch.full((64,), t).double()).eps, -math.expm1(s - t)
    expected = alpha_s / alpha_t * (z - sigma_t * c * eps_hat) + sigma_s * math.sqrt(c) * kick
    expected = bimodal(expected, torch.full((64,), s).double()).x
    for solver in (build_solver("ancestral"), build_solver(DDIMConfig(name="ddim", eta=1.0))):
        torch.testing.assert_close(run(solver, [t, s], noise=lambda: kick), expected)


def test_ddim_is_the_first_order_of_everything():
    """Euler on straight lines and the first-order exponential integrator are DDIM."""
    gammas = gamma_grid(11.0, -9.0, 12)
    reference = run(build_solver("ddim"), gammas)
    for solver in (
        build_solver("euler"),
        build_solver("euler", path=Path("linear")),
        Multistep(DataForm(), order=1),
    ):
        torch.testing.assert_close(run(solver, gammas), reference)
    curved = build_solver("euler", path=Path("variance_preserving"))
    other = [run(solver, gammas, denoiser=smooth) for solver in (curved, build_solver("ddim"))]
    assert not torch.allclose(*other, atol=1e-3)


def test_heun_is_algorithm_1_of_edm():
    """In y = x + s eps: d = (y - D)/s, y' = y + (s' - s) (d + d')/2."""
    gammas = gamma_grid(8.0, -8.0, 9)

    def data(y, s):
        gamma = torch.full((64,), 2 * math.log(s)).double()
        return bimodal(y * alpha_sigma(gamma[:1])[0], gamma).x

    y = starts() / amplitudes(gammas[0])[0]
    levels = [math.exp(gamma / 2) for gamma in gammas]
    for s, lower in itertools.pairwise(levels):
        slope = (y - data(y, s)) / s
        guess = y + (lower - s) * slope
        y = y + (lower - s) * 0.5 * (slope + (guess - data(guess, lower)) / lower)
    torch.testing.assert_close(run(build_solver("heun"), gammas), data(y, levels[-1]))


def test_churn_is_algorithm_2_of_edm():
    """The noise level rises by the factor 1 + churn, and the variance by what is added."""
    t, s, churn = 0.5, -0.5, 0.3
    kick = torch.randn(64, 1, generator=torch.Generator().manual_seed(3)).double()
    sigma_t, sigma_s = math.exp(t / 2), math.exp(s / 2)
    raised = sigma_t * (1 + churn)
    y = starts() / amplitudes(t)[0] + math.sqrt(raised**2 - sigma_t**2) * kick
    gamma = torch.full((64,), 2 * math.log(raised)).double()
    slope = (y - bimodal(y * alpha_sigma(gamma[:1])[0], gamma).x) / raised
    y = y + (sigma_s - raised) * slope
    gamma = torch.full((64,), s).double()
    expected = bimodal(y * amplitudes(s)[0], gamma).x
    solver = build_solver(EulerConfig(name="euler", churn=churn))
    torch.testing.assert_close(run(solver, [t, s], noise=lambda: kick), expected)


def test_unipc_is_its_published_linear_system():
    """Order 3, with R and b of Zhao et al. (2023) solved in full, for data prediction."""
    gammas = gamma_grid(9.0, -9.0, 14)
    lam = [-g / 2 for g in gammas]
    z, previous_z, data = starts(), None, []

    def system(ratios, h):
        """Coefficients of the differences: sum_m rho_m r_m^k = phi_{k+2} (k + 1)! / B."""
        b, phi, factorial = [], math.expm1(-h) / -h - 1, 1
        for k in range(1, len(ratios) + 1):
            b.append(phi * factorial / math.expm1(-h))
            factorial *= k + 1
            phi = phi / -h - 1 / factorial
        powers = np.array([[r**k for r in ratios] for k in range(len(ratios))])
        return np.linalg.solve(powers, np.array(b)) if len(ratios) else np.array([])

    def step(i, field, estimates):
        """From node i to i + 1 with differences of the estimates at other nodes."""
        h = lam[i + 1] - lam[i]
        (_, sigma), (alpha_next, sigma_next) = amplitudes(gammas[i]), amplitudes(gammas[i + 1])
        ratios = [(lam[j] - lam[i]) / h for j, _ in estimates]
        rho = system(ratios, h)
        rest = sum(
            c * (d - data[i]) / r for c, r, (_, d) in zip(rho, ratios, estimates, strict=True)
        )
        return (
            sigma_next / sigma * field
            - alpha_next * math.expm1(-h) * data[i]
            - alpha_next * math.expm1(-h) * rest
        )

    for i, gamma in enumerate(gammas[:-1]):
        estimate = bimodal(z, torch.full((64,), gamma).double()).x
        if i:
            past = [(j, data[j]) for j in range(max(0, i - 3), i - 1)]
            z = step(i - 1, previous_z, [*past, (i, estimate)])
        data.append(estimate)
        previous_z = z
        z = step(i, z, [(j, data[j]) for j in range(max(0, i - 2), i)])
    expected = bimodal(z, torch.full((64,), gammas[-1]).double()).x
    torch.testing.assert_close(run(build_solver("unipc3"), gammas), expected)


def test_dpm_solver_is_its_published_step():
    gammas = [4.0, 2.5, 0.0]
    z, (h0, h1) = starts(), (0.75, 1.25)
    x0 = bimodal(z, torch.full((64,), 4.0).double()).x
    z = amplitudes(2.5)[1] / amplitudes(4.0)[1] * z - amplitudes(2.5)[0] * math.expm1(-h0) * x0
    x1 = bimodal(z, torch.full((64,), 2.5).double()).x
    ratio = h0 / h1
    slope = (1 + 1 / (2 * ratio)) * x1 - 1 / (2 * ratio) * x0
    z = amplitudes(0.0)[1] / amplitudes(2.5)[1] * z - amplitudes(0.0)[0] * math.expm1(-h1) * slope
    expected = bimodal(z, torch.zeros(64).double()).x
    torch.testing.assert_close(run(build_solver("dpm++2m"), gammas), expected)


def test_langevin_steps_keep_the_marginal():
    """At one noise level, many corrections of any start: the marginal, to delta/2."""
    solver = build_solver(PredictorCorrectorConfig(name="pc", corrections=200, langevin_step=0.1))
    generator = torch.Generator().manual_seed(0)
    seen = []

    def noise():
        return torch.randn(20_000, 1, generator=generator, dtype=torch.float64)

    def recording(z, gamma):
        seen.append(z)
        return smooth(z, gamma)

    solve(solver, recording, torch.zeros(20_000, 1).double(), [0.0, -0.1], noise)
    variance = float(seen[200].var())  # the field that the predictor starts from
    assert variance == pytest.approx(2.5, rel=0.1 / 2 * 0.5 / 2.5 + 4 * (2 / 20_000) ** 0.5)


@pytest.mark.parametrize("name", ["ancestral", "sde-dpm++2m", "pc"])
def test_exact_moments_agree_with_monte_carlo(name):
    solver = build_solver(name)
    gammas = gamma_grid(13.0, -13.3, solver.nodes(60))
    field = GaussianField(torch.tensor([4.0]).double(), torch.zeros(1).double())
    exact = float(run_exactly(field, solver, gammas).power)
    generator = torch.Generator().manual_seed(0)

    def noise():
        return torch.randn(40_000, 1, generator=generator, dtype=torch.float64)

    draws = solve(solver, smooth, noise(), gammas, noise)
    assert float(draws.var()) == pytest.approx(exact, rel=4 * (2 / 40_000) ** 0.5)


@pytest.mark.parametrize("name", SOLVER_NAMES)
def test_both_modes_of_a_mixture_are_drawn(name):
    generator = torch.Generator().manual_seed(0)

    def noise():
        return torch.randn(4000, 1, generator=generator, dtype=torch.float64)

    solver = build_solver(name)
    draws = solve(solver, bimodal, noise(), gamma_grid(13.0, -6.0, solver.nodes(120)), noise)
    assert float((draws.abs() - 1).abs().max()) < 0.02
    assert float((draws > 0).double().mean()) == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("step", [1e-4, 0.3, 6.0])
def test_weights_are_integrals_of_lagrange_polynomials(rate, step):
    nodes, start = [-0.9 * step, -0.4 * step, 0.0, 0.7 * step], 0.0
    weights = polynomial_weights(nodes, start, step, rate)
    for j, node in enumerate(nodes):
        others = [n for n in nodes if n != node]

        def integrand(u, node=node, others=others):
            basis = math.prod((u - n) / (node - n) for n in others)
            return math.exp(rate * (u - step)) * basis

        exact = quad(integrand, start, step, epsabs=0.0, epsrel=1e-12)[0]
        assert weights[j] == pytest.approx(exact, rel=1e-9)
    assert sum(weights) == pytest.approx(-math.expm1(-step) if rate else step, rel=1e-12)


def test_flow_form_is_the_flow():
    """Its value is dz/du: against finite differences of the exact flow of N(0, 4)."""
    for centre in (0.0, 1.5):
        form, gamma, step = FlowForm(centre), 0.8, 1e-5

        def marginal(g):
            alpha, sigma = amplitudes(g)
            return math.sqrt(4 * alpha**2 + sigma**2)

        def time(g, centre=centre):
            return 1 / (1 + math.exp(-(g - centre) / 2))

        z = torch.tensor([[marginal(gamma)]]).double()
        x_hat = smooth(z, torch.tensor([gamma], dtype=torch.float64)).x
        slope = (marginal(gamma + step) - marginal(gamma - step)) / (
            time(gamma + step) - time(gamma - step)
        )
        assert float(form.value(z, x_hat, gamma)) == pytest.approx(slope, rel=1e-6)


def test_spacings_are_what_their_names_say():
    n, ends = 9, (12.0, -7.0)
    karras = gamma_grid(*ends, n, build_spacing("karras"))
    low, high = (math.exp(g / 2) ** (1 / 7) for g in reversed(ends))
    for i, gamma in enumerate(karras):  # equation 5 of EDM
        assert math.exp(gamma / 2) == pytest.approx((high + i / (n - 1) * (low - high)) ** 7)
    flow = np.array(gamma_grid(*ends, n, Spacing(LogisticSpacing(name="logistic", centre=1.0))))
    times = 1 / (1 + np.exp(-(flow - 1.0) / 2))
    np.testing.assert_allclose(np.diff(times), np.diff(times)[0])
    schedule = Truncated(HyperbolicSecant(), ends[1], ends[0])
    uniform = gamma_grid(*ends, n, build_spacing("t", schedule))
    expected = schedule.gamma(torch.linspace(1.0, 0.0, n, dtype=torch.float64))
    np.testing.assert_allclose(uniform, expected, atol=2e-3)
    for grid in (karras, list(flow), uniform, gamma_grid(*ends, n)):
        assert (grid[0], grid[-1]) == ends
        assert grid == sorted(grid, reverse=True)


def test_one_evaluation_is_the_posterior_mean_at_the_start():
    z = starts()
    expected = bimodal(z, torch.full((64,), 3.0).double()).x
    for name in SOLVER_NAMES:
        assert torch.equal(run(build_solver(name), gamma_grid(3.0, -8.0, 1), z), expected)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda: gamma_grid(-8.0, 13.0, 20), "gamma_end < gamma_start"),
        (lambda: gamma_grid(13.0, -8.0, 0), "n_nodes >= 1"),
        (lambda: gamma_grid(math.inf, -8.0, 5), "both finite"),
        (lambda: gamma_grid(13.0, -8.0, 5, build_spacing("t")), "schedule of the model"),
        (lambda: build_solver("ddim").nodes(0), "at least one network evaluation, got 0"),
        (lambda: build_solver("dpm"), r"unknown solver 'dpm'; there are ancestral, ddim"),
        (lambda: build_spacing("log"), r"unknown spacing 'log'; there are gamma, t"),
        (lambda: DDIM(eta=1.5), "eta must lie in"),
        (lambda: Heun(churn=0.5), "churn must lie in"),
        (lambda: PredictorCorrector(langevin_step=1.0), "langevin_step"),
        (lambda: Multistep(DataForm(), order=0), "order must be at least 1"),
    ],
)
def test_faults_are_named(fault, words):
    with pytest.raises(ValueError, match=words):
        fault()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_network_that_returns_nan_stops_with_step_gamma_and_rows(bad):
    def failing(z, gamma):
        x = bimodal(z, gamma).x.clone()
        if float(gamma[0]) < 1.0:
            x[[2, 7]] = bad
        return Prediction.of_data(x, z, gamma)

    gammas = gamma_grid(12.0, -8.0, 11)
    with pytest.raises(NonFiniteError, match="evaluation 6, gamma = 0, in rows") as error:
        run(build_solver("dpm++2m"), gammas, denoiser=failing)
    assert (error.value.step, error.value.rows) == (6, [2, 7])
    assert error.value.gamma == pytest.approx(0.0)
