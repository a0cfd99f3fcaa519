"""The forward process, the training loss and its times, in gamma = -log SNR."""

import math
from typing import Annotated

from pydantic import Field, model_validator

from emulator.config.names import (
    PathName,
    PredictionName,
    ScheduleName,
    TimesName,
    WeightName,
)
from emulator.config.section import Fraction, Gamma, Scale, Section

LEAST_GAMMA_MAX = math.log(100.0)
"""Data of unit variance keep 1 % of signal here, even if they are white."""


class DiffusionConfig(Section):
    """The forward process, the training loss and its times, in gamma = -log SNR.

    The families of the literature are rows of these keys; docs/diffusion.md lists them.
    """

    path: PathName = Field(
        "variance_preserving", description="scale in which the network sees the noised field"
    )
    schedule: ScheduleName = Field(
        "logistic", description="gamma as a function of time: where gammas are drawn"
    )
    gamma_min: Gamma = Field(-13.3, description="gamma at t = 0, the clean end")
    gamma_max: Gamma = Field(
        13.0, description="gamma at t = 1, pure noise; a table that ends earlier keeps its own end"
    )
    learn_ends: bool = Field(False, description="learned_nn: the bound trains both ends, too")
    logistic_loc: Gamma = Field(-0.5, description="centre of the logistic distribution of gamma")
    logistic_scale: Scale = Field(1.4, description="its scale")
    prediction: PredictionName = Field(
        "v", description="what the network predicts, from which noise and data follow"
    )
    residual: bool = Field(
        False,
        description="the network adds to the best linear prediction; v and edm have it built in",
    )
    weight: WeightName = Field(
        "plain",
        description="what an error costs; plain: the squared error of the output; bound: the "
        "variational bound",
    )
    min_snr: Scale = Field(5.0, description="min_snr: the SNR above which errors cost less")
    sigmoid_bias: Gamma = Field(2.0, description="sigmoid: the weight is sigmoid(gamma + bias)")
    sigma_data: Scale = Field(1.0, description="edm: standard deviation of normalised data")
    mass_tilt: Annotated[float, Field(ge=0.0, le=2.0)] = Field(
        0.0,
        description="errors of pixels count with the power mass_tilt of their DMO mass: massive "
        "halos are rare; the law that is learned is the same",
    )
    times: TimesName = Field(
        "low_discrepancy",
        description="times of a batch; adaptive: more of them where the running loss is large",
    )
    drop_params: Fraction = Field(
        0.0, description="share of samples that are trained without parameters, for guidance"
    )
    drop_each_param: Fraction = Field(
        0.0,
        description="share of single parameters that are trained as missing, so that a sample may "
        "leave some unknown",
    )
    drop_context: Fraction = Field(
        0.0, description="share of samples that are trained without large-scale context"
    )
    data_noise: Scale = Field(
        5.0e-4, description="standard deviation s of p(x|z_0) in normalised units"
    )

    @model_validator(mode="after")
    def _gamma_increases(self) -> "DiffusionConfig":
        if self.gamma_min >= self.gamma_max:
            raise ValueError("gamma_min (clean, t=0) must be below gamma_max (noise, t=1)")
        if self.gamma_max < LEAST_GAMMA_MAX:
            raise ValueError(
                f"gamma_max = {self.gamma_max:g} leaves {math.exp(-self.gamma_max):.1%} of signal "
                f"at t=1 where sampling starts from pure noise; it must be at least "
                f"{LEAST_GAMMA_MAX:.2f}, and about 13 is safe"
            )
        return self

    @model_validator(mode="after")
    def _schedule_can_learn(self) -> "DiffusionConfig":
        learned = self.schedule in ("learned_linear", "learned_nn")
        if learned and self.weight not in ("bound", "sigmoid"):
            raise ValueError(
                f"schedule {self.schedule} needs weight bound or sigmoid: with {self.weight} the "
                "loss itself depends on the schedule, which would learn to avoid hard gammas"
            )
        if self.learns_ends and self.weight != "bound":
            raise ValueError("ends of a schedule are trained by the bound: weight must be bound")
        if learned and self.mass_tilt > 0:
            raise ValueError(
                f"schedule {self.schedule} learns by the bound, in which all pixels count alike: "
                "set mass_tilt to 0, or name a schedule that is fixed"
            )
        if self.learn_ends and self.schedule != "learned_nn":
            raise ValueError("learn_ends belongs to schedule learned_nn")
        return self

    @property
    def learns_ends(self) -> bool:
        """Whether the ends of gamma are trained."""
        return self.learn_ends or self.schedule == "learned_linear"
