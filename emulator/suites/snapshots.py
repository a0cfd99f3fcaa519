"""Suites of snapshots: CAMELS or the user's own."""

from emulator.config import DataConfig, SnapshotsSuite
from emulator.suites.base import Probe
from emulator.suites.existing import ExistingSuite
from emulator.suites.pairs import Pairs

TYPICAL_PARTICLES = {True: 4 * 512**3, False: 512**3}
"""Of the two snapshots, or of the dark-matter-only one alone, of a suite whose files have not been
looked at: CAMELS at 50 Mpc/h."""

PROJECTED = (0, 1, 4)
"""Particle types that are projected: gas, dark matter, stars."""


class Snapshots(Pairs, ExistingSuite):
    """Pairs of snapshots, or dark-matter-only ones alone, and catalogues."""

    config: SnapshotsSuite
    workers = 2

    def particles(self) -> float:
        """Of a simulation that has not been looked at."""
        return TYPICAL_PARTICLES[self.has_twins]

    def box_and_depth_mpch(self, data: DataConfig) -> tuple[float, float]:
        """As the config says, or the header of the first dark-matter-only snapshot."""
        box = self.config.header.box_size_mpch
        if box is None:
            from emulator.readers.snapshots import open_snapshot

            path = self.config.path("dmo_snapshot", self.root, self.simulations[0])
            box = open_snapshot(path, self.config.header).header.box_size_mpch
        return box, box / data.n_layers

    def probe(self, data: DataConfig) -> Probe:
        """Time the projection of the first particles of the first simulation."""
        from emulator.readers.snapshots import open_snapshot

        first = self.simulations[0]
        kinds = ("dmo_snapshot", "hydro_snapshot")
        pair = [
            open_snapshot(self.config.path(kind, self.root, first), self.config.header)
            for kind in kinds[: 1 + self.has_twins]
        ]
        a_pair = sum(snapshot.count(kind) for snapshot in pair for kind in PROJECTED)
        probe = self.probe_projection(data, first, a_pair * len(self.simulations))
        return Probe(
            0.0,
            3600.0 * probe["projection_core_hours"],
            f"project: {probe['particles_per_second'] / 1e6:.3g} million particles/s on a core "
            f"here; every simulation is taken to have the particles of {first}",
        )


SUITE = Snapshots
