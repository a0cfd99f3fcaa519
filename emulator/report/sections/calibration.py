"""Is the truth one more member of the ensemble?"""

from typing import Any

import xarray as xr

from emulator.report.figures import style
from emulator.report.figures.correlation import plot_identity
from emulator.report.figures.coverage import plot_coverage
from emulator.report.figures.ranks import plot_ranks
from emulator.report.figures.spread_skill import plot_spread_skill
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, encode_figure
from emulator.report.text import BAND, k_range_of


def calibration_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """Spread, ranks, coverage and the identity of correlations."""
    k_range = k_range_of(config)
    nouns = style.domain_of_file(metrics).nouns
    low, high = config["bars"]["spread_skill"]
    return Section(
        "calibration",
        "Calibration",
        "In a calibrated ensemble the truth is one more member. These tests ask whether it is.",
        pictures=[
            encode_figure(
                plot_spread_skill(metrics, (low, high)),
                alt="Spread over skill by channel with the range of the bar",
                caption="Scatter of the members over the error of their mean, corrected for the "
                "size of the ensemble. Good: 1; below 1 the ensemble is too confident. Bar: "
                f"{low:g} to {high:g}. Ticks are single simulations, points the mean over runs "
                "with its interval of 68 %.",
                numbers=numbers_of(metrics, "spread_skill"),
            ),
            encode_figure(
                plot_ranks(metrics),
                alt=f"Rank histograms by channel for pixels and window {nouns.amounts}",
                caption="Rank of the truth among the members, ties broken at random. Good: flat at "
                "1. A U is too narrow an ensemble, a dome too wide a one, a slope a bias. "
                "Lines are intervals of 68 %. No bar.",
                numbers=numbers_of(metrics, "rank_share", "rank_share_mass"),
            ),
            encode_figure(
                plot_coverage(metrics),
                alt="Coverage of central intervals against their nominal share",
                caption="How often the truth lies inside central intervals of the ensemble. Good: "
                "on the diagonal; below it the ensemble is too confident, above it too wide. "
                "Lines are intervals of 68 %. No bar.",
                numbers=numbers_of(metrics, "coverage", "coverage_mass"),
            ),
            encode_figure(
                plot_identity(metrics, k_range),
                alt="Correlation of members with the truth and with each other by field",
                caption="What the correlation of a member with the truth, and with another "
                "member, lacks of 1. Good: the two agree at every k, exactly so for a "
                "calibrated ensemble. Members that "
                f"agree more with each other than with the truth are too confident. No bar. {BAND}",
                numbers=numbers_of(
                    metrics, "correlation_member_truth", "correlation_member_member"
                ),
            ),
        ],
    )
