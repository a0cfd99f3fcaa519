"""``calibration``: how far the noise of a trained model may be scaled, and what it is fitted on."""

from typing import Annotated

from pydantic import Field, PositiveInt

from emulator.config.section import Section


class CalibrationConfig(Section):
    """After training: noise of a size that makes the spread fit the errors, on the validation."""

    enabled: bool = Field(
        False,
        description="whether `emulator calibrate` fits each model, and members are drawn with it",
    )
    windows: PositiveInt = Field(
        48, description="about how many windows of the validation split are drawn"
    )
    members: Annotated[int, Field(ge=2)] = Field(
        8, description="members of each; the statistic is corrected for their number"
    )
    rounds: PositiveInt = Field(
        2, description="Gauss-Newton steps; one that does not help is not taken"
    )
    largest_factor: Annotated[float, Field(gt=1.0, le=10.0)] = Field(
        2.0, description="noise is scaled by this at most, and by one over it at least"
    )
