"""Runs: simulations that share initial phases, which no split may separate.

In the embedded suite a run is an N-body simulation with all its hydro outcomes. Existing suites say
it in the seeds of their parameter tables: equal seeds are equal phases, in all sets (CAMELS uses
one seed for the whole set 1P, say, and its butterfly runs). Where a table lists no seeds every
simulation is taken for a run of its own, unless ``suite.phases`` says otherwise.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from emulator.config import EmbeddedSuite, FilesSuite, MultifieldSuite, SamplesSuite, SuiteConfig
from emulator.readers.parameter_table import ParameterTable, read_table
from emulator.readers.parameters import seed_of


def runs_of(suite: SuiteConfig, root: str | Path) -> dict[str, tuple[str, ...]]:
    """Map each run to the simulations that share its phases.

    Parameters
    ----------
    suite
        Section of the config.
    root
        Folder above the files; the parameter tables of files and ready maps are read.

    Returns
    -------
    Name of the run -> its simulations, both in the order of the config. A run of an existing suite
    has the name of its first simulation.

    Raises
    ------
    DataError
        A parameter table that cannot be read, or that lacks a simulation.
    """
    if isinstance(suite, EmbeddedSuite):
        return suite.runs()
    label = _labels(suite, root)
    groups: dict[str, list[str]] = {}
    for simulation in suite.simulations():
        groups.setdefault(label(simulation), []).append(simulation)
    return {members[0]: tuple(members) for members in groups.values()}


def _labels(
    suite: FilesSuite | MultifieldSuite | SamplesSuite, root: str | Path
) -> Callable[[str], str]:
    """Label of the phases of a simulation; equal labels are equal phases."""
    table_of: Callable[[Path], ParameterTable] = cache(
        lambda path: read_table(path, suite.parameter_names)
    )

    def label(simulation: str) -> str:
        given = suite.phases_of(simulation)
        if given is not None:
            return f"phases {given}"
        if suite.phases == "own" or isinstance(suite, SamplesSuite):
            return f"simulation {simulation}"
        seed = seed_of(table_of(suite.path("parameters", root, simulation)), simulation)
        return f"simulation {simulation}" if seed is None else f"seed {seed:g}"

    return label
