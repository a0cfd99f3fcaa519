"""What a job of each stage asks the scheduler for: memory and time, by the size of the config.

Generous: a job that asks for too little is killed. Memory is that of the parts that grow with the
config, on top of what Python and its libraries hold; times assume a slow core and a slow GPU. The
profile of a site overrides any of them (``set-resources``), and a job that is tried again asks for
more.
"""

from typing import NamedTuple

from emulator.config import EVALUATIONS, AutoConfig, ExperimentConfig, blocks_of
from emulator.cost.network import network_cost
from emulator.cost.sizes import (
    audit_bytes,
    calibration_bytes,
    ensemble_bytes,
    projection_bytes,
    tuning_bytes,
)
from emulator.suites.base import Suite

PYTHON_MB, TORCH_MB, GPU_MB = 400, 1000, 4000
"""Python with its libraries; with torch; with the libraries of a GPU."""

VALIDATION_CORES = 2
"""Simulations that are validated side by side: each wants its maps and its ensemble in memory."""

TRAINING_CORES = 8
"""Cores of a training, unless its threads are given or its loaders need more; on a machine with
fewer, all of them."""

DAY = 1440
"""Longest time that is asked for [minutes]; a training that needs more goes on from its state."""

PARTICLES_PER_SECOND = {"ngp": 2.0e6, "cic": 2.0e6, "tsc": 2.0e6, "adaptive": 3.0e5}
"""Of a projection, by kernel; the first are what a slow disk delivers."""

OUTCOMES_PER_SECOND = 3.0e5
"""Particles of the embedded suite that get their baryons."""

CELLS_PER_SECOND = 5.0e6
"""Cells and particles of a gravity step."""

GPU_FLOP_PER_SECOND = 5.0e12
SAFETY = 3.0


class Request(NamedTuple):
    """What one job asks for; GPUs are those of all its nodes."""

    memory_mb: int
    minutes: int
    cores: int = 1
    gpus: int = 0


def requests(config: ExperimentConfig, suite: Suite) -> dict[str, Request]:
    """Request of a job of each stage; ``regress``, ``tune``, ``calibrate`` only where asked for.

    That of a job that paints depends on its box: :func:`emulator.cost.painting.paint_request`.

    Parameters
    ----------
    config
        The experiment; a job does a block of it (``blocks``).
    suite
        Its simulations.
    """
    training = config.training
    runs, workers = suite.runs, suite.workers
    gpus = 0 if training.accelerator == "cpu" else training.devices * training.num_nodes
    largest = max(
        sum(len(runs[run]) for run in block)
        for block in blocks_of(list(runs), config.blocks.runs).values()
    )
    trained = sum(map(len, runs.values())) if training.cache == "memory" else 0
    maps, network = suite.maps_bytes(config.data), network_cost(config)
    ensemble = ensemble_bytes(config, redraws=max(map(len, runs.values())) - 1)
    rate = PARTICLES_PER_SECOND[config.data.deposit]
    draws = evaluations(config) * config.blocks.simulations
    step_flop = 3 * network.forward_flop * step_passes(config)
    batch = passes(config) / (training.accumulate * training.devices)
    train = Request(
        mb(GPU_MB, trained * maps + 20 * network.n_weights + batch * network.activation_bytes),
        minutes_of(training.max_steps * step_flop / GPU_FLOP_PER_SECOND, least=60),
        max(training.threads or TRAINING_CORES, training.devices * (training.loader_workers + 1)),
        gpus,
    )
    regress_flop = 3 * network.forward_flop * training.batch_size
    seconds = config.regression.max_steps * regress_flop / GPU_FLOP_PER_SECOND
    searched = tuning_evaluations(config)
    tune = Request(
        mb(GPU_MB, 2 * maps + 4 * tuning_bytes(config) + 4 * network.n_weights),
        minutes_of(searched * network.forward_flop / GPU_FLOP_PER_SECOND, least=30),
        gpus=1,
    )
    calibrated = calibration_evaluations(config)
    calibrate = Request(
        mb(GPU_MB, 2 * maps + 16 * calibration_bytes(config) + 4 * network.n_weights),
        minutes_of(calibrated * network.forward_flop / GPU_FLOP_PER_SECOND, least=30),
        gpus=1,
    )
    regress = {"regress": train._replace(minutes=minutes_of(seconds, least=60))}
    return {
        "simulate": _simulate(config, suite),
        "project": Request(
            mb(PYTHON_MB, workers * projection_bytes(config.data) + 2 * maps),
            minutes_of(largest * suite.particles() / rate / workers),
            workers,
        ),
        "fit": Request(mb(TORCH_MB, 4 * maps), minutes_of(len(runs) * 3.0)),
        "train": train,
        **(regress if config.regression.max_steps else {}),
        **({"tune": tune} if searched else {}),
        **({"calibrate": calibrate} if calibrated else {}),
        "sample": Request(
            mb(GPU_MB, 2 * maps + 3 * ensemble + 4 * network.n_weights),
            minutes_of(draws * network.forward_flop / GPU_FLOP_PER_SECOND, least=30),
            gpus=1,
        ),
        "audit": Request(
            mb(GPU_MB, 4 * maps + audit_bytes(config) + 4 * network.n_weights),
            minutes_of(
                audit_evaluations(config) * network.forward_flop / GPU_FLOP_PER_SECOND, least=30
            ),
            gpus=1,
        ),
        "validate": Request(
            mb(
                TORCH_MB if config.regression.max_steps else PYTHON_MB,
                VALIDATION_CORES * (2 * maps + 8 * ensemble),
            ),
            minutes_of(len(runs) * 30.0 / VALIDATION_CORES),
            VALIDATION_CORES,
        ),
        "report": Request(mb(PYTHON_MB, 2 * maps + 8 * ensemble), 30),
    }


def _simulate(config: ExperimentConfig, suite: Suite) -> Request:
    work = suite.work()
    if work is None:
        return Request(PYTHON_MB, 10)
    seconds = work.steps * (work.cells + work.particles) / CELLS_PER_SECOND
    seconds += work.outcomes * work.particles / OUTCOMES_PER_SECOND
    memory = mb(PYTHON_MB, 300 * work.particles + 40 * work.cells)
    return Request(memory, minutes_of(config.blocks.runs * seconds))


def evaluations(config: ExperimentConfig) -> float:
    """Network evaluations of the ensemble of one simulation; guidance takes two a step."""
    sampling = config.sampling
    members = sampling.n_members * len(config.training.seeds)
    return sampling.windows_per_simulation * members * evaluations_of_member(config)


def passes(config: ExperimentConfig) -> int:
    """Passes through the network in a step of the training, forward and backward."""
    of_window = {"residual": 2, "one_step": config.one_step.members}
    return config.training.batch_size * of_window.get(config.training.objective, 1)


def step_passes(config: ExperimentConfig) -> float:
    """The same with passes that are forward alone, a third of a pass each: those of a teacher."""
    if config.training.objective != "consistency":
        return passes(config)
    forward = 1 + 2 * config.consistency.teacher_steps
    return passes(config) * (1.0 + forward / 3.0)


def tuning_evaluations(config: ExperimentConfig) -> float:
    """Network evaluations of the search for the solver of one model; 0 where there is none."""
    auto = config.sampling.solver
    if not isinstance(auto, AutoConfig):
        return 0.0
    tried = len(auto.candidates) * sum(auto.evaluations) + auto.reference_evaluations
    return float(auto.windows * auto.members * tried * _twice(config))


def calibration_evaluations(config: ExperimentConfig) -> float:
    """Network evaluations of the calibration of one model; 0 where there is none.

    One draw as it was trained; in each round one for each factor of a field, and three at most that
    look for a step which helps. (Twice that, should a threshold of a hurdle field be refused.)
    """
    asked = config.calibration
    if not asked.enabled:
        return 0.0
    factors = 3 if config.training.objective == "one_step" else 1
    draws = 1 + asked.rounds * (factors + 3)
    return float(asked.windows * asked.members * draws * evaluations_of_member(config))


def audit_evaluations(config: ExperimentConfig) -> float:
    """Network evaluations of the audits: windows as they are and changed thrice, and boxes."""
    asked, members = config.audits, config.audits.members * len(config.training.seeds)
    drawn = 4 * asked.windows
    if not config.data.of_arrays:
        stride = max(1, config.data.window // 2)
        drawn += asked.boxes * (-(-config.data.n_pixels // stride)) ** 2
    return float(drawn * members * evaluations_of_member(config))


def evaluations_of_member(config: ExperimentConfig) -> int:
    """Network evaluations of one member of one window."""
    solved = config.sampling.most_steps * _twice(config)
    match config.training.objective:
        case "one_step":
            return 1
        case "consistency":
            return config.sampling.evaluations or EVALUATIONS
        case "residual":
            return solved + 1
        case "diffusion":
            return solved


def _twice(config: ExperimentConfig) -> int:
    """Networks that are asked at each evaluation."""
    return 1 if config.sampling.guidance_scale == 1.0 else 2


def mb(base: float, bytes_more: float) -> int:
    """Memory that is asked for [MB]: libraries, and parts that grow with the config."""
    return round(base + 1.2 * bytes_more / 1e6)


def minutes_of(seconds: float, least: int = 10) -> int:
    """Time that is asked for [minutes], for so much work on slow hardware."""
    return min(DAY, round(least + SAFETY * seconds / 60.0))
