"""Make the maps file of one simulation, whatever its source: snapshots, ready maps, or windows.

A source (:mod:`~emulator.suites.snapshot_maps`, :mod:`~emulator.suites.multifield`,
:mod:`~emulator.suites.samples`) returns :class:`~emulator.suites.full_maps.FullMaps`; this module
says which simulation they are of, adds provenance, and writes them.
"""

from pathlib import Path

from emulator.config import DataConfig, SuiteConfig, set_of
from emulator.io import DataError
from emulator.metadata import provenance
from emulator.suites.full_maps import write_maps
from emulator.suites.runs import runs_of

CONVENTIONS = (
    "mass per pixel; projection x sums over axis x (a slab of depth_mpch); y and x are the other "
    "two axes in increasing order; pixel i covers [i, i+1) * pixel_mpch; comoving lengths"
)


def project_simulation(
    suite: SuiteConfig,
    data_config: DataConfig,
    root: str | Path,
    simulation: str,
    output: str | Path,
    *,
    redraw: int = 0,
    workers: int = 1,
) -> None:
    """Project one simulation and write its maps file.

    Parameters
    ----------
    suite
        Layout of the files.
    data_config
        Pixels, kernel, block size and context factors.
    root
        Folder above the files.
    simulation
        Name, e.g. ``"CV_0"``.
    output
        The file to write; it appears only when it is complete.
    redraw
        Number of a re-drawn hydro outcome (1, 2, ...); 0 is the simulation's own.
    workers
        Threads or processes that share the particles of a snapshot.

    Raises
    ------
    DataError
        Anything missing or damaged in the inputs, snapshots that are no twins, parameters that
        contradict the snapshot, or mass that got lost.
    """
    if simulation not in suite.simulations():
        raise DataError(f"suite {suite.name}", f"simulation {simulation!r}", "no such simulation")
    runs = [name for name, members in runs_of(suite, root).items() if simulation in members]
    # particle code needs numba, which those who only read maps should not wait for
    if suite.kind == "multifield":
        from emulator.suites.multifield import read_multifield

        maps = read_multifield(suite, data_config, root, simulation)
    elif suite.kind == "samples":
        from emulator.suites.samples import read_samples

        maps = read_samples(suite, data_config, root, simulation)
    else:
        from emulator.suites.snapshot_maps import project_snapshots

        maps = project_snapshots(
            suite, data_config, root, simulation, redraw=redraw, workers=workers
        )
    identity = {
        "suite": suite.name,
        "set": set_of(simulation),
        "simulation": simulation,
        "run": runs[0],
        "conventions": CONVENTIONS,
    }
    facts = provenance("project", simulation=simulation, redraw=redraw, sources=maps.sources)
    write_maps(maps, identity | dict(maps.attrs) | facts, output)
