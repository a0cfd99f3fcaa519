"""What sampling chooses from: one section for each family of solvers, and of grids of gammas.

``solver: unipc3`` is short for ``solver: {name: unipc3}``; an option stands in the section of its
solver, ``solver: {name: ddim, eta: 0.5}``, and nowhere else. What the names mean is said in
:mod:`emulator.diffusion.solvers`, what they cost and reach in docs/solvers.md.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, TypeAdapter

from emulator.config.named import Named
from emulator.config.section import Section


class AncestralConfig(Section):
    """Posterior of the discrete process."""

    name: Literal["ancestral"]


class DDIMConfig(Section):
    """The same with less noise, or none."""

    name: Literal["ddim"]
    eta: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.0, description="share of the ancestral noise"
    )


class EulerConfig(Section):
    """Straight steps in the coordinates of the model's path; heun: corrected once."""

    name: Literal["euler", "heun"]
    churn: Annotated[float, Field(ge=0.0, le=0.414)] = Field(
        0.0, description="noise added before each step, as a fraction of its level"
    )


class DPMConfig(Section):
    """Exponential midpoint rule in the data; sde-: on the reverse SDE."""

    name: Literal["dpm++2m", "sde-dpm++2m"]


class AdamsBashforthConfig(Section):
    """Exponential Adams-Bashforth in the data."""

    name: Literal["ab2", "ab3"]


class UniPCConfig(Section):
    """The same, corrected by the next evaluation."""

    name: Literal["unipc2", "unipc3"]


class AdamsMoultonConfig(Section):
    """Adams-Bashforth-Moulton in the flow time."""

    name: Literal["abm2", "abm3", "abm4"]
    centre: float = Field(0.0, description="gamma around which the flow time is dense")


class PredictorCorrectorConfig(Section):
    """Langevin steps at each noise level, then an ancestral step."""

    name: Literal["pc"]
    corrections: PositiveInt = Field(1, description="Langevin steps at each noise level")
    langevin_step: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.05, description="size of a Langevin step, in units of the noise variance"
    )


class GammaSpacing(Section):
    """Uniform in gamma."""

    name: Literal["gamma"]


class TimeSpacing(Section):
    """Uniform in the time of the model's schedule."""

    name: Literal["t"]


class KarrasSpacing(Section):
    """The grid of EDM."""

    name: Literal["karras"]
    rho: PositiveFloat = Field(7.0, description="exponent")


class LogisticSpacing(Section):
    """Uniform in the flow time."""

    name: Literal["logistic"]
    centre: float = Field(0.0, description="gamma around which the grid is dense")


AnySolver = (
    AncestralConfig
    | DDIMConfig
    | EulerConfig
    | DPMConfig
    | AdamsBashforthConfig
    | UniPCConfig
    | AdamsMoultonConfig
    | PredictorCorrectorConfig
)
_Spacing = GammaSpacing | TimeSpacing | KarrasSpacing | LogisticSpacing

SOLVERS, SPACINGS = Named("solver", AnySolver), Named("spacing", _Spacing)
SolverConfig = Annotated[AnySolver, Field(discriminator="name"), SOLVERS]
SpacingConfig = Annotated[_Spacing, Field(discriminator="name"), SPACINGS]

_solver: TypeAdapter[SolverConfig] = TypeAdapter(SolverConfig)
_spacing: TypeAdapter[SpacingConfig] = TypeAdapter(SpacingConfig)


def parse_solver(name: str) -> SolverConfig:
    """Section of a solver with the defaults of its options; :class:`ValueError` if unknown."""
    return _solver.validate_python(name)


def parse_spacing(name: str) -> SpacingConfig:
    """Section of a spacing with the defaults of its options; :class:`ValueError` if unknown."""
    return _spacing.validate_python(name)


def moved(value: Mapping[str, Any], kept: Mapping[str, Any]) -> list[str]:
    """Where options went that a section of sampling names beside those that it has kept."""
    faults = []
    for key in (key for key in value if key not in kept):
        places = [
            f"sampling.{union.what}: {{name: {owners[0]}, {key}: ...}}"
            for union in (SOLVERS, SPACINGS)
            if (owners := union.owners(key))
        ]
        if places:
            faults.append(f"{key} is written as `{'` or `'.join(places)}`")
    return faults


def draws_noise(solver: SolverConfig) -> bool:
    """Whether a solver asks for fresh noise on its way, besides that of its start."""
    match solver:
        case AncestralConfig() | PredictorCorrectorConfig():
            return True
        case DDIMConfig(eta=amount) | EulerConfig(churn=amount):
            return amount > 0.0
        case DPMConfig(name=name):
            return name == "sde-dpm++2m"
        case _:
            return False
