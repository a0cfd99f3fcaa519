"""Probes: short measurements on this machine, of the code that the stages run."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from emulator.config import ExperimentConfig, set_of
from emulator.model.build import build_backbone, interface_of
from emulator.networks.summary import blank_inputs, summarise
from emulator.projection.blocks import parts_of
from emulator.projection.pair import project_species
from emulator.readers.snapshots import DARK_MATTER, open_snapshot
from emulator.simulate.simulate import simulate_run, write_tables
from emulator.suites.mapmaking import project_simulation

PROBE_PARTICLES = 2_000_000
PROBE_FLOP = 2.0e10
"""Arithmetic of a timed pass, at least a window: a second on a slow core."""


class EmbeddedSpeed(NamedTuple):
    """Seconds of a run of each set, and of the projection of a simulation."""

    simulate_seconds: dict[str, float]
    project_seconds: float


class NetworkSpeed(NamedTuple):
    """Counted costs of the network, and the arithmetic that this machine does in a second."""

    forward_flop: float
    training_flop_per_second: float
    sampling_flop_per_second: float
    device: str
    gpu: bool
    threads: int


def probe_projection(
    config: ExperimentConfig, root: str | Path, simulation: str, n_particles: float
) -> dict[str, Any]:
    """Core-hours of all projections, from the first particles of one snapshot.

    Returns
    -------
    ``particles_per_second`` of one core, and ``projection_core_hours`` for ``n_particles``; empty
    for suites of ready maps.

    Raises
    ------
    DataError
        What is wrong with this snapshot.
    """
    suite, data = config.suite, config.data
    if suite.kind not in ("embedded", "files"):
        return {}
    snapshot = open_snapshot(suite.path("dmo_snapshot", root, simulation), suite.header)
    part, _ = parts_of(snapshot, DARK_MATTER)[0].split_at(PROBE_PARTICLES)
    seconds = 0.0
    for probed in (part.split_at(1)[0], part):  # the first call compiles
        start = time.perf_counter()
        project_species(
            [probed],
            n_pixels=data.n_pixels,
            slabs=data.slabs,
            kernel=data.deposit,
            block_particles=data.block_particles,
        )
        seconds = time.perf_counter() - start
    rate = len(part) / seconds
    return {
        "particles_per_second": rate,
        "projection_core_hours": n_particles / rate / 3600.0,
    }


def probe_embedded(config: ExperimentConfig) -> EmbeddedSpeed:
    """Make one run of each set and project one simulation, in a scratch folder.

    A first, tiny run compiles; it is not timed.
    """
    suite = config.suite
    if suite.kind != "embedded":
        raise ValueError(f"expected the embedded suite, got {suite.kind}")
    tiny = suite.model_copy(update={"n_particles": 16, "mesh": 32, "n_steps": 2})
    with tempfile.TemporaryDirectory() as name:
        simulate_run(tiny, next(iter(tiny.runs())), Path(name))
    firsts = {set_of(members[0]): run for run, members in reversed(list(suite.runs().items()))}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_tables(suite, root)
        seconds = {
            which: seconds_of(partial(simulate_run, suite, run, root))
            for which, run in firsts.items()
        }
        simulation = suite.runs()[next(iter(firsts.values()))][0]
        probe_ready(config, root, simulation)  # the first call compiles
        return EmbeddedSpeed(seconds, probe_ready(config, root, simulation))


def probe_ready(config: ExperimentConfig, root: Path, simulation: str) -> float:
    """Seconds of the projection of one simulation, written to a scratch folder."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "maps.h5"
        return seconds_of(
            lambda: project_simulation(config.suite, config.data, root, simulation, output)
        )


def probe_network(config: ExperimentConfig) -> NetworkSpeed:
    """Time a few passes of the network, with and without gradients, on a GPU if there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, data = config.model, config.data
    interface = interface_of(
        config.channels, len(data.context_factors), len(model.params), config.diffusion
    )
    network = build_backbone(model.network, interface)
    inputs = partial(blank_inputs, interface, (data.window,) * 2)
    mixed = config.training.precision == "bf16"
    flop = summarise(network, inputs).forward_flop
    network = network.to(device)
    batch = max(1, min(config.training.batch_size, round(PROBE_FLOP / flop)))
    arguments = [tensor.to(device) for tensor in inputs(batch)]

    def forward() -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            return network(*arguments)

    def step() -> None:
        forward().float().square().mean().backward()

    with torch.no_grad():
        sampling = _repeated(forward, device)
    training = _repeated(step, device)
    return NetworkSpeed(
        forward_flop=flop,
        training_flop_per_second=3 * flop * batch / training,
        sampling_flop_per_second=flop * batch / sampling,
        device=_name_of(device),
        gpu=device.type == "cuda",
        threads=torch.get_num_threads(),
    )


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _repeated(work: Callable[[], object], device: torch.device, *, times: int = 3) -> float:
    """Mean time of a few calls after a first one that is not timed."""

    def once() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    once()
    began = time.perf_counter()
    for _ in range(times):
        once()
    return (time.perf_counter() - began) / times


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
