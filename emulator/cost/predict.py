"""What a whole config will cost: jobs, hours, memory and disk, stage by stage."""

import math
from pathlib import Path
from typing import NamedTuple

from emulator.config import ExperimentConfig, blocks_of
from emulator.cost.network import network_cost
from emulator.cost.painting import PaintingWork, painting_work
from emulator.cost.probe import NetworkSpeed, probe_network
from emulator.cost.requests import (
    Request,
    audit_evaluations,
    calibration_evaluations,
    evaluations,
    passes,
    requests,
    step_passes,
    tuning_evaluations,
)
from emulator.cost.rough import VALUES_PER_SECOND
from emulator.cost.sizes import ensemble_bytes
from emulator.data.splits import split_runs
from emulator.suites import suite_of
from emulator.suites.base import Suite

JOB_SECONDS = 10.0
"""What a job costs on a cluster before it works: two starts of Snakemake and one of srun."""

WEIGHT_BYTES = 48.0
"""A weight on disk: bundle (raw and averaged) and two resume states of five numbers each."""

SOLVER_BYTES = 1e4
"""What was found for a model, with the table of all that was tried; of a calibration likewise."""

AUDIT_BYTES = 2e6
"""Spectra of a few boxes, and the maps of one."""


class StageCost(NamedTuple):
    """Cost of all jobs of a stage; ``seconds`` is what they work for, one after the other."""

    stage: str
    jobs: int
    request: Request
    seconds: float
    disk_bytes: float

    @property
    def core_hours(self) -> float:
        """Cores that are held, for as long as the jobs work and start."""
        return self.jobs_seconds * self.request.cores / 3600.0

    @property
    def gpu_hours(self) -> float:
        """GPUs that are held, likewise."""
        return self.jobs_seconds * self.request.gpus / 3600.0

    @property
    def jobs_seconds(self) -> float:
        """Work and the start of every job."""
        return self.seconds + self.jobs * JOB_SECONDS

    @property
    def overhead(self) -> float:
        """Share of the time that goes into starting jobs."""
        return self.jobs * JOB_SECONDS / self.jobs_seconds


class Prediction(NamedTuple):
    """Costs by stage, and what they rest on."""

    name: str
    stages: list[StageCost]
    notes: list[str]


def predict(config: ExperimentConfig, root: Path | None, *, gpu_tflops: float | None) -> Prediction:
    """Predict the cost of a config from short probes on this machine.

    Parameters
    ----------
    config
        The experiment.
    root
        Folder of the suite; None: where its config says.
    gpu_tflops
        Arithmetic that the network reaches on a GPU of the cluster [TFLOP/s], if that is where it
        will run and there is none here; None: the device of this machine.

    Raises
    ------
    DataError
        If the first simulation of an existing suite is missing or damaged.
    """
    suite = suite_of(config, root)
    if not suite.has_twins:
        return _predict_targets(config, suite, gpu_tflops)
    runs, asked = suite.runs, requests(config, suite)
    sampled = suite.sampled(split_runs(runs, config.data.split)["test"])
    n_blocks = len(blocks_of(list(runs), config.blocks.runs))
    n_ensembles = len(blocks_of(sampled, config.blocks.simulations))
    seeds = len(config.training.seeds)
    simulate, project, note = suite.probe(config.data)
    notes = [note]
    speed = probe_network(config)
    train, sample, tune, calibrate, audit = _network_seconds(
        config, speed, len(sampled), gpu_tflops, notes
    )
    if gpu_tflops is None and not speed.gpu:  # they will run where they were timed
        for stage in asked.keys() & {"train", "regress"}:
            asked[stage] = asked[stage]._replace(gpus=0, cores=speed.threads)
        for stage in asked.keys() & {"sample", "tune", "calibrate", "audit"}:
            asked[stage] = asked[stage]._replace(gpus=0)
        sample *= speed.threads / asked["sample"].cores
        audit *= speed.threads / asked["audit"].cores
    ensemble = ensemble_bytes(config)
    check = len(sampled) * ensemble / 4 / VALUES_PER_SECOND
    maps = len(suite.simulations) * suite.maps_bytes(config.data)
    once = config.training.batch_size / passes(config)  # of each window, whatever the model does
    saved, regression = WEIGHT_BYTES * network_cost(config).n_weights, config.regression.max_steps
    work = {
        "simulate": (n_blocks, simulate, suite.snapshot_bytes()),
        "project": (n_blocks, project, maps),
        "fit": (1, maps / 1e8, 0.0),
        "train": (seeds, seeds * train, seeds * saved),
        "regress": (1, train * regression * once / config.training.max_steps, saved),
        "tune": (seeds, seeds * tune, seeds * SOLVER_BYTES),
        "calibrate": (seeds, seeds * calibrate, seeds * SOLVER_BYTES),
        "sample": (n_ensembles, sample, len(sampled) * ensemble),
        "audit": (1, audit, AUDIT_BYTES),
        "validate": (1, check, 0.0),
        "report": (1, 10.0 + check / 10, 5e6),
    }
    if not suite.is_simulated:
        del work["simulate"]
    if not regression:
        del work["regress"]
    for stage in {"tune", "calibrate"} - asked.keys():
        del work[stage]
    stages = [StageCost(stage, jobs, asked[stage], *rest) for stage, (jobs, *rest) in work.items()]
    notes += _warnings(config, stages)
    painting = painting_work(config, suite)
    if painting is not None:
        stages.append(_paint(painting, speed, gpu_tflops, notes))
    return Prediction(config.name, stages, notes)


def _predict_targets(
    config: ExperimentConfig, suite: Suite, gpu_tflops: float | None
) -> Prediction:
    """Of dark-matter-only runs alone, which are projected and painted."""
    _, project, note = suite.probe(config.data)
    blocks = blocks_of(list(suite.runs), config.blocks.runs)
    disk = len(suite.simulations) * suite.maps_bytes(config.data)
    request = requests(config, suite)["project"]
    stages, notes = [StageCost("project", len(blocks), request, project, disk)], [note]
    notes += _warnings(config, stages)
    painting = painting_work(config, suite)
    if painting is None:
        notes.append("paint: painting.model is not given, so nothing is painted")
    else:
        stages.append(_paint(painting, probe_network(painting.config), gpu_tflops, notes))
    return Prediction(config.name, stages, notes)


def _paint(
    work: PaintingWork, speed: NetworkSpeed, gpu_tflops: float | None, notes: list[str]
) -> StageCost:
    """Of the target `paint`, which is none of those of `all`."""
    here = gpu_tflops is None
    rate = speed.sampling_flop_per_second if gpu_tflops is None else 1e12 * gpu_tflops
    request = work.request._replace(gpus=0) if here and not speed.gpu else work.request
    seconds = work.flop / rate * (speed.threads if request.gpus == 0 else 1)
    notes.append("paint: of the target `paint`, which is asked for by its name")
    return StageCost("paint", work.jobs, request, seconds, work.disk_bytes)


def _network_seconds(
    config: ExperimentConfig,
    speed: NetworkSpeed,
    n_sampled: int,
    gpu_tflops: float | None,
    notes: list[str],
) -> tuple[float, float, float, float, float]:
    """Seconds of one training, all ensembles, one model's search, its calibration, and audits."""
    training, sampling = speed.training_flop_per_second, speed.sampling_flop_per_second
    where = f"on this machine ({speed.device})"
    if gpu_tflops is not None:
        training = sampling = 1e12 * gpu_tflops
        where = "on a GPU, as you said"
    options = config.training
    devices = options.devices * options.num_nodes
    flop = options.max_steps * step_passes(config) * 3 * speed.forward_flop
    draws = n_sampled * evaluations(config) * speed.forward_flop
    notes.append(
        f"train, sample: {speed.forward_flop / 1e9:.3g} GFLOP a window; "
        f"{training / 1e12:.3g} TFLOP/s in training, {sampling / 1e12:.3g} in sampling, {where}"
    )
    if devices > 1:
        notes.append(f"train: {devices} devices are taken to be {devices} times as fast")
    searched = tuning_evaluations(config) * speed.forward_flop
    calibrated = calibration_evaluations(config) * speed.forward_flop
    audited = audit_evaluations(config) * speed.forward_flop
    return (
        flop / training / devices, draws / sampling, searched / sampling, calibrated / sampling,
        audited / sampling,
    )  # fmt: skip


def _warnings(config: ExperimentConfig, stages: list[StageCost]) -> list[str]:
    """Blocks that would make jobs long enough to be worth their start, where they are not."""
    found = []
    for stage, key in (("simulate", "runs"), ("project", "runs"), ("sample", "simulations")):
        cost = next((c for c in stages if c.stage == stage), None)
        if cost is None or cost.jobs == 1 or cost.overhead <= 0.1:
            continue
        now = getattr(config.blocks, key)
        wanted = math.ceil(now * 9 * JOB_SECONDS * cost.jobs / max(cost.seconds, 1e-9))
        found.append(
            f"{stage}: on a cluster {cost.overhead:.0%} of the time would start jobs; "
            f"blocks.{key}: {wanted} (now {now}) makes them full"
        )
    return found
