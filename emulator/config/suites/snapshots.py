"""Suites of snapshots: CAMELS or the user's own."""

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, model_validator

from emulator.config.suites.existing import ExistingSuite
from emulator.config.suites.headers import HeaderFacts
from emulator.config.suites.layout import INPUTS, SNAPSHOT, Layout
from emulator.config.suites.redshifts import (
    at_redshifts,
    output_of,
    require_distinct,
    require_own_files,
)
from emulator.fields import Field as FieldRow


class SnapshotsSuite(ExistingSuite):
    """Snapshots and catalogues of pairs of simulations, or of dark-matter-only runs alone."""

    kind: Literal["snapshots"] = "snapshots"
    box: str = Field("", description="name of the box folder, {box} in the layout")
    layout: Layout = Layout()
    header: HeaderFacts = HeaderFacts()
    redshifts: dict[NonNegativeFloat, str] = Field(
        {},
        description="redshift -> what {snapshot} in the layout stands for: 0.5: '074'. Several: "
        "simulations have one output a redshift (CV_0_z0, CV_0_z0p5), and redshift is a parameter",
    )
    black_holes: Literal["ignore", "stars"] = Field(
        "ignore", description="stars: the mass of PartType5 counts as stars"
    )
    wind: Literal["gas", "stars"] = Field(
        "gas", description="what AREPO's wind particles (stored with the stars) count as"
    )

    @model_validator(mode="after")
    def _redshifts_have_files(self) -> "SnapshotsSuite":
        require_distinct(self.stated_redshifts)
        templates = self.layout.of_redshifts() | {"redrawn_snapshot": None}
        require_own_files(templates, self.stated_redshifts)
        if self.redshifts and self.header.redshift is not None:
            raise ValueError(
                "redshifts and header.redshift both say when snapshots are of: expected one of the "
                "two, got both"
            )
        return self

    @property
    def stated_redshifts(self) -> tuple[float, ...]:
        """Redshifts of which each simulation has an output, as far as they are stated."""
        return tuple(self.redshifts)

    def output_of(self, simulation: str) -> tuple[str, float | None]:
        """The simulation that an output is of, and its redshift; None where none is stated."""
        return output_of(simulation, self.stated_redshifts)

    def simulations(self) -> tuple[str, ...]:
        """Names of all simulations, by redshift."""
        return at_redshifts(super().simulations(), self.stated_redshifts)

    def path(self, kind: str, root: str | Path, simulation: str, redraw: int = 0) -> Path:
        """Path of one file (a field of :class:`Layout`) of one simulation below ``root``."""
        base, redshift = self.output_of(simulation)
        return self.layout.path(
            kind,
            root,
            suite=self.name,
            box=self.box,
            simulation=base,
            redraw=redraw,
            snapshot=SNAPSHOT if redshift is None else self.redshifts[redshift],
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
