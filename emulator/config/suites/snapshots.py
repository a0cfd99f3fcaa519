"""Suites of snapshots: CAMELS or the user's own."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from emulator.config.suites.existing import ExistingSuite
from emulator.config.suites.headers import HeaderFacts
from emulator.config.suites.layout import INPUTS, Layout
from emulator.fields import Field as FieldRow


class SnapshotsSuite(ExistingSuite):
    """Snapshots and catalogues of pairs of simulations, or of dark-matter-only runs alone."""

    kind: Literal["snapshots"] = "snapshots"
    box: str = Field("", description="name of the box folder, {box} in the layout")
    layout: Layout = Layout()
    header: HeaderFacts = HeaderFacts()
    black_holes: Literal["ignore", "stars"] = Field(
        "ignore", description="stars: the mass of PartType5 counts as stars"
    )
    wind: Literal["gas", "stars"] = Field(
        "gas", description="what AREPO's wind particles (stored with the stars) count as"
    )

    def path(self, kind: str, root: str | Path, simulation: str, redraw: int = 0) -> Path:
        """Path of one file (a field of :class:`Layout`) of one simulation below ``root``."""
        return self.layout.path(
            kind, root, suite=self.name, box=self.box, simulation=simulation, redraw=redraw
        )

    def inputs(self, root: str | Path, simulation: str) -> list[Path]:
        """Files that the projection of one simulation reads."""
        kinds = [kind for kind in INPUTS if kind not in self.layout.absent]
        return [self.path(kind, root, simulation) for kind in kinds]

    @property
    def has_twins(self) -> bool:
        """Whether there are hydrodynamic twins; else its runs can be painted, and nothing more."""
        return self.layout.hydro_snapshot is not None

    def lacks(self, field: FieldRow) -> str | None:
        """Why a field cannot be made from these files, if it cannot; files are looked at later."""
        return None
