"""Ensembles of the held-out simulations, and the bars that they must meet."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from emulator.config.section import Section


class SamplingConfig(Section):
    """Ensembles of the held-out simulations."""

    n_members: Annotated[int, Field(ge=2)] = 8
    windows_per_simulation: PositiveInt = Field(8, description="cutouts of each simulation")
    solver: Literal["dpm++2m", "ancestral"] = "dpm++2m"
    n_steps: PositiveInt = Field(20, description="network evaluations a member")
    gamma_start: float | None = Field(None, description="noise end; default: the model's gamma_max")
    gamma_end: float | None = Field(-8.0, description="clean end; null: the model's gamma_min")
    batch_size: PositiveInt = 128
    seed: NonNegativeInt = 0


class ValidationConfig(Section):
    """Statistics and the bars of the acceptance table."""

    k_min_hmpc: PositiveFloat = 1.0
    k_max_hmpc: PositiveFloat = 8.0
    occupied_msunh: NonNegativeFloat = Field(
        1.0e9, description="a pixel with more mass counts as occupied [Msun/h per pixel]"
    )
    n_bootstrap: PositiveInt = Field(200, description="bootstrap draws over simulations")
    crps_gain: float = Field(
        0.10, description="CRPS at least this fraction below the best baseline"
    )
    power_tolerance: dict[str, PositiveFloat] = Field(
        {"dm_hydro": 0.10, "gas": 0.25, "stars": 0.50, "total": 0.10},
        description="largest |P/P_truth - 1| in the k range, by field",
    )
    spread_skill: tuple[PositiveFloat, PositiveFloat] = (0.7, 1.3)
    enforce: bool = Field(False, description="a missed bar makes the workflow fail")
