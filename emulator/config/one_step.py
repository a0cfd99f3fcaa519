"""The one-step ensemble: a network that draws a member in one pass, trained by a proper score."""

from typing import Annotated

from pydantic import Field, model_validator

from emulator.config.section import Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, le=1.0e3)]


class OneStepConfig(Section):
    """What the score of an ensemble is made of (``training.objective: one_step``).

    The loss is an almost fair CRPS of the network's channels, of means over squares and of the
    power spectrum of each window, so that members are right in every pixel and belong together.
    """

    members: Annotated[int, Field(ge=2, le=64)] = Field(
        4, description="members of each window in a step; a step costs batch_size x members passes"
    )
    alpha: Share = Field(
        0.95, description="1: the fair score, which leaves single members free; 0.95 is usual"
    )
    pixel_weight: Weight = Field(1.0, description="of the score of the network's channels")
    squares_weight: Weight = Field(
        1.0, description="of the score of means over 1, 2, 4, 8 pixels and over the window"
    )
    power_weight: Weight = Field(1.0, description="of the score of ln P(k) of the window")
    mass_tilt: Share = Field(
        0.0,
        description="pixels and squares count with the power mass_tilt of their DMO mass: massive "
        "halos are rare; the law that is learned is the same",
    )

    @model_validator(mode="after")
    def _something_is_scored(self) -> "OneStepConfig":
        if self.pixel_weight + self.squares_weight + self.power_weight == 0:
            raise ValueError("pixel_weight, squares_weight and power_weight cannot all be zero")
        return self
