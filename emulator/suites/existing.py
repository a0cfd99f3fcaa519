"""Suites of existing files: who shares initial phases, by seeds or by what the config says."""

from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path

from emulator.readers.parameter_table import ParameterTable, read_table
from emulator.readers.parameters import seed_of
from emulator.suites.base import Suite


class ExistingSuite(Suite):
    """Equal seeds in the parameter tables are equal phases, in all sets.

    CAMELS uses one seed for the whole set 1P, say, and its butterfly runs. Where a table lists no
    seeds every simulation is taken for a run of its own, unless ``suite.phases`` says otherwise. A
    run has the name of its first simulation.
    """

    has_tables = True
    """Whether there are parameter tables, which may list seeds."""

    @cached_property
    def runs(self) -> dict[str, tuple[str, ...]]:
        """See :attr:`Suite.runs`."""
        table_of = cache(lambda path: read_table(path, self.config.parameter_names))
        groups: dict[str, list[str]] = {}
        for simulation in self.simulations:
            groups.setdefault(self._label(simulation, table_of), []).append(simulation)
        return {members[0]: tuple(members) for members in groups.values()}

    def _label(self, simulation: str, table_of: Callable[[Path], ParameterTable]) -> str:
        """Label of the phases of a simulation; equal labels are equal phases."""
        # outputs of one simulation have its phases
        simulation, _ = self.config.output_of(simulation)
        given = self.config.phases_of(simulation)
        if given is not None:
            return f"phases {given}"
        if self.config.phases == "own" or not self.has_tables:
            return f"simulation {simulation}"
        path = self.config.path("parameters", self.root, simulation)
        seed = seed_of(table_of(path), simulation)
        return f"simulation {simulation}" if seed is None else f"seed {seed:g}"
