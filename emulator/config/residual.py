"""Mean and spread in one pass, and a diffusion of what they leave."""

from typing import Annotated

from pydantic import Field

from emulator.config.section import Section


class ResidualConfig(Section):
    """How mean and spread are trained (``training.objective: residual``).

    They are trained beside the diffusion, by the same network in the same steps; all that is of the
    diffusion stands in ``diffusion``.
    """

    mean_weight: Annotated[float, Field(gt=0.0, le=1.0e3)] = Field(
        1.0, description="of the loss of mean and spread, beside that of the diffusion"
    )
    beta: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.5,
        description="0: likelihood of a Gaussian, which learns best where the spread is small; "
        "1: means are learned alike everywhere; 0.5 is usual",
    )
