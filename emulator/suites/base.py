"""A suite of simulations: what a kind must know of its files. Nobody else asks for the kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from emulator.config import DataConfig, set_of
from emulator.io import EmulatorError

if TYPE_CHECKING:
    from emulator.suites.findings import Inspection
    from emulator.suites.full_maps import FullMaps

FLOAT_BYTES = 4


class Work(NamedTuple):
    """What simulating one run takes: gravity steps of cells and particles, and hydro outcomes."""

    steps: int
    cells: int
    particles: int
    outcomes: int


class Probe(NamedTuple):
    """Seconds to simulate and to project all of a suite, measured on a little of it, and how."""

    simulate_seconds: float
    project_seconds: float
    note: str


class Suite(ABC):
    """One suite, at its place.

    Parameters
    ----------
    config
        Section ``suite`` of the config.
    root
        Folder above the files.
    """

    is_simulated = False
    """Whether the workflow makes its simulations."""

    projects = False
    """Whether its maps are made from particles."""

    workers = 1
    """Threads that share a projection, by default."""

    def __init__(self, config: Any, root: str | Path) -> None:
        self.config, self.root = config, Path(root)

    @property
    def name(self) -> str:
        """Name of the suite."""
        return str(self.config.name)

    @property
    def has_twins(self) -> bool:
        """Whether there are fields to learn; dark-matter-only runs alone are painted."""
        return bool(self.config.has_twins)

    @cached_property
    @abstractmethod
    def runs(self) -> dict[str, tuple[str, ...]]:
        """Each run (equal initial phases), and its simulations; both in the order of the config.

        Raises
        ------
        DataError
            A parameter table that says who shares phases and cannot be read.
        """

    @property
    def simulations(self) -> tuple[str, ...]:
        """Names of all simulations."""
        return tuple(self.config.simulations())

    def run_of(self, simulation: str) -> str:
        """Run of a simulation."""
        return next(run for run, members in self.runs.items() if simulation in members)

    def sampled(self, simulations: Sequence[str]) -> list[str]:
        """Those that get an ensemble: a re-drawn truth has the condition of the one it re-draws."""
        return [name for name in simulations if set_of(name) not in self.config.redraw_sets]

    def redraws_of(self, simulation: str) -> list[str]:
        """Re-drawn truths of the run of a simulation: same phases and time, other baryons."""
        members, (_, redshift) = self.runs[self.run_of(simulation)], self._output_of(simulation)
        return [
            name
            for name in members
            if set_of(name) in self.config.redraw_sets and self._output_of(name)[1] == redshift
        ]

    def _output_of(self, simulation: str) -> tuple[str, float | None]:
        output: tuple[str, float | None] = self.config.output_of(simulation)
        return output

    def require_possible(self) -> None:
        """Refuse, before anything runs, what the config alone cannot tell.

        Raises
        ------
        ConfigError
            Names the key.
        """
        return None

    @abstractmethod
    def inputs(self, data: DataConfig, simulation: str) -> list[Path]:
        """Files that the maps of one simulation are made from."""

    def sources(self, data: DataConfig, simulation: str) -> list[Path]:
        """Files that a workflow can watch: of a family of files, the first."""
        from emulator.readers.gadget import first_chunk

        return [first_chunk(path) for path in self.inputs(data, simulation)]

    @abstractmethod
    def read_maps(
        self, data: DataConfig, simulation: str, *, redraw: int = 0, workers: int = 1
    ) -> "FullMaps":
        """Make the maps of one simulation.

        Parameters
        ----------
        data
            Fields, pixels, kernel, block size and context factors.
        simulation
            Name, e.g. ``"CV_0"``.
        redraw
            Number of a re-drawn hydro outcome (1, 2, ...); 0 is the simulation's own.
        workers
            Threads or processes that share the particles of a snapshot.

        Raises
        ------
        DataError
            Anything missing or damaged in the inputs, files that do not belong together, or masses
            that cannot be.
        """

    @abstractmethod
    def inspect(self, data: DataConfig, simulation: str, *, deep: bool) -> "Inspection":
        """Open the files of one simulation and check them against each other.

        Parameters
        ----------
        data
            Section of the config.
        simulation
            Its name.
        deep
            Also read all particles, or all values of ready maps and windows.

        Returns
        -------
        Inspection
            Nothing that a reader refuses is raised: it is a finding.
        """

    @abstractmethod
    def n_projections(self, data: DataConfig) -> int:
        """Maps of each field of one simulation."""

    def box_and_depth_mpch(self, data: DataConfig) -> tuple[float, float]:
        """Side of the box, and depth of its maps; those of the first simulation are all's.

        Raises
        ------
        DataError
            A snapshot that must say it, and cannot be read.
        """
        return float(self.config.box_size_mpch), float(self.config.depth_mpch)

    def projections(self, data: DataConfig) -> tuple[str, ...]:
        """Labels of the maps of a simulation."""
        return tuple(str(i) for i in range(self.n_projections(data)))

    def maps_bytes(self, data: DataConfig, facts: Mapping[str, Any] | None = None) -> float:
        """Size of the maps file of one simulation; ``facts`` are those of its inspection."""
        context = sum(1.0 / factor**data.dimensions for factor in data.context_factors)
        layers = 1 + (len(data.fields) if self.has_twins else 0) + context
        n_pixels = data.n_pixels**data.dimensions
        return float(self.n_projections(data) * n_pixels * FLOAT_BYTES * layers)

    def write_tables(self) -> list[Path]:
        """Write the parameter tables of a suite that is simulated."""
        raise self._exists()

    def simulate(self, run: str, *, n_redraws: int = 0) -> list[Path]:
        """Make the snapshots of one run of a suite that is simulated."""
        raise self._exists()

    def _exists(self) -> EmulatorError:
        return EmulatorError(
            f"suite.kind is {self.config.kind!r}, whose files exist; only 'embedded' is simulated"
        )

    def snapshot_bytes(self) -> float:
        """Disk of the snapshots that are simulated."""
        return 0.0

    def particles(self) -> float:
        """Particles of a dark-matter-only snapshot and its twin, before any file is looked at."""
        return 0.0

    def work(self) -> Work | None:
        """What simulating the largest run takes, if it is simulated."""
        return None

    @abstractmethod
    def probe(self, data: DataConfig) -> Probe:
        """Time a little of the suite here."""

    def probe_projection(
        self, data: DataConfig, simulation: str, n_particles: float
    ) -> dict[str, float]:
        """``particles_per_second`` of a core and ``projection_core_hours`` of so many particles.

        Empty where nothing is projected.
        """
        return {}

    def describe(self) -> list[tuple[str, str]]:
        """What a reader of the report must know of it: labels and sentences."""
        return []
