"""Needs: disk and memory that the maps of a suite ask for, before anything is queued."""

from collections.abc import Sequence

from emulator.checks.findings import Inspection
from emulator.config import ExperimentConfig
from emulator.cost.sizes import maps_bytes, projection_bytes


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
