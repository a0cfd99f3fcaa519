"""The error of solvers with a trained network: the demo's, on its validation split.

The truth is the same ordinary differential equation from the same noise, solved with many steps:
what differs is the solver alone. Deterministic solvers only.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from emulator.config import SamplingConfig
from emulator.config.solvers import GammaSpacing, LogisticSpacing
from emulator.data.maps import read_maps
from emulator.data.splits import read_splits
from emulator.metrics.power_spectrum import power_spectrum
from emulator.model.bundle import bundles_in
from emulator.sampling.ensemble import Emulator
from emulator.sampling.loading import load_bundle

RESULTS, MAPS = Path("results/demo"), Path("data/processed/demo/maps")
N_SIMULATIONS, N_MEMBERS, REFERENCE_STEPS, FLOOR_MSUNH = 4, 3, 250, 1e8

RUNS: tuple[dict[str, object], ...] = (
    {"solver": "ddim", "n_steps": 20},
    {"solver": "heun", "n_steps": 39},
    {"solver": "dpm++2m", "n_steps": 20},
    {"solver": "dpm++2m", "n_steps": 32},
    {"solver": "unipc2", "n_steps": 20},
    {"solver": "unipc3", "n_steps": 12},
    {"solver": "unipc3", "n_steps": 16},
    {"solver": "unipc3", "n_steps": 20},
    {"solver": "unipc3", "n_steps": 20, "spacing": "t"},
    *(
        {
            "solver": {"name": "abm2", "centre": centre},
            "n_steps": 16,
            "spacing": {"name": "logistic", "centre": centre},
        }
        for centre in (0.0, 2.0)
    ),
)


def measure_network() -> str:
    """Table of errors of each run; a minute."""
    model = load_bundle(bundles_in(RESULTS / "model")[0])
    simulations = read_splits(RESULTS / "splits.json")["validation"][:N_SIMULATIONS]
    reference = _draw(model, simulations, {"solver": "unipc3", "n_steps": REFERENCE_STEPS})
    power = _mean_power(model, reference)
    channels = model.channels
    table = [
        "\n### With a trained network\n",
        f"The network of the demo on {len(simulations)} validation simulations (all windows of one "
        f"projection, {N_MEMBERS} members), against {REFERENCE_STEPS} evaluations from the same "
        "noise: largest relative error of P(k) up to the Nyquist wave number, and rms difference "
        "of log10 mass [dex] over all pixels and channels.\n",
        f"| solver | evaluations | spacing | {' | '.join(f'P, {c} [%]' for c in channels)} | rms |",
        "| --- | ---: | --- |" + " ---: |" * (len(channels) + 1),
    ]
    for run in RUNS:
        print(f"running {run}", file=sys.stderr, flush=True)
        fields = _draw(model, simulations, run)
        errors = abs(_mean_power(model, fields) / power - 1).max("k").values
        apart = np.log10(fields + FLOOR_MSUNH) - np.log10(reference + FLOOR_MSUNH)
        options = SamplingConfig.model_validate(run)
        grid = options.spacing or GammaSpacing(name="gamma")
        spacing: str = grid.name
        if isinstance(grid, LogisticSpacing):
            spacing += f", centre {grid.centre:g}"
        cells = [f"{100 * e:.2f}" for e in errors] + [f"{float(np.sqrt((apart**2).mean())):.3f}"]
        row = [options.solver.name, str(options.n_steps), spacing, *cells]
        table.append(f"| {' | '.join(row)} |")
    return "\n".join(table) + "\n"


def _draw(model: Emulator, simulations: Sequence[str], options: dict[str, object]) -> xr.DataArray:
    """Fields of all windows of one projection of each simulation."""
    window = model.card.matter_grid.window
    drawn: list[xr.DataArray] = []
    for name in simulations:
        maps = read_maps(MAPS / f"{name}.h5")
        places = range(window // 2, maps.n_pixels, window)
        drawn.append(
            model.sample(
                maps.select(["dmo"])[0, 0],
                {name: maps.params[name] for name in model.params},
                centres=[(y, x) for y in places for x in places],
                n_members=N_MEMBERS,
                sampling=SamplingConfig.model_validate(options),
            ).fields
        )
    return xr.concat(drawn, "sample")


def _mean_power(model: Emulator, fields: xr.DataArray) -> xr.DataArray:
    """Mean over members and windows of the power of each, by channel."""
    relative = fields / fields.mean()
    power = power_spectrum(relative, pixel_mpch=model.card.matter_grid.pixel_mpch)
    mean: xr.DataArray = power.mean(("sample", "member"))
    return mean
