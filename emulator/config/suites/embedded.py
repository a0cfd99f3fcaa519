"""The embedded suite: its size, its gravity and its sets of simulations."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from emulator.config.places import raw_folder
from emulator.config.section import Section
from emulator.config.suites.coarse import lacks, require_gravity_alone
from emulator.config.suites.headers import HeaderFacts
from emulator.config.suites.layout import INPUTS, SNAPSHOT, Layout
from emulator.config.suites.redshifts import (
    at_redshifts,
    label_of,
    output_of,
    require_distinct,
    require_own_files,
)
from emulator.fields import Field as FieldRow

THERMAL = ("temperature", "compton_y", "InternalEnergy", "ElectronAbundance")
"""Properties of gas that fields can be made of, with ``thermodynamics``."""


class DesignConfig(Section):
    """How many simulations the embedded suite holds.

    One *run* is one N-body simulation (initial phases and cosmology). Each run carries one or more
    hydro outcomes; simulations of one run share phases, so a split never separates them.
    """

    sb_runs: NonNegativeInt = Field(20, description="N-body runs of the Sobol set SB")
    sb_per_run: PositiveInt = Field(4, description="astrophysics points drawn for each SB run")
    cv_runs: NonNegativeInt = Field(4, description="runs of the set CV: fiducial, other phases")
    be_draws: NonNegativeInt = Field(
        0, description="re-drawn baryons (set BE) of each CV run: same phases, same parameters"
    )
    one_p_steps: NonNegativeInt = Field(
        0, description="set 1P: steps on each side of the fiducial, one parameter at a time"
    )
    fiducial: dict[str, float] = Field(
        {}, description="parameters of CV, BE and 1P that differ from the default fiducial point"
    )


class EmbeddedSuite(Section):
    """The embedded suite: N-body gravity plus baryonification ("surrogate hydro")."""

    kind: Literal["embedded"] = "embedded"
    name: str = Field("Surrogate", pattern=r"^[A-Za-z0-9-]+$")
    box_size_mpch: PositiveFloat = Field(25.0, description="side of the periodic box [Mpc/h]")
    n_particles: PositiveInt = Field(64, multiple_of=2, description="particles a side; even")
    mesh: PositiveInt = Field(128, multiple_of=2, description="cells a side of the gravity mesh")
    coarse_mesh: PositiveInt | None = Field(
        None,
        multiple_of=2,
        ge=8,
        description="super-resolution: cells a side of the gravity mesh of the run that is given; "
        "the target is the dark matter of the same run with mesh, and there are no baryons; null: "
        "the target is a hydro outcome",
    )
    n_steps: PositiveInt = Field(40, description="time steps, uniform in the scale factor")
    a_start: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        0.05, description="scale factor of the 2LPT start"
    )
    redshifts: tuple[NonNegativeFloat, ...] = Field(
        (0.0,),
        min_length=1,
        description="redshifts of which each run has a snapshot; several: simulations have one a "
        "redshift (CV_0_z0, CV_0_z0p5), and redshift is a parameter",
    )
    seed: NonNegativeInt = Field(0, description="seed of phases, design and baryons")
    environment_strength: NonNegativeFloat = Field(
        0.2, description="dependence of halo gas on the surroundings; 0 removes it [dex]"
    )
    chaos_strength: NonNegativeFloat = Field(
        1.0,
        description="displacements by which matter departs from its twin on small scales, in those "
        "of CAMELS-TNG; 0 removes them",
    )
    diffuse_strength: NonNegativeFloat = Field(
        1.0, description="how strongly gas outside halos is stirred; 0 removes it"
    )
    thermodynamics: bool = Field(
        False,
        description="also write internal energy and electrons of gas, a polytropic surrogate, from "
        "which fields such as gas_temperature and compton_y are made",
    )
    design: DesignConfig = DesignConfig()
    layout: Layout = Layout()

    @model_validator(mode="after")
    def _mesh_resolves_particles(self) -> "EmbeddedSuite":
        if self.mesh < self.n_particles:
            raise ValueError(
                f"mesh ({self.mesh}) must be at least n_particles ({self.n_particles})"
            )
        return self

    @model_validator(mode="after")
    def _coarse_runs_have_no_baryons(self) -> "EmbeddedSuite":
        require_gravity_alone(self)
        return self

    @model_validator(mode="after")
    def _redshifts_are_reached(self) -> "EmbeddedSuite":
        require_distinct(self.redshifts)
        require_own_files(self.layout.of_redshifts(), self.redshifts)
        first = 1.0 / self.a_start - 1.0
        early = [z for z in self.redshifts if not z < first]
        if early:
            raise ValueError(
                f"redshifts: expected less than {first:g}, where runs start (a_start), got {early}"
            )
        return self

    @model_validator(mode="after")
    def _makes_all_of_its_files(self) -> "EmbeddedSuite":
        if self.layout.absent:
            raise ValueError(
                f"layout: expected a template, got null for {', '.join(self.layout.absent)}: the "
                "embedded suite makes pairs and their catalogues; null is of suite.kind snapshots"
            )
        return self

    @property
    def has_twins(self) -> bool:
        """It makes pairs."""
        return True

    @property
    def box(self) -> str:
        """Name of the box folder, as in CAMELS: ``L25n64``."""
        return f"L{self.box_size_mpch:g}n{self.n_particles}"

    @property
    def dmo_mesh(self) -> int:
        """Cells a side of the gravity mesh of the run that is given."""
        return self.coarse_mesh or self.mesh

    @property
    def dmo_bytes(self) -> int:
        """Disk that the snapshot of an N-body run takes: 16 bytes a particle."""
        return 16 * self.n_particles**3

    @property
    def hydro_bytes(self) -> int:
        """Disk that a hydro outcome takes: 32 bytes a dark-matter particle, and 8 of its heat.

        A fine run of dark matter alone takes what a coarse one does.
        """
        if self.coarse_mesh is not None:
            return self.dmo_bytes
        return (40 if self.thermodynamics else 32) * self.n_particles**3

    @property
    def header(self) -> HeaderFacts:
        """What its headers fail to say: nothing."""
        return HeaderFacts()

    @property
    def parameter_names(self) -> None:
        """Its tables name their columns."""
        return None

    @property
    def redraw_sets(self) -> tuple[str, ...]:
        """Sets of re-drawn truths."""
        return ("BE",)

    def simulations(self) -> tuple[str, ...]:
        """Names of all simulations."""
        return tuple(name for members in self.runs().values() for name in members)

    @property
    def stated_redshifts(self) -> tuple[float, ...]:
        """Redshifts of which each simulation has a snapshot."""
        return self.redshifts

    def output_of(self, simulation: str) -> tuple[str, float | None]:
        """The simulation that an output is of, and its redshift."""
        return output_of(simulation, self.redshifts)

    def name_at(self, simulation: str, redshift: float) -> str:
        """Name of the output of a simulation at a redshift."""
        names = dict(zip(self.redshifts, at_redshifts((simulation,), self.redshifts), strict=True))
        return names[redshift]

    def runs(self) -> dict[str, tuple[str, ...]]:
        """Map each N-body run to the simulations that share its phases, by redshift."""
        runs = self.designed_runs()
        return {run: at_redshifts(names, self.redshifts) for run, names in runs.items()}

    def designed_runs(self) -> dict[str, tuple[str, ...]]:
        """Map each N-body run to its simulations, whatever the redshifts.

        SB run ``j`` holds ``SB_{j*p} ... SB_{j*p+p-1}`` with ``p = sb_per_run``; CV run ``j`` holds
        ``CV_j`` and its re-drawn baryons ``BE_{j*d} ... BE_{j*d+d-1}`` with ``d = be_draws``. The
        set 1P has the names of CAMELS, ``1P_p3_n1`` one step below the fiducial in the third
        parameter; a change of cosmology (p1, p2) needs a run of its own, the others share ``1P0``.
        With ``coarse_mesh`` there are no others.
        """
        design = self.design
        sb, be = design.sb_per_run, design.be_draws
        runs = {
            f"SB{run}": tuple(f"SB_{run * sb + i}" for i in range(sb))
            for run in range(design.sb_runs)
        }
        for run in range(design.cv_runs):
            redraws = tuple(f"BE_{run * be + i}" for i in range(be))
            runs[f"CV{run}"] = (f"CV_{run}", *redraws)
        if design.one_p_steps:
            sides = [f"{side}{i + 1}" for side in ("n", "") for i in range(design.one_p_steps)]
            of_baryons = range(3, 7) if self.coarse_mesh is None else ()
            astrophysics = [f"1P_p{p}_{side}" for p in of_baryons for side in sides]
            runs["1P0"] = ("1P_p1_0", *astrophysics)
            cosmology = [f"1P_p{p}_{side}" for p in (1, 2) for side in sides]
            runs |= {f"1P{i + 1}": (name,) for i, name in enumerate(cosmology)}
        return runs

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
            snapshot=label_of(redshift) if redshift else SNAPSHOT,
        )

    def inputs(self, root: str | Path, simulation: str) -> list[Path]:
        """Files that the projection of one simulation reads."""
        return [self.path(kind, root, simulation) for kind in INPUTS]

    def folder(self, name: str) -> Path:
        """Folder above the files of an experiment."""
        return raw_folder(name)

    def lacks(self, field: FieldRow) -> str | None:
        """Why a field cannot be made from its particles, if it cannot: most have masses only."""
        if "black_holes" in field.particles:
            return "the embedded suite makes dark matter, gas and stars, no black holes"
        if reason := lacks(self, field):
            return reason
        made = field.mean_of or field.sum_of
        if made is None:
            return None
        if made not in THERMAL or field.particles != ("gas",):
            return (
                "the embedded suite makes masses of dark matter, gas and stars and, of gas alone, "
                f"{', '.join(THERMAL)}; nothing else"
            )
        if not self.thermodynamics:
            return f"{made} of gas is written only with suite.thermodynamics: true"
        return None
