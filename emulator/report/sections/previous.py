"""The run beside earlier ones on the same held-out simulations."""

from emulator.metrics.bars import MET
from emulator.report.compare.comparison import (
    Comparison,
    differences_table,
    headline,
    stars,
    verdicts,
)
from emulator.report.compare.page import scores_section
from emulator.report.page import Section, Table


def previous_section(comparison: Comparison) -> Section:
    """Scores of pairs, and the bars whose verdict has changed; more is on the page of `compare`.

    Parameters
    ----------
    comparison
        Earlier runs, and this one last.
    """
    section = scores_section(comparison)
    section.anchor, section.title = "previous", "Beside earlier runs"
    own, reference = comparison.models[-1], comparison.reference
    section.intro = (
        f"This run is {own.label}; the reference is {reference.label} ({reference.folder}). "
        f"{section.intro}"
    )
    section.said = [
        (model.label, f"{verdict.short} {verdict.more}")
        for model, verdict in zip(comparison.models[1:], verdicts(comparison), strict=True)
    ]
    section.missing += comparison.limits
    found = [headline(comparison), *section.tables, _changed_bars(comparison)]
    section.tables = [*found, *filter(None, [differences_table(comparison)])]
    return section


def _changed_bars(comparison: Comparison) -> Table:
    """Bars that some of the runs meet and others miss."""
    models = [model.label for model in comparison.models]
    rows = [
        [row.name, row.threshold, *(cell.text for cell in row.cells)]
        for bars in comparison.bars.values()
        for row in bars
        if len({cell.verdict == MET for cell in row.cells}) > 1
    ]
    total = sum(map(len, comparison.bars.values()))
    same = f"{total - len(rows)} of {total} bars have the same verdict and are left out"
    return Table(
        ["bar", "asked", *models],
        rows,
        f"Bars whose verdict differs: ✓ met, ✗ missed; {stars(comparison)} {same}. All of them, "
        "responses and cost: `emulator compare`, or the target `compare` of the workflow.",
    )
