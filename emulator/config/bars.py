"""The bars of the acceptance table: every threshold in one place, each with its reason.

The defaults are what a usable demo needs; ``configs/standard.yaml`` states the targets of the
field. A number that is no bar (a range of wave numbers, a number of draws) stands in
:mod:`emulator.config.evaluation`.
"""

from pydantic import Field, PositiveFloat, model_validator

from emulator.config.section import Section

Range = tuple[PositiveFloat, PositiveFloat]


class BarsConfig(Section):
    """Thresholds of the acceptance table."""

    crps_gain: float = Field(
        0.10,
        description="CRPS at least this fraction below the best baseline. Reason: a few per cent "
        "are within reach of a fit without a network",
    )
    power: dict[str, PositiveFloat] = Field(
        {},
        description="largest |P/P_truth - 1| in the k range, by field; default: the bar in the row "
        "of the field. Reason: hydrodynamic codes agree on the total to a few per cent, on gas and "
        "stars far less",
    )
    spread_skill: Range = Field(
        (0.7, 1.3),
        description="spread of the members over the error of their mean. Reason: 1 is calibrated, "
        "and a ratio r makes error bars wrong by the factor r",
    )

    @model_validator(mode="after")
    def _ranges_increase(self) -> "BarsConfig":
        for name, value in self:
            if isinstance(value, tuple) and value[0] >= value[1]:
                raise ValueError(f"{name} must increase, got {list(value)}")
        return self


MOVED_BARS = {
    "crps_gain": "crps_gain",
    "power_tolerance": "power",
    "spread_skill": "spread_skill",
}
"""Former keys of ``validation``, and what they are called in ``validation.bars``."""
