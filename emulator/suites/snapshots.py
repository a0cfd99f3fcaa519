"""Suites of snapshots: CAMELS or the user's own."""

from emulator.config import DataConfig, SnapshotsSuite
from emulator.suites.base import Probe
from emulator.suites.existing import ExistingSuite
from emulator.suites.pairs import Pairs

TYPICAL_PARTICLES = 4 * 512**3
"""Of the two snapshots of a suite whose files have not been looked at: CAMELS at 50 Mpc/h."""

PROJECTED = (0, 1, 4)
"""Particle types that are projected: gas, dark matter, stars."""


class Snapshots(Pairs, ExistingSuite):
    """Pairs of snapshots, and catalogues."""

    config: SnapshotsSuite
    workers = 2

    def particles(self) -> float:
        """Of a pair that has not been looked at."""
        return TYPICAL_PARTICLES

    def probe(self, data: DataConfig) -> Probe:
        """Time the projection of the first particles of the first simulation."""
        from emulator.readers.snapshots import open_snapshot

        first = self.simulations[0]
        pair = [
            open_snapshot(self.config.path(kind, self.root, first), self.config.header)
            for kind in ("dmo_snapshot", "hydro_snapshot")
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
