"""Needs: disk, memory and core-hours that a config asks for, before anything is queued."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emulator.checks.findings import Inspection
from emulator.config import ExperimentConfig
from emulator.cost.sizes import maps_bytes, projection_bytes
from emulator.data.blocks import parts_of
from emulator.data.projection import project_species
from emulator.data.snapshots import DARK_MATTER, open_snapshot

_PROBE_PARTICLES = 2_000_000


def needs_of_maps(
    config: ExperimentConfig, inspections: Sequence[Inspection], held_out: Sequence[str]
) -> dict[str, float]:
    """Disk for the maps, and memory of a projection and of training [bytes].

    Parameters
    ----------
    config
        The experiment.
    inspections
        Of all simulations; those of ready windows say how many there are.
    held_out
        Simulations that training never reads.

    Returns
    -------
    ``maps_bytes_a_simulation`` (of the largest), ``maps_bytes``, ``projection_bytes`` of one
    worker (0 for ready maps, which are read whole), and ``training_bytes`` of maps in memory.
    """
    sizes = {
        found.simulation: maps_bytes(config, int(found.facts.get("windows", 0)))
        for found in inspections
    }
    trained = sum(size for name, size in sizes.items() if name not in held_out)
    projected = config.suite.kind in ("embedded", "files")
    return {
        "maps_bytes_a_simulation": max(sizes.values(), default=0.0),
        "maps_bytes": sum(sizes.values()),
        "projection_bytes": projection_bytes(config.data) if projected else 0.0,
        "training_bytes": trained if config.training.cache == "memory" else 0.0,
    }


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
    part, _ = parts_of(snapshot, DARK_MATTER)[0].split_at(_PROBE_PARTICLES)
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
