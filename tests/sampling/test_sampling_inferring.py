"""Inference with models whose densities are known, as a simulator, and on the command line."""

import math
import re

import numpy as np
import pytest
import torch
from typer.testing import CliRunner
from untrained import PARAMS, build_emulator

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.inference.coverage import measure_coverage
from emulator.io import EmulatorError, read_dataset, write_dataset
from emulator.model.bundle import write_bundle
from emulator.sampling.asked import prepare_asked, read_asked
from emulator.sampling.mixture import Mixture

FEW = SamplingConfig(n_steps=2)
EXACT = SamplingConfig(gamma_end=-8.0, n_steps=6, solver="abm2")  # where nothing moves
CENTRES = [(8, 8), (40, 3)]
KNOWN = {"Omega_m": 0.3}
NOISE = 0.3


@pytest.fixture(scope="module")
def still(folder):
    """Its network is perfect for channels that are N(0, I); Omega_m enters by their scale alone."""
    return build_emulator(folder, zero=True)


@pytest.fixture(scope="module")
def drawn(still, box):
    return still.sample(box, PARAMS, centres=CENTRES, n_members=1, sampling=EXACT)


def exact(model, fields, drawn, points):
    """``E ln N(x(fields, point) + s eps; 0, 1 + s^2)``, ``(sample, point)``."""
    nats = np.empty((len(fields), len(points)))
    for sample, point in np.ndindex(*nats.shape):
        given = read_asked(drawn.isel(sample=[sample]), points[point], model.card, projection=None)
        own, _ = prepare_asked(given, model.card, "warn")
        x = model.transform.transform(torch.from_numpy(fields[sample : sample + 1]), own).double()
        square = float((x**2).sum())
        variance, dimension = 1 + NOISE**2, x.numel()
        nats[sample, point] = -0.5 * (
            dimension * math.log(2 * math.pi * variance)
            + (square + dimension * NOISE**2) / variance
        )
    return nats


@pytest.mark.filterwarnings("ignore:.*Omega_m")
def test_likelihoods_of_parameters_are_those_of_gaussians(still, drawn):
    fields = drawn["fields"].values[:, 0]
    points = np.array([[0.28, 0.0125], [0.3, 0.0125], [0.32, 0.02]])
    found = still.compare_params(fields, drawn, PARAMS, points, noise=NOISE, n_noise=128, seed=1)
    truth = exact(still, fields, drawn, points)
    assert found["log_likelihood"].attrs["units"] == "nats"
    best = found["log_likelihood"].values.argmax(1)
    rows = np.arange(len(fields))
    off = found["log_likelihood"].values - truth
    off -= off[rows, best][:, None]
    assert (np.abs(off) <= 4 * found["standard_error"].values + 1e-2).all()
    assert (found["standard_error"].values[rows, best] == 0).all()
    assert np.ptp(truth, axis=1).min() > 1.0


def test_of_several_models_the_density_is_the_mean_of_theirs(folder, drawn):
    models = [build_emulator(folder, seed=seed) for seed in (0, 1)]
    mixture = Mixture({str(model.seed): model for model in models})
    fields, points = drawn["fields"].values[:, 0], np.array([[0.3, 0.01], [0.3, 0.02]])
    options = {"n_noise": 4, "seed": 2, "noise": NOISE}
    one, other, both = (
        model.compare_params(fields, drawn, PARAMS, points, **options)["log_likelihood"].values
        for model in (*models, mixture)
    )
    np.testing.assert_allclose(both, np.logaddexp(one, other) - np.log(2), rtol=1e-10)


def test_what_a_model_does_not_know_leaves_the_prior(still, drawn):
    """A_SN1 changes nothing: equal weights, all draws effective, density of the prior."""
    found = still.infer(
        drawn["fields"].values[:, 0], drawn, KNOWN, method="likelihood", n_simulations=64,
        n_noise=4, truth=PARAMS,
    )  # fmt: skip
    assert found["draws"].dims == ("draw", "param")
    assert found["param"].values.tolist() == ["A_SN1"]
    np.testing.assert_allclose(found["weight"], 1 / 64)
    assert float(found["effective_draws"]) == pytest.approx(64)
    low, high = float(found["prior_low"][0]), float(found["prior_high"][0])
    np.testing.assert_allclose(found["log_prob"], -np.log(high - low), rtol=1e-5)
    share = (PARAMS["A_SN1"] - low) / (high - low)
    assert float(found["rank"][0]) == pytest.approx(share, abs=1 / 64)
    assert found.attrs["log_likelihood_error_nats"] == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Omega_m", "ignore:only .* draws are effective")
def test_likelihoods_cover_the_parameters_that_fields_were_drawn_with(still, drawn):
    """64 maps, each drawn at its own Omega_m of a narrow prior: 68 and 90 % within 10 points."""
    rng = np.random.default_rng(0)
    prior = {"Omega_m": (0.28, 0.32)}
    rows = [{"Omega_m": value, "A_SN1": 0.0125} for value in rng.uniform(0.28, 0.32, 64)]
    windows = drawn.isel(sample=np.zeros(64, int))
    fields = still.sample(
        windows, rows, n_members=1, sampling=EXACT, noise_of=[f"case {i}" for i in range(64)],
        out_of_range="warn",
    )["fields"].values[:, 0]  # fmt: skip
    found = still.infer(
        fields, windows, {"A_SN1": 0.0125}, method="likelihood", prior=prior, together=False,
        n_simulations=24, n_noise=32, noise=NOISE, truth=rows, out_of_range="warn",
    )  # fmt: skip
    shares = measure_coverage(found)["coverage"].isel(param=0)
    np.testing.assert_allclose(shares, [0.68, 0.90], atol=0.10)
    assert found["effective_draws"].median() < 20  # it tells something


def test_a_simulator_is_what_sbi_takes(emulator, drawn):
    """Of sbi itself: its checks of priors and simulators, and a batch of simulations."""
    pytest.importorskip("sbi", reason="sbi is not installed: make install does")
    from sbi.inference import simulate_for_sbi
    from sbi.utils.user_input_checks import (
        check_sbi_inputs,
        process_prior,
        process_simulator,
    )

    simulator = emulator.simulator(drawn, KNOWN, sampling=FEW)
    prior, n_params, returns_numpy = process_prior(simulator.prior)
    wrapped = process_simulator(simulator, prior, returns_numpy)
    check_sbi_inputs(wrapped, prior)
    theta, x = simulate_for_sbi(wrapped, prior, num_simulations=5, show_progress_bar=False)
    assert (n_params, theta.shape) == (1, (5, 1))
    assert x.shape[1] == simulator.observe(drawn["fields"].values[:, 0]).shape[1] == 30
    assert bool(torch.isfinite(x).all())


def test_simulations_are_of_their_seed_and_never_alike(emulator, drawn):
    theta = torch.full((3, 1), 0.0125)
    first, again = (emulator.simulator(drawn, KNOWN, sampling=FEW, seed=4) for _ in range(2))
    x = first(theta)
    torch.testing.assert_close(x, again(theta))
    more = first(theta)
    others = torch.cat([x, more])
    assert len(torch.unique(others, dim=0)) == 6
    assert first(theta[0]).shape == x[0].shape


def test_x_is_the_summary_of_what_the_model_draws(emulator, drawn):
    """By hand: the same fields from `sample`, windows averaged; or one in turn, with its own."""
    together = emulator.simulator(drawn, KNOWN, sampling=FEW, seed=4)
    theta = torch.tensor([[0.011], [0.014]])
    x = together(theta)
    for row, value in enumerate(theta[:, 0].tolist()):
        fields = emulator.sample(
            drawn, {**KNOWN, "A_SN1": value}, n_members=1, seed=4, sampling=FEW,
            noise_of=[f"simulation 4 {row} window {i}" for i in range(2)],
        )["fields"].values[:, 0]  # fmt: skip
        torch.testing.assert_close(x[row : row + 1], together.observe(fields), rtol=1e-3, atol=1e-3)
    single = emulator.simulator(drawn, KNOWN, sampling=FEW, seed=4, together=False)
    each = single(torch.cat([theta, theta]))
    seen = single.observe(drawn["fields"].values[:, 0])
    assert each.shape[1] == seen.shape[1] == 30 + 10 + 2 + 1
    torch.testing.assert_close(each[:, 30:], torch.cat([seen, seen])[:, 30:])
    assert not torch.equal(seen[0, 30:], seen[1, 30:])


def test_a_posterior_by_simulation_has_the_shape_of_its_question(emulator, drawn):
    pytest.importorskip("sbi", reason="sbi is not installed: make install does")
    fields = drawn["fields"].values[:, 0]
    options = {"n_simulations": 100, "n_draws": 60, "sampling": FEW}
    one = emulator.infer(fields, drawn, KNOWN, **options, seed=1)
    again = emulator.infer(fields, drawn, KNOWN, **options, seed=1)
    assert one["draws"].dims == ("draw", "param")
    np.testing.assert_allclose(one["draws"], again["draws"])
    each = emulator.infer(fields, drawn, KNOWN, **options, together=False, truth=PARAMS)
    assert each["draws"].shape == (2, 60, 1)
    assert ((each["rank"] >= 0) & (each["rank"] <= 1)).all()
    inside = (each["draws"] >= each["prior_low"]) & (each["draws"] <= each["prior_high"])
    assert inside.all()
    assert each.attrs["method"] == "simulation"
    assert each.attrs["n_simulations"] == 100


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "guess"}, "method: expected simulation or likelihood, got 'guess'"),
        ({"known": PARAMS}, "nothing is left to infer"),
        ({"known": {"A_AGN1": 1.0}}, r"unknown \['A_AGN1'\]"),
        (
            {"summaries": ["peaks"]},
            "summaries: expected some of mass, log_variance, power, profile",
        ),
        ({"prior": {"A_SN1": (0.5, 1.5)}}, "reaches beyond the trained range"),
        ({"n_simulations": 99}, "n_simulations: expected 100 or more, got 99"),
    ],
)
def test_what_cannot_be_inferred_is_refused(emulator, drawn, options, said):
    given = {"known": KNOWN, "n_simulations": 10, "sampling": FEW} | options
    with pytest.raises(EmulatorError, match=said):
        emulator.infer(drawn["fields"].values[:, 0], drawn, **given)


def test_without_sbi_nothing_is_simulated(emulator, drawn, monkeypatch):
    """A million simulations would take hours."""
    monkeypatch.setattr("emulator.io.extras.find_spec", lambda name: None)
    with pytest.raises(EmulatorError, match=r"'simulation' needs the package sbi.*\[inference\]"):
        emulator.infer(drawn["fields"].values[:, 0], drawn, KNOWN, n_simulations=1_000_000)


def test_fields_and_points_of_another_shape_are_refused(emulator, drawn):
    fields = drawn["fields"].values[:, 0]
    with pytest.raises(EmulatorError, match=r"fields: expected finite values \(2, 3, 16, 16\)"):
        emulator.infer(fields[:1], drawn, KNOWN)
    with pytest.raises(EmulatorError, match=r"points: expected finite values \(point, 2\)"):
        emulator.compare_params(fields, drawn, PARAMS, np.zeros((3, 1)))
    with pytest.raises(EmulatorError, match="an even n_noise"):
        emulator.compare_params(fields, drawn, PARAMS, np.ones((1, 2)), n_noise=3)


def test_a_model_without_a_density_says_what_to_do(folder, drawn):
    model = build_emulator(folder, zero=True, objective="one_step")
    with pytest.raises(EmulatorError, match="use method='simulation', or a diffusion"):
        model.infer(
            drawn["fields"].values[:, 0], drawn, KNOWN, method="likelihood", n_simulations=4
        )


def test_the_command_writes_and_prints(still, drawn, tmp_path):
    ema = still.network.state_dict()
    raw = {name: tensor.clone() for name, tensor in ema.items()}
    write_bundle(tmp_path / "model", still.card, raw=raw, ema=ema, history="")
    write_dataset(drawn, tmp_path / "drawn.nc")
    words = [
        "infer", str(tmp_path / "model"), str(tmp_path / "drawn.nc"), "--free", "A_SN1",
        "--output", str(tmp_path / "posterior.nc"), "--observed", "fields", "--simulations", "8",
        "--method", "likelihood",
    ]  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = read_dataset(tmp_path / "posterior.nc")
    assert float(found["truth"][0]) == PARAMS["A_SN1"]
    assert f"{'A_SN1':16s}{float(found['draws'].mean()):9.4g}" in done.output
    each = CliRunner().invoke(app, [*words, "--each", "--window", "1"])
    assert each.exit_code == 0, each.output
    assert read_dataset(tmp_path / "posterior.nc").sizes["sample"] == 1
    for more, said in (
        (["--free", "A_AGN1"], r"--free: .* has the parameters"),
        (["--window", "7"], "--window: .* has 2 windows"),
        (["--observed", "truth"], "none of truth"),
    ):
        bad = CliRunner().invoke(app, [*words, *more])
        assert bad.exit_code == 1
        assert re.search(said, str(bad.exception))
