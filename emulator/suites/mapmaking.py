"""Make the maps file of one simulation: what a suite reads, and whose it is."""

from pathlib import Path

from emulator.config import DataConfig, set_of
from emulator.io import DataError
from emulator.metadata import provenance
from emulator.suites.base import Suite
from emulator.suites.full_maps import write_maps

CONVENTIONS = (
    "mass per pixel; projection x sums over axis x (a slab of depth_mpch); y and x are the other "
    "two axes in increasing order; pixel i covers [i, i+1) * pixel_mpch; comoving lengths"
)
OF_VOLUMES = (
    "mass per voxel; voxel i covers [i, i+1) * pixel_mpch along each of z, y, x; comoving lengths"
)


def project_simulation(
    suite: Suite,
    data: DataConfig,
    simulation: str,
    output: str | Path,
    *,
    redraw: int = 0,
    workers: int = 1,
) -> None:
    """Make the maps of one simulation and write their file; it appears only when it is complete.

    Parameters
    ----------
    suite
        The suite.
    data, simulation, redraw, workers
        See :meth:`~emulator.suites.base.Suite.read_maps`.
    output
        The file to write.

    Raises
    ------
    DataError
        As :meth:`~emulator.suites.base.Suite.read_maps`, and for a name that is none of the suite.
    """
    if simulation not in suite.simulations:
        raise DataError(f"suite {suite.name}", f"simulation {simulation!r}", "no such simulation")
    run = suite.run_of(simulation)
    maps = suite.read_maps(data, simulation, redraw=redraw, workers=workers)
    identity = {
        "suite": suite.name,
        "set": set_of(simulation),
        "simulation": simulation,
        "run": run,
        "conventions": CONVENTIONS if data.dimensions == 2 else OF_VOLUMES,
    }
    facts = provenance("project", simulation=simulation, redraw=redraw, sources=maps.sources)
    write_maps(maps, identity | dict(maps.attrs) | facts, output)
