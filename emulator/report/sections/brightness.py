"""Calibration by class of brightness, and scores of intervals."""

from typing import Any

import xarray as xr

from emulator.nouns import Nouns
from emulator.report.figures import style
from emulator.report.figures.rank_classes import plot_rank_classes
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import with_interval


def brightness_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """Ranks, coverage and the score of intervals."""
    section = Section(
        "brightness",
        "Calibration by brightness",
        "An ensemble that is too wide in the peaks and too narrow elsewhere looks calibrated in "
        "one number for all pixels. Classes are quantiles of the mean of truth and members "
        "together, which favours neither; pixels that are empty in all of them do not count.",
    )
    bars, domain = config["bars"], style.domain_of_file(metrics)
    low, high = bars["rank_spread"]
    section.pictures.append(
        encode_figure(
            plot_rank_classes(metrics, (low, high)),
            alt="Rank histograms by class of brightness, and the spread of their ranks",
            caption="Rank of the truth among the members in each class (above), and the mean "
            "squared distance of the rank from the middle over that of flat ranks (below). Good: "
            "1. Below 1 the histogram is a dome, the members too wide; above 1 it is a U or a "
            f"slope, the members too narrow or biased. Bar, for the worst class: {low:g} to "
            f"{high:g}. Lines are intervals of 68 %.",
            numbers=numbers_of(metrics, "rank_share_class", "rank_spread"),
        )
    )
    section.tables.append(_coverage(metrics, bars["coverage"]))
    if "interval_score_ratio" in metrics:
        section.tables.append(_intervals(metrics, domain.nouns))
    else:
        held_out = "a held-out run (set BE)" if domain.is_matter else "a held-out group"
        section.missing.append(
            f"No two re-drawn truths of {held_out} were among the ensembles, so scores of "
            "intervals have nothing to compare with."
        )
    return section


def _coverage(metrics: xr.Dataset, bar: float) -> Table:
    known, names = style.fields_of(metrics), [str(name) for name in metrics["channel"].values]
    rows = []
    for level in metrics["nominal"].values:
        for label in metrics["brightness"].values:
            values = metrics["coverage_class"].sel(nominal=level, brightness=label)
            cells = [with_interval(values.sel(channel=name).values) for name in names]
            rows.append([f"{level:.2f}, {label}", *cells])
    return Table(
        ["nominal, class", *(known[name].label for name in names)],
        rows,
        "Share of truths inside the central interval of a nominal share, by class. Good: just that "
        f"share. Bar: within {bar:g} at every level in every class.",
    )


def _intervals(metrics: xr.Dataset, nouns: Nouns) -> Table:
    known, names = style.fields_of(metrics), [str(name) for name in metrics["channel"].values]
    rows = [
        [
            f"{level:.2f}",
            *(
                with_interval(metrics["interval_score_ratio"].sel(level=level, channel=name).values)
                for name in names
            ),
        ]
        for level in metrics["level"].values
    ]
    return Table(
        ["nominal", *(known[name].label for name in names)],
        rows,
        "Winkler's score of the interval (its width, and what truths outside cost) over that of as "
        f"many re-drawn truths. Good: close to 1, which a model that knows {nouns.given} alone "
        "cannot reach; intervals near the median gain by being narrow. No bar.",
    )
