"""A small ablation at equal budget, on the suite of the demo: what the defaults are chosen by.

Every variant is the demo with one choice changed, trained for the same number of steps with the
same seeds, and scored on windows of the validation split. What was measured is kept run by run in
``ablation.json``: a second call measures what is missing.
"""

import multiprocessing
import os
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
import yaml

from analysis.benchmarks.tables import Measurement
from emulator.config import EmbeddedSuite, ExperimentConfig, parse_config
from emulator.io import read_json, write_json

ROOT = Path(__file__).parents[3]
RUNS = Path(__file__).with_name("ablation.json")
STEPS, SEEDS, MEMBERS, WINDOWS = 600, (0, 1), 6, 12

FLAT = {"schedule": "fixed_linear"}
LOG = [
    {"name": "dm_hydro", "transform": "log"},
    {"name": "gas", "transform": "log"},
    {"name": "stars", "transform": "hurdle", "floor": 1e9, "loss_weight": 3.0},
]
NO_HURDLE = [
    {"name": "dm_hydro", "transform": "log_ratio"},
    {"name": "gas", "transform": "log_ratio"},
    {"name": "stars", "transform": "log_ratio", "loss_weight": 3.0},
]

VARIANTS: dict[str, dict[str, Any]] = {
    "default: v, logistic, plain": {},
    "x-prediction": {"diffusion": {"prediction": "x"}},
    "eps-prediction": {"diffusion": {"prediction": "eps"}},
    "v, uniform gamma, bound": {"diffusion": {**FLAT, "weight": "bound"}},
    "eps, uniform gamma, bound": {"diffusion": {**FLAT, "weight": "bound", "prediction": "eps"}},
    "v, uniform gamma, sigmoid weight": {"diffusion": {**FLAT, "weight": "sigmoid"}},
    "EDM": {"diffusion": {"schedule": "edm", "prediction": "edm", "weight": "edm"}},
    "flow matching": {
        "diffusion": {
            "path": "linear", "prediction": "velocity", "logistic_loc": 0.0, "logistic_scale": 2.0,
        }
    },
    "log, not relative to DMO": {"model": {"channels": LOG}},
    "stars without hurdle": {"model": {"channels": NO_HURDLE}},
    "windows drawn without tilt": {"training": {"mass_tilt": 0.0}},
    "no context": {"data": {"context_factors": []}},
    "environment strength 0": {"suite": {"environment_strength": 0.0}},
    "environment strength 0, no context": {
        "suite": {"environment_strength": 0.0}, "data": {"context_factors": []},
    },
}  # fmt: skip
"""Changes of the demo's config, by name."""

REFERENCE = {"environment strength 0, no context": "environment strength 0"}
"""Which variant a variant is compared with; the default where none is named."""


def measure() -> list[Measurement]:
    """All of this section: half an hour on two cores; the demo's maps must be there."""
    done = read_json(RUNS, sealed=False) if RUNS.is_file() else {}
    for strength in (0.2, 0.0):
        _prepare(strength)
    missing = [(v, s) for s in SEEDS for v in VARIANTS if f"{v}/{s}" not in done]
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for key, scores in pool.imap_unordered(_run, missing):
            done[key] = scores
            write_json(RUNS, dict(sorted(done.items())), sealed=False)
    rows = [_row(name, done) for name in VARIANTS]
    note = (
        f"The demo's network, {STEPS} steps of 32 windows, seeds {', '.join(map(str, SEEDS))}; "
        f"{WINDOWS} windows of each of 6 validation simulations, {MEMBERS} members. CRPS is in "
        "percent of the default's (of `environment strength 0` for the last row), mean of the "
        "seeds (nan: masses overflowed); P is the largest departure of the summed power from the "
        "truth, 1 <= k <= 8 h/Mpc, in percent, one number a seed; spread is the spread-skill "
        "ratio. The budget is less than half of the demo's, so the figures rank choices and say "
        "nothing about what the demo reaches; differences that are not larger than those between "
        "seeds are none."
    )
    channels = ("dm", "gas", "stars")
    header = ["variant", *(f"{what} {c}" for what in ("CRPS", "P", "spread") for c in channels)]
    return [Measurement("Ablation", note, [], header, rows)]


def config_of(variant: str) -> ExperimentConfig:
    """The demo with one choice changed, at the budget of the ablation."""
    raw = yaml.safe_load((ROOT / "configs/demo.yaml").read_text())
    changes = deepcopy(VARIANTS[variant])
    for section in ("suite", "data", "model", "diffusion", "training"):
        raw[section] = {**raw.get(section, {}), **changes.get(section, {})}
    raw["training"] |= {"max_steps": STEPS, "ensemble_every": 0}
    raw["sampling"] = {"n_members": MEMBERS, "windows_per_simulation": WINDOWS}
    return parse_config(raw)


def _folder(strength: float) -> Path:
    """Maps of the demo's suite, or of its twin without environment."""
    name = "demo" if strength == 0.2 else "demo-strength-0"
    return ROOT / f"data/processed/{name}/maps"


def _prepare(strength: float) -> None:
    """Simulate and project what is not there: two minutes for a whole suite."""
    from emulator.suites import build_suite
    from emulator.suites.mapmaking import project_simulation

    folder = _folder(strength)
    config = config_of("default: v, logistic, plain")
    section = config.suite.model_copy(update={"environment_strength": strength})
    with tempfile.TemporaryDirectory() as raw:
        suite = build_suite(section, raw)
        wanted = {run: names for run, names in suite.runs.items() if run.startswith("SB")}
        for run, names in wanted.items():
            if all((folder / f"{name}.h5").is_file() for name in names):
                continue
            suite.write_tables()
            suite.simulate(run)
            for name in names:
                project_simulation(suite, config.data, name, folder / f"{name}.h5")


Scores = dict[str, list[float | None]]


def _run(job: tuple[str, int]) -> tuple[str, Scores]:
    """Train and score one variant with one seed."""
    import torch

    from emulator.data.splits import split_runs
    from emulator.model.fit import fit_normalisation
    from emulator.sampling.held_out import cut_windows, draw_members
    from emulator.sampling.loading import load_bundle
    from emulator.training.trainer import train

    torch.set_num_threads(1)
    variant, seed = job
    config = config_of(variant)
    suite = cast(EmbeddedSuite, config.suite)
    maps = _folder(suite.environment_strength)
    splits = split_runs(suite.runs(), config.data.split)
    paths = [maps / f"{name}.h5" for name in splits["train"]]
    normalisation = fit_normalisation(
        paths, config.channels, config.model.params, config.data.context_factors
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(config, normalisation, splits, seed=seed, maps_dir=maps, state_dir=folder,
              output=folder / "model")  # fmt: skip
        model = load_bundle(folder / "model")
        drawn = [
            draw_members(
                model,
                cut_windows(
                    model, maps / f"{simulation}.h5", [], config.sampling, split="validation"
                ),
                config.sampling,
                range(MEMBERS),
            )
            for simulation in splits["validation"]
        ]
    return f"{variant}/{seed}", _scores(drawn)


def _scores(drawn: list[xr.Dataset]) -> Scores:
    """CRPS, power error and spread-skill of each channel over all windows."""
    from emulator.metrics.calibration import crps, spread_and_skill, spread_skill_ratio
    from emulator.metrics.power_spectrum import power_spectrum

    keep = ["fields", "truth"]
    data = xr.concat([one[keep] for one in drawn], "sample")
    over = ("sample", "y", "x")
    unit, pixel = data.truth.mean(over), float(drawn[0].attrs["pixel_mpch"])
    power = power_spectrum(data.fields / unit, pixel_mpch=pixel).mean(("sample", "member"))
    wanted = power_spectrum(data.truth / unit, pixel_mpch=pixel).mean("sample")
    inside = (power["k"] >= 1.0) & (power["k"] <= 8.0)
    error = abs(power / wanted - 1.0).where(inside).max("k")
    spread, skill = (part.mean(over) for part in spread_and_skill(data.fields, data.truth))
    ratio = spread_skill_ratio(spread, skill, data.sizes["member"])
    scores = {"crps": crps(data.fields, data.truth).mean(over), "power": error, "spread": ratio}
    return {name: [_finite(v) for v in values.values] for name, values in scores.items()}


def _finite(value: float) -> float | None:
    """JSON has neither NaN nor infinity; fields that overflowed have no score."""
    return float(value) if np.isfinite(value) else None


def _row(variant: str, done: dict[str, Any]) -> list[str]:
    """Row of the table: means over seeds, or one number a seed."""
    reference = REFERENCE.get(variant, "default: v, logistic, plain")
    seeds = [s for s in SEEDS if f"{variant}/{s}" in done and f"{reference}/{s}" in done]
    if not seeds:
        return [variant, *["not measured"] * 9]

    def of(name: str, score: str) -> np.ndarray:
        return np.array([done[f"{name}/{seed}"][score] for seed in seeds], float)  # None: NaN

    crps = 100 * of(variant, "crps").mean(0) / of(reference, "crps").mean(0)
    power = [" / ".join(f"{100 * v:.0f}" for v in column) for column in of(variant, "power").T]
    spread = [f"{v:.2f}" for v in of(variant, "spread").mean(0)]
    shown = (f"{v:.0f}" if v < 1000 else ">1000" for v in crps)
    return [variant, *shown, *power, *spread]
