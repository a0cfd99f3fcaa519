"""What a step costs beside the network: its passes over memory, and what comes on top of them."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.solvers import SOLVER_NAMES, build_solver, gamma_grid, solve

SHAPE = (16, 4, 128, 128)
N_NODES, N_REPEATS = 21, 9
BUDGET_MS = 1.0

TERMS = {
    "ancestral": 3, "ddim": 2, "euler": 2, "heun": 6, "dpm++2m": 3, "sde-dpm++2m": 4, "ab2": 3,
    "ab3": 4, "unipc2": 7, "unipc3": 9, "abm2": 9, "abm3": 11, "abm4": 13, "pc": 6,
}  # fmt: skip
"""Fields that a step must read: each term of its linear combinations is one pass over memory."""


def measure_step() -> str:
    """Table of times of a step in milliseconds; under a minute."""
    table = [
        "\n### Time of a step without the network\n",
        f"Fields {SHAPE} in float32, {torch.get_num_threads()} threads; median of {N_REPEATS} "
        f"runs of {N_NODES} nodes, with a network that costs nothing. *Arithmetic* is the time of "
        "as many passes over memory (one for each field that the formulas combine), measured in "
        "the same run; *overhead* is the rest: coefficients, memory, and the check for NaN. The "
        f"bar is {BUDGET_MS:g} ms.\n",
        "| solver | fields combined | step [ms] | arithmetic [ms] | overhead [ms] |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in SOLVER_NAMES:
        step, arithmetic = _times(name)
        cells = [str(TERMS[name]), *(f"{v:.2f}" for v in (step, arithmetic, step - arithmetic))]
        table.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(table) + "\n"


def _times(name: str) -> tuple[float, float]:
    """Time of a step and of its passes over memory [ms], measured in turn."""
    solver, gammas = build_solver(name), gamma_grid(13.0, -8.0, N_NODES)
    z, x, kick = (torch.randn(SHAPE) for _ in range(3))

    def free(z: Tensor, gamma: Tensor) -> Prediction:
        return Prediction(x, x)

    def run() -> None:
        solve(solver, free, z, gammas, lambda: kick)

    def passes() -> None:
        for _ in pairwise(gammas):
            total = torch.mul(z, 0.5)
            for _ in range(TERMS[name] - 1):
                total.add_(x, alpha=0.1)

    steps, arithmetic = _alternate([run, passes])
    n_steps = len(gammas) - 1
    return 1e3 * steps / n_steps, 1e3 * arithmetic / n_steps


def _alternate(jobs: Sequence[Callable[[], None]]) -> list[float]:
    """Median seconds of each job, run in turn so that a drifting machine hits all alike."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for repeat in range(N_REPEATS + 1):
        for job, found in zip(jobs, seconds, strict=True):
            began = time.perf_counter()
            job()
            if repeat:  # the first is a warm-up
                found.append(time.perf_counter() - began)
    return [float(np.median(found)) for found in seconds]
