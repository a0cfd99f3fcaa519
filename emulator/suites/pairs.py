"""Pairs of snapshots, a simulation and its dark-matter-only twin; or the latter alone.

Code of particles is imported where it is used: the workflow asks suites for names at every call.
"""

from pathlib import Path

from emulator.config import DataConfig
from emulator.suites.base import Suite
from emulator.suites.findings import Inspection
from emulator.suites.full_maps import FullMaps


class Pairs(Suite):
    """Every simulation is a pair of snapshots, a catalogue of the DMO twin, and a table row."""

    projects = True

    def inputs(self, data: DataConfig, simulation: str) -> list[Path]:
        """See :meth:`Suite.inputs`."""
        files: list[Path] = self.config.inputs(self.root, simulation)
        return files

    def n_projections(self, data: DataConfig) -> int:
        """Three axes, in slabs; or one volume."""
        return 3 * data.slabs if data.dimensions == 2 else 1

    def projections(self, data: DataConfig) -> tuple[str, ...]:
        """Axes, and slabs of them."""
        from emulator.projection.pair import projection_labels

        return projection_labels(data.slabs, data.dimensions)

    def read_maps(
        self, data: DataConfig, simulation: str, *, redraw: int = 0, workers: int = 1
    ) -> FullMaps:
        """Project the pair, or what there is of it; see :meth:`Suite.read_maps`."""
        if not self.has_twins:
            from emulator.suites.dmo_maps import project_alone

            return project_alone(
                self.config, self.root, data, simulation, redraw=redraw, workers=workers
            )
        from emulator.suites.pair_maps import project_pair

        return project_pair(
            self.config, self.root, data, simulation, redraw=redraw, workers=workers
        )

    def inspect(self, data: DataConfig, simulation: str, *, deep: bool) -> Inspection:
        """See :meth:`Suite.inspect`."""
        from emulator.suites.pair_checks import inspect_pair

        return inspect_pair(self.config, self.root, data, simulation, particles=deep)

    def probe_projection(
        self, data: DataConfig, simulation: str, n_particles: float
    ) -> dict[str, float]:
        """Rate of the first particles of one snapshot; see :meth:`Suite.probe_projection`."""
        from emulator.readers.snapshots import open_snapshot
        from emulator.suites.pair_maps import projection_rate

        path = self.config.path("dmo_snapshot", self.root, simulation)
        rate = projection_rate(open_snapshot(path, self.config.header), data)
        return {
            "particles_per_second": rate,
            "projection_core_hours": n_particles / rate / 3600.0,
        }
