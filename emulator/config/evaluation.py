"""Ensembles of the held-out simulations, and the bars that they must meet."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from emulator.config.auto_solver import AutoConfig, SolverChoice, is_auto
from emulator.config.bars import MOVED_BARS, BarsConfig
from emulator.config.consistency import Evaluations
from emulator.config.section import Section
from emulator.config.solvers import (
    GammaSpacing,
    SpacingConfig,
    UniPCConfig,
    moved,
)


class SamplingConfig(Section):
    """Ensembles of the held-out simulations."""

    n_members: Annotated[int, Field(ge=2)] = Field(
        8, description="members of each window, drawn from each trained model"
    )
    windows_per_simulation: PositiveInt = Field(8, description="cutouts of each simulation")
    solver: SolverChoice = Field(
        UniPCConfig(name="unipc3"),
        description="a name, or a name with its options; docs/solvers.md compares them; auto: the "
        "one that `emulator tune` finds for each model",
    )
    n_steps: PositiveInt | None = Field(
        20, description="network evaluations a member, guidance apart; null: found by solver: auto"
    )
    evaluations: Evaluations | None = Field(
        None,
        description="network evaluations a member of a consistency model, which has no solver; "
        "null: 2",
    )
    spacing: SpacingConfig | None = Field(
        GammaSpacing(name="gamma"),
        description="noise levels: uniform in gamma, in the schedule's time, as EDM, in flow time; "
        "null: found by solver: auto",
    )
    gamma_start: float | None = Field(None, description="noise end; default: the model's gamma_max")
    gamma_end: float | None = Field(-8.0, description="clean end; null: the model's gamma_min")
    start: Literal["noise", "spectrum"] = Field(
        "noise",
        description="noise: N(0, I); spectrum: the Gaussian that the training data leave at the "
        "noise end",
    )
    guidance_scale: NonNegativeFloat = Field(
        1.0,
        description="1: none, the calibrated ensemble; more: exaggerates what the dropped "
        "condition changes",
    )
    guidance_drops: tuple[Literal["params", "context"], ...] = Field(
        ("params",),
        description="what the unguided network does not see; trained by diffusion.drop_*",
    )
    guidance_interval: tuple[float, float] | None = Field(
        None, description="gammas between which guidance acts; null: everywhere"
    )
    batch_size: PositiveInt | Literal["auto"] = Field(
        128,
        description="members that the network is given at once; auto: as many as fit into memory. "
        "Members do not depend on it",
    )
    seed: NonNegativeInt = Field(0, description="of the members' noise")

    @model_validator(mode="before")
    @classmethod
    def _options_stand_with_their_solver(cls, value: Any) -> Any:
        faults = moved(value, cls.model_fields) if isinstance(value, Mapping) else []
        if faults:
            raise ValueError("; ".join(faults))
        return value

    @model_validator(mode="before")
    @classmethod
    def _auto_has_no_numbers(cls, value: Any) -> Any:
        """``auto`` stands for null, too, which Snakemake's command line cannot say."""
        if not isinstance(value, Mapping) or not is_auto(value.get("solver")):
            return value
        found = {key: value.get(key) for key in ("n_steps", "spacing")}
        return {**value, **{key: None if v == "auto" else v for key, v in found.items()}}

    @model_validator(mode="after")
    def _found_or_given(self) -> "SamplingConfig":
        for key, where in (("n_steps", "evaluations: [...]"), ("spacing", "candidates: [...]")):
            given = getattr(self, key) is not None
            if given and isinstance(self.solver, AutoConfig):
                raise ValueError(
                    f"{key} cannot be given beside `solver: auto`, which finds it: leave it out "
                    f"(or `{key}: auto`), or say what is tried by `solver: {{name: auto, {where}}}`"
                )
            if not given and not isinstance(self.solver, AutoConfig):
                raise ValueError(f"{key} may be null with `solver: auto` only, which finds it")
        return self

    @model_validator(mode="after")
    def _guidance_is_whole(self) -> "SamplingConfig":
        if not self.guidance_drops:
            raise ValueError("guidance_drops must name params, context or both")
        interval = self.guidance_interval
        if interval is not None and interval[0] >= interval[1]:
            raise ValueError(f"guidance_interval must increase, got {list(interval)}")
        return self

    @property
    def most_steps(self) -> int:
        """Network evaluations a member; with ``solver: auto`` the most that it may find."""
        tried = self.solver.evaluations if isinstance(self.solver, AutoConfig) else ()
        return self.n_steps or max(tried)


class ValidationConfig(Section):
    """Statistics of the acceptance table; its thresholds stand in ``bars``."""

    k_min_hmpc: PositiveFloat = Field(1.0, description="smallest wave number of the bars [h/Mpc]")
    k_max_hmpc: PositiveFloat = Field(8.0, description="largest wave number of the bars [h/Mpc]")
    k_range: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None,
        description="of suite.kind arrays, in place of k_min_hmpc and k_max_hmpc: wave numbers in "
        "1/suite.length_unit; null: all shells",
    )
    occupied_msunh: NonNegativeFloat = Field(
        1.0e9, description="a pixel with more mass counts as occupied [Msun/h per pixel]"
    )
    bars: BarsConfig = BarsConfig()
    enforce: bool = Field(False, description="a missed bar makes the workflow fail")

    @property
    def wave_numbers(self) -> tuple[float, float]:
        """Range of wave numbers that bars look at."""
        return self.k_range or (self.k_min_hmpc, self.k_max_hmpc)

    @model_validator(mode="after")
    def _wave_numbers_increase(self) -> "ValidationConfig":
        if self.k_range is not None and self.k_range[0] >= self.k_range[1]:
            raise ValueError(f"k_range must increase, got {list(self.k_range)}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _bars_stand_together(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        faults = [
            f"{key} is written as `validation.bars.{MOVED_BARS[key]}`"
            for key in MOVED_BARS
            if key in value
        ]
        if "n_bootstrap" in value:
            faults.append("n_bootstrap is gone: the errors are those of a jackknife over runs")
        if faults:
            raise ValueError("; ".join(faults))
        return value
