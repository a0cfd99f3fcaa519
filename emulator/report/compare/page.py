"""The page of a comparison: the verdict, then sections with figures and tables."""

from pathlib import Path
from typing import Any

import xarray as xr

from emulator.report.compare.comparison import (
    Comparison,
    cost_table,
    differences_table,
    headline,
    stars,
    verdicts,
)
from emulator.report.compare.responses import slope_tables
from emulator.report.compare.scores import ratio_table
from emulator.report.figures.ratios import plot_ratios
from emulator.report.figures.slopes import LEAST, MOST, plot_slopes
from emulator.report.figures.style import domain_of_file
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, encode_figure
from emulator.report.render import write_page
from emulator.report.text import UNKNOWN, join


def write_comparison(comparison: Comparison, output: Path) -> None:
    """Write one HTML page that needs no network."""
    metrics, reference = comparison.reference.metrics, comparison.reference.label
    domain = domain_of_file(metrics)
    shared = "initial phases" if domain.is_matter else domain.nouns.source
    others = [model.label for model in comparison.models[1:]]
    facts = [
        ("Reference", f"{reference}: {comparison.reference.folder}"),
        *((model.label, str(model.folder)) for model in comparison.models[1:]),
        ("Held out", f"{metrics.sizes['simulation']} simulations of {metrics.attrs['n_runs']} "
         f"{domain.nouns.run}s (those of one share {shared}), "
         f"{metrics.sizes['sample']} windows a simulation"),
    ]  # fmt: skip
    write_page(
        "compare.html.j2",
        output,
        title=f"{join(others)} against {reference}",
        lead=[
            "Trained models that drew ensembles of the same held-out windows, judged by the same "
            f"truths and bars. {reference} is the reference."
        ],
        notice=str(metrics.attrs.get("notice", "")).rstrip("."),
        facts=facts,
        verdicts=verdicts(comparison),
        headline=headline(comparison),
        runs=comparison.runs,
        notes=comparison.limits,
        stars=stars(comparison),
        models=[model.label for model in comparison.models],
        groups=comparison.bars,
        sections=_sections(comparison),
    )


def _sections(comparison: Comparison) -> list[Section]:
    # the template fills in the bars, whose cells have colours
    bars = Section("bars", "Bars side by side")
    return [
        scores_section(comparison),
        bars,
        _responses(comparison),
        *_seeds(comparison),
        _setup(comparison),
    ]


def scores_section(comparison: Comparison) -> Section:
    """CRPS of all models over that of the reference, as a figure and tables."""
    reference = comparison.reference.label
    found: list[tuple[str, Any]] = [(each.label, each.ratios) for each in comparison.ratios]
    return Section(
        "scores",
        "Scores relative to the reference",
        "Forecasts of the same windows share most of their scatter from run to run: the scatter is "
        "that of the truths. So the ratio of their scores is taken with the same run left out of "
        "both, and its error is smaller than those of the two scores. Still, an interval of 68 % "
        "misses 1 for one of three pairs of equal models: a single mark is weak evidence, many on "
        "one side are not. Scales of a field are not independent.",
        runs=comparison.runs,
        pictures=[
            encode_figure(
                plot_ratios(found, comparison.labels),
                alt=f"CRPS of {join([label for label, _ in found])} over that of {reference} by "
                "scale, one panel a field",
                caption=f"CRPS over that of {reference} (dashed), for pixels, means over squares, "
                "means over windows and ln P(k) of windows; right of the grey line and in the last "
                "panel the geometric means. Below 1 is better. Bars are intervals of 68 %, from a "
                "jackknife over runs of the ratio. Every panel has an axis of its own.",
                numbers=numbers_of(xr.Dataset(dict(found)), *(label for label, _ in found)),
            )
        ],
        tables=[ratio_table(each, reference, comparison.labels) for each in comparison.ratios],
    )


def _responses(comparison: Comparison) -> Section:
    section = Section(
        "responses",
        "Response to parameters",
        "What a parameter does to the members over what it does to the truth, through all "
        "summaries of a field that are judged. 0 is a model that ignores the parameter. Without a "
        f"number ({UNKNOWN}): the truth does not respond, or the model is not told the parameter.",
    )
    slopes = comparison.slopes
    if slopes is None:
        section.missing.append(
            "No response set was held out for all of them, or no truth responds: nothing to show."
        )
        return section
    section.runs = "1 run: all simulations of the set have the same phases."
    section.pictures.append(
        encode_figure(
            plot_slopes(slopes, comparison.labels),
            alt="Slope of the responses of members over those of the truth by parameter, one panel "
            "a field, one point a model",
            caption="Good: 1 (dashed). Errors are of single models, not of pairs: they are "
            "intervals of 68 % from the windows of one box, which all models share. Arrows: below "
            f"{LEAST:g} or above {MOST:g}; the tables have the numbers.",
            numbers=numbers_of(slopes.to_dataset(name="slope"), "slope"),
        )
    )
    section.tables += slope_tables(slopes, comparison.labels)
    return section


def _seeds(comparison: Comparison) -> list[Section]:
    # where nothing is known of them the verdict says so
    if comparison.seeds is None:
        return []
    title = "Other seeds of training"
    return [Section("seeds", title, runs=comparison.runs, tables=[comparison.seeds])]


def _setup(comparison: Comparison) -> Section:
    section = Section("setup", "Experiments and their cost")
    differences = differences_table(comparison)
    if differences is None:
        section.missing.append("Nothing that is recorded of the configs differs.")
    else:
        section.tables.append(differences)
    section.tables.append(cost_table(comparison))
    return section
