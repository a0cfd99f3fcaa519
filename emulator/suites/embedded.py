"""The embedded suite: simulated here, read like any other pair of snapshots."""

import tempfile
from functools import cached_property, partial
from pathlib import Path

from emulator.config import DataConfig, EmbeddedSuite, set_of
from emulator.suites.base import Probe, Work
from emulator.suites.pairs import Pairs
from emulator.suites.timing import seconds_of

PARTICLES_A_PAIR = 3.2
"""Particles of a pair in units of those of the dark-matter-only run."""

PARTICLES_OF_TWO_MESHES = 2.0
"""The same where both are of dark matter alone."""


class Embedded(Pairs):
    """N-body gravity plus baryonification."""

    config: EmbeddedSuite
    is_simulated = True

    @cached_property
    def runs(self) -> dict[str, tuple[str, ...]]:
        """Each N-body simulation with all its hydro outcomes."""
        return self.config.runs()

    def require_possible(self) -> None:
        """The fiducial point lies inside the ranges; see :meth:`Suite.require_possible`."""
        from emulator.simulate.design import fiducial_point

        fiducial_point(self.config)

    def write_tables(self) -> list[Path]:
        """Write the parameter tables of all sets."""
        from emulator.simulate.tables import write_tables

        return write_tables(self.config, self.root)

    def simulate(self, run: str, *, n_redraws: int = 0) -> list[Path]:
        """Make the snapshots of one run; files that are there are kept."""
        from emulator.simulate.simulate import simulate_run

        return simulate_run(self.config, run, self.root, n_redraws=n_redraws)

    def box_and_depth_mpch(self, data: DataConfig) -> tuple[float, float]:
        """As its config says."""
        return self.config.box_size_mpch, self.config.box_size_mpch / data.slabs

    def snapshot_bytes(self) -> float:
        """Disk of all snapshots."""
        outcomes = sum(len(members) for members in self.runs.values())
        snapshots = len(self.runs) * len(self.config.redshifts)
        return float(self.config.dmo_bytes * snapshots + self.config.hydro_bytes * outcomes)

    def particles(self) -> float:
        """Particles of a pair."""
        pair = PARTICLES_A_PAIR if self.config.coarse_mesh is None else PARTICLES_OF_TWO_MESHES
        return pair * self.config.n_particles**3

    def work(self) -> Work:
        """Of the run with the most outcomes; of two meshes, the gravity of both."""
        config = self.config
        if config.coarse_mesh is not None:
            cells = config.mesh**3 + config.coarse_mesh**3
            return Work(config.n_steps, cells, 2 * config.n_particles**3, 0)
        outcomes = max(map(len, self.runs.values()))
        return Work(config.n_steps, config.mesh**3, config.n_particles**3, outcomes)

    def probe(self, data: DataConfig) -> Probe:
        """Make one run of each set and project one simulation, in a scratch folder.

        A first, tiny run compiles; it is not timed.
        """
        small = {"n_particles": 16, "mesh": 32, "n_steps": 2}
        coarse = {} if self.config.coarse_mesh is None else {"coarse_mesh": 32}
        tiny = self.config.model_copy(update=small | coarse)
        with tempfile.TemporaryDirectory() as name:
            Embedded(tiny, name).simulate(next(iter(tiny.runs())))
        firsts = {set_of(names[0]): run for run, names in reversed(list(self.runs.items()))}
        with tempfile.TemporaryDirectory() as name:
            here = Embedded(self.config, name)
            here.write_tables()
            seconds = {
                which: seconds_of(partial(here.simulate, run)) for which, run in firsts.items()
            }
            first = self.runs[next(iter(firsts.values()))][0]
            here.read_maps(data, first)  # the first call compiles
            projected = seconds_of(partial(here.read_maps, data, first))
        times = ", ".join(f"{value:.3g} s ({name})" for name, value in seconds.items())
        return Probe(
            sum(seconds[set_of(names[0])] for names in self.runs.values()),
            projected * len(self.simulations),
            f"simulate, project: a run of each set was made here: {times}; a simulation was "
            f"projected in {projected:.3g} s",
        )

    def describe(self) -> list[tuple[str, str]]:
        """Up to where its gravity has converged."""
        from emulator.simulate.resolution import describe_meshes, describe_resolution

        if self.config.coarse_mesh is not None:
            return [("Resolution", describe_meshes(self.config))]
        return [("Gravity", describe_resolution(self.config))]


SUITE = Embedded
