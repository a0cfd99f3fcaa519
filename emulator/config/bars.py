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
        0.02,
        description="CRPS of pixels at least this fraction below that of the best probabilistic "
        "baseline. Reason: where the scatter of pixels is white, a table by density is nearly all "
        "that can be known of one",
    )
    crps_gain_squares: float = Field(
        0.02,
        description="the same of means over squares of 2, 4 and 8 pixels, at the worst of them. "
        "Reason: a table that draws pixels independently is right about pixels alone",
    )
    crps_gain_windows: float = Field(
        0.10,
        description="the same of means over windows, their mass. Reason: a model that ignores the "
        "parameters or the surroundings is no better than a table",
    )
    crps_gain_power: float = Field(
        0.10,
        description="the same of ln P of single windows in the k range. Reason: members that are "
        "blurred, or independent from pixel to pixel, have the wrong structure",
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
