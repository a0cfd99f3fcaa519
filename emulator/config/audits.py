"""``audits``: whole boxes that are painted, and windows whose conditions are changed on purpose."""

from typing import Annotated

from pydantic import Field, NonNegativeInt

from emulator.config.section import Section


class AuditsConfig(Section):
    """After training: what windows alone do not show, for `emulator audit` and the report."""

    boxes: NonNegativeInt = Field(
        2, description="held-out boxes that are painted whole, each of another run; 0: none"
    )
    windows: NonNegativeInt = Field(
        32,
        description="held-out windows that are drawn with another context, with other parameters, "
        "turned and mirrored; 0: none",
    )
    members: Annotated[int, Field(ge=2)] = Field(
        2, description="members of each box and of each window, from each trained model"
    )
