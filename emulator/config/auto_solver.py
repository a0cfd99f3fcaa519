"""``solver: auto``: which solvers are tried after training, against what, and what suffices."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from emulator.config.named import Named
from emulator.config.section import Section
from emulator.config.solvers import (
    AdamsMoultonConfig,
    AnySolver,
    DPMConfig,
    GammaSpacing,
    LogisticSpacing,
    SolverConfig,
    SpacingConfig,
    UniPCConfig,
    draws_noise,
)


class Candidate(Section):
    """A solver with its grid; both decide its error."""

    solver: SolverConfig
    spacing: SpacingConfig = GammaSpacing(name="gamma")

    @field_validator("solver")
    @classmethod
    def _is_deterministic(cls, solver: SolverConfig) -> SolverConfig:
        if draws_noise(solver):
            raise ValueError(
                f"{solver.name} draws noise on its way, so its own error cannot be told from that "
                "noise: candidates are deterministic"
            )
        return solver

    @property
    def label(self) -> str:
        """Names and options, as a person would say them: ``abm2 (centre 1), logistic (centre 1)``.

        The usual grid, uniform in gamma, is not named.
        """
        solver, spacing = _said(self.solver), _said(self.spacing)
        return solver if isinstance(self.spacing, GammaSpacing) else f"{solver}, {spacing}"


def _said(section: Section) -> str:
    """Name of a section with the options that it has."""
    name, *rest = section.model_dump().items()
    options = ", ".join(f"{key} {value:g}" for key, value in rest)
    return f"{name[1]} ({options})" if options else str(name[1])


class Setting(Candidate):
    """A candidate with its number of network evaluations: all that is found."""

    n_steps: PositiveInt

    @property
    def candidate(self) -> Candidate:
        """The setting without its number of evaluations."""
        return Candidate(solver=self.solver, spacing=self.spacing)


REFERENCE = Candidate(solver=UniPCConfig(name="unipc3"))
"""Of the highest order on the usual grid; docs/solvers.md: 0.02 % off after 50 evaluations."""


class AutoConfig(Section):
    """The fewest evaluations whose own error fits a budget; found after training, kept with it."""

    name: Literal["auto"]
    candidates: tuple[Candidate, ...] = Field(
        (
            REFERENCE,
            Candidate(solver=DPMConfig(name="dpm++2m")),
            Candidate(
                solver=AdamsMoultonConfig(name="abm2", centre=1.0),
                spacing=LogisticSpacing(name="logistic", centre=1.0),
            ),
        ),
        description="solvers, each with its grid, that draw no noise on their way; the best of "
        "docs/solvers.md: of each family one",
    )
    evaluations: tuple[PositiveInt, ...] = Field(
        (8, 12, 16, 20, 24, 32),
        description="numbers of network evaluations that are tried; fewer than 8 suffice nowhere "
        "in docs/solvers.md, and beyond 32 the network's error is what is seen",
    )
    spectrum_error: PositiveFloat = Field(
        0.01,
        description="largest relative change of the mean power that the solver may cause, in any "
        "field and shell of the range of the bars: half of the tightest bar of standard.yaml",
    )
    crps_error: PositiveFloat = Field(
        0.01,
        description="largest relative change of the CRPS of any field: half the least gain that "
        "the bar of the CRPS asks for",
    )
    reference_evaluations: PositiveInt = Field(
        128, description="of unipc3, whose draws from the same noise are taken to be exact"
    )
    windows: Annotated[int, Field(ge=2)] = Field(
        64, description="about how many windows of the validation split are drawn"
    )
    members: Annotated[int, Field(ge=2)] = Field(
        2, description="members of each: the fewest that have a CRPS; windows tell more"
    )

    @model_validator(mode="after")
    def _the_reference_is_finer(self) -> "AutoConfig":
        if not self.candidates or not self.evaluations:
            raise ValueError("candidates and evaluations must not be empty")
        if list(self.evaluations) != sorted(set(self.evaluations)):
            raise ValueError(f"evaluations must increase, got {list(self.evaluations)}")
        if self.reference_evaluations < 2 * self.evaluations[-1]:
            raise ValueError(
                f"reference_evaluations ({self.reference_evaluations}) must be at least twice the "
                f"largest of evaluations ({self.evaluations[-1]}), to be the finer one"
            )
        if len(set(map(repr, self.candidates))) < len(self.candidates):
            raise ValueError("candidates must differ")
        return self

    @property
    def settings(self) -> list[Setting]:
        """All that is tried."""
        return [
            Setting(solver=candidate.solver, spacing=candidate.spacing, n_steps=n_steps)
            for candidate in self.candidates
            for n_steps in self.evaluations
        ]

    @property
    def reference(self) -> Setting:
        """What it is compared with."""
        return Setting(
            solver=REFERENCE.solver, spacing=REFERENCE.spacing, n_steps=self.reference_evaluations
        )


_CHOICES = Named("solver", AnySolver | AutoConfig)
SolverChoice = Annotated[AnySolver | AutoConfig, Field(discriminator="name"), _CHOICES]


def is_auto(value: Any) -> bool:
    """Whether a value of ``solver``, validated or not, is ``auto``."""
    if isinstance(value, AutoConfig):
        return True
    return value == "auto" or (isinstance(value, dict) and value.get("name") == "auto")
