"""Seconds of a job of each stage from the config alone, for the line of a run without a prediction.

Nothing is timed and nothing heavy is imported, so that the workflow can ask at every start. Rates
are those of the demo on two cores: shares of the whole are right to some ten per cent there, and to
a factor elsewhere. `emulator cost CONFIG` times the real code instead.
"""

from pathlib import Path

from emulator.config import ExperimentConfig, blocks_of
from emulator.cost.network import network_cost
from emulator.cost.requests import (
    GPU_FLOP_PER_SECOND,
    PARTICLES_PER_SECOND,
    audit_evaluations,
    calibration_evaluations,
    evaluations,
    passes,
    step_passes,
    tuning_evaluations,
)
from emulator.cost.sizes import ensemble_bytes
from emulator.data.splits import split_runs
from emulator.suites.base import Suite

CPU_FLOP_PER_SECOND = 3.0e11
"""Of the network on two cores."""

CELLS_PER_SECOND = 2.5e7
OUTCOMES_PER_SECOND = 5.0e5

PROJECTS_FASTER = 3.0
"""Than jobs are given time for (:data:`PARTICLES_PER_SECOND`): files are in memory."""

MAPS_BYTES_PER_SECOND = 1.0e8
VALUES_PER_SECOND = 6.0e5
"""Members' pixels that validation and report work through; measured on the demo (one core)."""

START_SECONDS = 3.0
"""Of a job on this machine: Python and its libraries."""

GPU = Path("/dev/nvidia0")


def rough_seconds(config: ExperimentConfig, suite: Suite) -> dict[str, float]:
    """Seconds of a job of every stage that a run of all may need, its start included.

    Parameters
    ----------
    config
        The experiment.
    suite
        Its simulations; empty where they have no twins, of which nothing is learned.
    """
    if not suite.has_twins:
        return {}
    runs, training = suite.runs, config.training
    sampled = suite.sampled(split_runs(runs, config.data.split)["test"])
    maps = len(suite.simulations) * suite.maps_bytes(config.data)
    flop = network_cost(config).forward_flop
    on_gpu = training.accelerator != "cpu" and GPU.exists()
    rate = GPU_FLOP_PER_SECOND if on_gpu else CPU_FLOP_PER_SECOND
    train = training.max_steps * step_passes(config) * 3 * flop / rate
    once = training.batch_size / passes(config)
    check = len(sampled) * ensemble_bytes(config) / 4 / VALUES_PER_SECOND
    ensembles = len(blocks_of(sampled, config.blocks.simulations))
    projected = len(suite.simulations) * suite.particles() / PROJECTS_FASTER
    of_blocks = len(blocks_of(list(runs), config.blocks.runs))
    seconds = {
        "simulate": _simulated(config, suite) / of_blocks,
        "project": projected / PARTICLES_PER_SECOND[config.data.deposit] / of_blocks,
        "fit": maps / MAPS_BYTES_PER_SECOND,
        "train": train,
        "regress": train * config.regression.max_steps * once / training.max_steps,
        "tune": tuning_evaluations(config) * flop / rate,
        "calibrate": calibration_evaluations(config) * flop / rate,
        "sample": len(sampled) * evaluations(config) * flop / rate / max(ensembles, 1),
        "audit": audit_evaluations(config) * flop / rate,
        "validate": check,
        "report": 10.0 + check / 10,
    }
    return {stage: START_SECONDS + value for stage, value in seconds.items()}


def _simulated(config: ExperimentConfig, suite: Suite) -> float:
    """Seconds of all runs of the embedded suite; 0 of others."""
    work = suite.work()
    if work is None:
        return 0.0
    gravity = len(suite.runs) * work.steps * (work.cells + work.particles) / CELLS_PER_SECOND
    return gravity + len(suite.simulations) * work.particles / OUTCOMES_PER_SECOND
