"""Needs: disk and memory that the maps of a suite ask for, before anything is queued."""

from collections.abc import Sequence

from emulator.config import ExperimentConfig
from emulator.cost.sizes import projection_bytes
from emulator.suites.base import Suite
from emulator.suites.findings import Inspection


def needs_of_maps(
    config: ExperimentConfig,
    suite: Suite,
    inspections: Sequence[Inspection],
    held_out: Sequence[str],
) -> dict[str, float]:
    """Disk for the maps, and memory of a projection and of training [bytes].

    Parameters
    ----------
    config, suite
        The experiment, and its simulations.
    inspections
        Of all simulations; those of ready windows say how many there are.
    held_out
        Simulations that training never reads.

    Returns
    -------
    ``maps_bytes_a_simulation`` (of the largest), ``maps_bytes``, ``projection_bytes`` of one
    worker (0 for ready maps, which are read whole), and ``training_bytes`` of maps in memory.
    """
    sizes = {f.simulation: suite.maps_bytes(config.data, f.facts) for f in inspections}
    trained = sum(size for name, size in sizes.items() if name not in held_out and suite.has_twins)
    return {
        "maps_bytes_a_simulation": max(sizes.values(), default=0.0),
        "maps_bytes": sum(sizes.values()),
        "projection_bytes": projection_bytes(config.data) if suite.projects else 0.0,
        "training_bytes": trained if config.training.cache == "memory" else 0.0,
    }
