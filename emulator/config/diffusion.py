"""The forward process and the training objective, in gamma = -log SNR."""

from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from emulator.config.section import Section


class DiffusionConfig(Section):
    """The forward process and the training objective, in gamma = -log SNR."""

    gamma_min: float = Field(-13.3, description="gamma at t = 0, the clean end")
    gamma_max: float = Field(13.0, description="gamma at t = 1, pure noise")
    prediction: Literal["eps", "x", "v"] = "v"
    objective: Literal["bound", "logistic"] = Field(
        "logistic",
        description="bound: the variational bound, gamma uniform; logistic: squared error of the "
        "prediction itself, gamma from a logistic distribution",
    )
    logistic_loc: float = Field(-0.5, description="centre of the logistic distribution of gamma")
    logistic_scale: PositiveFloat = Field(1.4, description="its scale")
    data_noise: PositiveFloat = Field(
        5.0e-4, description="standard deviation s of p(x|z_0) in normalised units"
    )

    @model_validator(mode="after")
    def _gamma_increases(self) -> "DiffusionConfig":
        if self.gamma_min >= self.gamma_max:
            raise ValueError("gamma_min (clean, t=0) must be below gamma_max (noise, t=1)")
        return self
