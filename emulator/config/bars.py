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
        0.08,
        description="the same of means over windows, their mass. Reason: a model that ignores the "
        "parameters or the surroundings is no better than a table; a re-drawn truth of the demo "
        "gains 10 to 21 %",
    )
    crps_gain_power: float = Field(
        0.05,
        description="the same of ln P of single windows in the k range. Reason: members that are "
        "blurred, or independent from pixel to pixel, have the wrong structure; a re-drawn truth "
        "of the demo gains 9 to 35 %",
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
    spread_skill_squares: Range = Field(
        (0.7, 1.3),
        description="the same of means over squares of 2, 4 and 8 pixels, masses relative to DMO, "
        "at the worst of them. Reason: noise that is white where the truth's belongs together is "
        "right in every pixel, and its error bars are wrong everywhere else",
    )

    mass: dict[str, PositiveFloat] = Field(
        {},
        description="largest |M/M_truth - 1| of the total mass, by field; default: the bar in the "
        "row of the field. Reason: baryons move matter and make none, and the mass of stars itself "
        "depends on the resolution of a simulation by about ten per cent",
    )
    suppression: PositiveFloat = Field(
        0.1,
        description="largest |S - S_truth| of the suppression S = 1 - P_total/P_DMO in the k "
        "range, over the dip, the largest |S_truth| there. Reason: the dip is what baryons do; "
        "relative to P a map without baryons would pass",
    )
    variance: Range = Field(
        (0.7, 1.4),
        description="variance of the root of a field over that of the truth, among pixels of like "
        "DMO density. Reason: fields drawn as their mean, or blurred, lack the scatter of gas and "
        "stars there; heavy tails leave the variance of a few runs uncertain by some ten per cent",
    )
    rank_spread: Range = Field(
        (0.8, 1.3),
        description="mean squared distance of the truth's rank from the middle over that of flat "
        "ranks, in the worst class of brightness (faint, middle, the brightest 1 %). Reason: what "
        "spread-skill of 1.3 and 0.7 gives for normal scatter and 8 members; a dome in the peaks "
        "and a U in the voids cancel in one number for all pixels",
    )
    coverage: PositiveFloat = Field(
        0.12,
        description="largest |coverage - nominal| of central intervals, over levels and classes of "
        "brightness. Reason: what spread-skill of 1.3 and 0.7 gives for normal scatter",
    )
    response_sign: PositiveFloat = Field(
        1.0,
        le=1.0,
        description="share of the responses (of mass, variance and power to a parameter) beyond 3 "
        "sigma of the truth that have its sign, by field. Reason: a map drawn for other parameters "
        "must at least move to the right side; less than a tenth of the truth's has no sign",
    )
    response_size: PositiveFloat = Field(
        0.3,
        description="|slope - 1| of the members' responses over the truth's, median over the "
        "parameters that a field responds to. Reason: parameters inferred from maps are wrong by "
        "as much; a truth of 3 sigma leaves each slope uncertain by a third, hence the median",
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
