"""Posteriors of parameters: do they cover the truth, and how precise are likelihoods.

Needs the demo (`make demo`): its model, and the ensembles of its held-out simulations, which hold
windows, truths and parameters. Writes ``inference.json`` and ``inference.md``.
"""

import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from analysis.benchmarks.runner import FOLDER
from analysis.benchmarks.tables import Bar, Measurement, to_markdown
from emulator.config import SamplingConfig
from emulator.diffusion.common_noise import NOISE
from emulator.inference.coverage import LEVELS, measure_coverage
from emulator.inference.neural import NeuralPosterior, train_posterior
from emulator.inference.posterior import add_ranks, intervals, label_posterior
from emulator.inference.simulator import Simulator
from emulator.io import read_dataset, write_json, write_text
from emulator.sampling.ensemble import Emulator
from emulator.sampling.loading import load_bundle

MODEL = Path("results/demo/model/seed_0")
ENSEMBLES = Path("results/demo/ensembles/test")
RUNS = tuple(f"SB_{number}" for number in (*range(6, 12), *range(90, 96)))
KNOWN = ("Omega_m", "sigma_8")
N_MAPS, N_SIMULATIONS, N_DRAWS = 64, 2000, 1000
SAMPLING = SamplingConfig(n_steps=10)
ONE, N_LIKELIHOOD, N_POINTS, N_NOISE = "A_AGN1", 32, 12, 48
LEAD = """# Posteriors of parameters

Written by `make bench-inference` with the demo's model: windows of 12 held-out simulations, of two
N-body runs, whose astrophysics are points of the design of the suite. Omega_m and sigma_8 are
known, as they are of a dark-matter-only run. 64 cases tell a coverage to 6 points at 68 % and to 4
at 90 %, if they are independent; true fields are 64 windows of 12 points, and are not."""


def main() -> None:
    """Measure, and write the page."""
    model = load_bundle(MODEL, device="cpu")
    windows = _windows()
    found: list[Measurement] = []
    for measure in (_neural, _precision, _weighed):
        found.append(measure(model, windows))
        # what is measured is kept, if what follows is interrupted
        sections = {"inference": [measurement.to_json() for measurement in found]}
        write_json(FOLDER / "inference.json", sections, sealed=False)
        write_text(FOLDER / "inference.md", to_markdown(sections, LEAD))
    print(FOLDER / "inference.md")


def _windows() -> xr.Dataset:
    """Windows of all simulations in turn; simulations of one run give other places of it."""
    parts = [read_dataset(ENSEMBLES / f"{run}.nc") for run in RUNS]
    names = ["condition", "large_scale", "params", "truth"]
    each = -(-N_MAPS // len(parts))
    rows = [
        part[names].isel(sample=[(place + 2 * number) % part.sizes["sample"]])
        for place in range(each)
        for number, part in enumerate(parts)
    ]
    return xr.concat(rows[:N_MAPS], "sample", data_vars="all")


def _rows(windows: xr.Dataset) -> list[dict[str, float]]:
    names = windows["parameter"].values.tolist()
    return [dict(zip(names, row, strict=True)) for row in windows["params"].values.tolist()]


def _only(rows: list[dict[str, float]], names: tuple[str, ...]) -> list[dict[str, float]]:
    return [{name: row[name] for name in names} for row in rows]


def _simulator(model: Emulator, windows: xr.Dataset, seed: int) -> Simulator:
    return model.simulator(
        windows, _only(_rows(windows), KNOWN), together=False, seed=seed, sampling=SAMPLING,
        progress=True,
    )  # fmt: skip


def _neural(model: Emulator, windows: xr.Dataset) -> Measurement:
    """One flow for all windows; fields of the model itself, and true ones."""
    began = time.perf_counter()
    simulator = _simulator(model, windows, seed=0)
    theta = simulator.prior.design(N_SIMULATIONS, 0)
    # a Sobol sequence beside windows in turn: in random order, none has its own part of the prior
    theta = theta[torch.randperm(len(theta), generator=torch.Generator().manual_seed(0))]
    posterior = train_posterior(theta, simulator(theta), simulator.prior, seed=0)
    spent = time.perf_counter() - began
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        drawn = simulator.prior.sample((N_MAPS,))
    names = simulator.prior.names
    own = [dict(zip(names, row, strict=True)) for row in drawn.tolist()]
    found = {
        "drawn by the model": _label(
            simulator, posterior, _simulator(model, windows, seed=1)(drawn), own
        ),
        "true": _label(
            simulator, posterior, simulator.observe(windows["truth"].values), _rows(windows)
        ),
    }
    bars, rows = _coverages(found)
    return Measurement(
        "Coverage by simulation",
        f"Neural posterior estimation: one flow for all windows, trained on {N_SIMULATIONS} that "
        f"the model draws ({SAMPLING.n_steps} evaluations each) with astrophysics of the prior; "
        f"{N_MAPS} maps of {model.card.matter_grid.window}^2 pixels, each for itself. Width: of "
        "the central 68 % interval over that of the prior, in the scale of the prior. "
        f"{spent:.0f} s in all on one core of a busy machine.",
        bars,
        ["fields", "parameter", "68 % interval holds", "90 % interval holds", "width", "mean rank"],
        rows,
    )


def _label(
    simulator: Simulator, posterior: NeuralPosterior, x: torch.Tensor, truth: list[dict[str, float]]
) -> xr.Dataset:
    theta, nats = posterior.draw(x, N_DRAWS, seed=2)
    return label_posterior(
        simulator, theta.numpy(), nats.numpy(), method="simulation", seed=0, truth=truth,
        n_simulations=N_SIMULATIONS,
    )  # fmt: skip


def _coverages(found: dict[str, xr.Dataset]) -> tuple[list[Bar], list[list[str]]]:
    bars, rows = [], []
    for kind, posterior in found.items():
        shares = measure_coverage(posterior)["coverage"]
        for level in LEVELS:
            mean = float(shares.sel(level=level).mean())
            bars.append(
                Bar(f"coverage at {level:.0%}, fields {kind}", mean, level - 0.1, level + 0.1)
            )
        width = _width(posterior)
        for name in posterior["param"].values.tolist():
            here = shares.sel(param=name)
            rows.append(
                [
                    kind,
                    name,
                    *(f"{float(here.sel(level=level)):.1%}" for level in LEVELS),
                    f"{float(width.sel(param=name)):.2f}",
                    f"{float(posterior['rank'].sel(param=name).mean()):.2f}",
                ]
            )
    return bars, rows


def _width(posterior: xr.Dataset) -> xr.DataArray:
    """Of the 68 % interval over that of the prior, mean over cases."""
    ends = intervals(posterior, 0.68)
    is_log = posterior["prior_log"]
    ranges = (ends["low"], ends["high"]), (posterior["prior_low"], posterior["prior_high"])
    widths = []
    for low, high in ranges:
        ratio = high.where(is_log, 2.0) / low.where(is_log, 1.0)
        logs: xr.DataArray = xr.apply_ufunc(np.log, ratio)
        widths.append(logs.where(is_log, high - low))
    mean: xr.DataArray = (widths[0] / (0.68 * widths[1])).mean("sample")
    return mean


def _drawn(
    model: Emulator, windows: xr.Dataset, seed: int
) -> tuple[np.ndarray, list[dict[str, float]]]:
    """A member of each window at a value of one parameter from its prior, and all parameters."""
    rows, scale = _rows(windows), model.card.normalisation.params[ONE]
    values = np.exp(
        np.random.default_rng(seed).uniform(np.log(scale.minimum), np.log(scale.maximum), len(rows))
    )
    drawn = [row | {ONE: float(value)} for row, value in zip(rows, values, strict=True)]
    return model.sample(windows, drawn, n_members=1, seed=seed)["fields"].values[:, 0], drawn


def _weighed(model: Emulator, windows: xr.Dataset) -> Measurement:
    """One parameter, by the density of all pixels."""
    # not those by which the noise was chosen
    windows = windows.isel(sample=slice(-N_LIKELIHOOD, None))
    rows, (members, drawn) = _rows(windows), _drawn(model, windows, seed=17)
    others = tuple(name for name in model.params if name != ONE)
    began = time.perf_counter()
    found = {
        kind: model.infer(
            fields, windows, _only(truth, others), method="likelihood", together=False,
            n_simulations=N_POINTS, n_noise=N_NOISE, seed=3,
        )
        for kind, fields, truth in (
            ("drawn by the model", members, drawn), ("true", windows["truth"].values, rows),
        )
    }  # fmt: skip
    spent = (time.perf_counter() - began) / (2 * len(rows))
    ranked = {
        kind: add_ranks(each, truth)
        for (kind, each), truth in zip(found.items(), (drawn, rows), strict=True)
    }
    bars, table = _coverages(ranked)
    return Measurement(
        "Coverage by likelihood",
        f"Weights of {N_POINTS} values of {ONE}, all other parameters known, from the density of "
        f"all pixels with noise of {NOISE:g} ({N_NOISE} noise levels): {N_LIKELIHOOD} maps, "
        f"{spent:.1f} s each.",
        bars,
        ["fields", "parameter", "68 % interval holds", "90 % interval holds", "width", "mean rank"],
        table,
    )


def _precision(model: Emulator, windows: xr.Dataset) -> Measurement:
    """Scatter over seeds of ln L at the ends of the range of a parameter, one less the other."""
    windows = windows.isel(sample=slice(2))
    members, rows = _drawn(model, windows, seed=5)
    scale, table = model.card.normalisation.params[ONE], []
    ends = [[row | {ONE: value} for row in rows] for value in (scale.minimum, scale.maximum)]
    for n_noise in (64, 128):
        seeds = []
        for seed in range(4):
            each = [
                model.compare_params(
                    members[i : i + 1], windows.isel(sample=[i]), rows[i],
                    np.array([[end[i][name] for name in model.params] for end in ends]),
                    n_noise=n_noise, seed=100 * seed,
                )
                for i in range(len(rows))
            ]  # fmt: skip
            seeds.append([one["log_likelihood"].diff("point").item() for one in each])
            claimed = np.mean([one["standard_error"].max().item() for one in each])
        scatter = float(np.sqrt(np.var(seeds, axis=0, ddof=1).mean()))
        table.append([f"bound, {n_noise} noise levels", f"{scatter:.2f}", f"{claimed:.2f}"])
    values, differences = _flow(model, windows, members, ends)
    table += [
        ["flow, 2 probes, 24 steps, a value by itself", f"{values:.1f}", ""],
        ["flow, 2 probes, 24 steps, a difference with common probes", f"{differences:.2f}", ""],
    ]
    return Measurement(
        "Precision of a difference",
        f"ln L at the largest {ONE} less that at the least, of fields drawn by the model: standard "
        "deviation over four seeds, mean over two windows [nats], and the standard error that is "
        "said. Below, that of the probability-flow ODE from gamma_min: a seed has the same probes "
        "at all parameters, too; but it counts what a model says of noise that no solver visits.",
        [],
        ["estimate", "scatter [nats]", "said"],
        table,
    )


def _flow(
    model: Emulator, windows: xr.Dataset, members: np.ndarray, ends: list[list[dict[str, float]]]
) -> tuple[float, float]:
    """Scatter over seeds of a log-likelihood, and of a difference, by :meth:`log_likelihood`."""
    found = np.array(
        [
            [
                model.log_likelihood(
                    members[:1], windows.isel(sample=[0]), end[:1], n_steps=24, n_probes=2,
                    seed=seed,
                )["log_likelihood"].values
                for end in ends
            ]
            for seed in range(4)
        ]
    )  # fmt: skip
    values, differences = (
        float(part.var(axis=0, ddof=1).mean() ** 0.5) for part in (found, found[:, 1] - found[:, 0])
    )
    return values, differences


if __name__ == "__main__":
    main()
