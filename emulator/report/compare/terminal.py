"""A comparison in the terminal: sentences and aligned tables."""

import textwrap
from collections.abc import Sequence

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
from emulator.report.compare.seeds import UNSEEN
from emulator.report.page import Table

_WIDTH = 100
_WIDEST = 44
"""Longer cells are cut: lists of a config, which the page shows whole."""


def to_text(comparison: Comparison) -> str:
    """Verdict, differences, cost, ratios, bars, responses and seeds, in this order."""
    reference = comparison.reference
    differences, slopes, seeds = (
        differences_table(comparison),
        comparison.slopes,
        comparison.seeds,
    )
    blocks = [
        *(_wrapped(f"{each.short} {each.more}") for each in verdicts(comparison)),
        _text(headline(comparison)),
        _wrapped("Nothing that is recorded of the configs differs.")
        if differences is None
        else _text(differences),
        _text(cost_table(comparison)),
        *(
            _text(ratio_table(found, reference.label, comparison.labels))
            for found in comparison.ratios
        ),
        _wrapped(comparison.runs),
        _bars(comparison),
        *([] if slopes is None else map(_text, slope_tables(slopes, comparison.labels))),
        _wrapped(UNSEEN) if seeds is None else _text(seeds),
        *map(_wrapped, comparison.notes),
    ]
    return "\n\n".join(blocks)


def _bars(comparison: Comparison) -> str:
    rows = [["bar", "asked", *(model.label for model in comparison.models)]]
    for group, bars in comparison.bars.items():
        rows += [[group], *([f"  {b.name}", b.threshold, *(c.text for c in b.cells)] for b in bars)]
    caption = f"✓ met, ✗ missed; {stars(comparison)}"
    return f"{_aligned(rows)}\n{_wrapped(caption)}"


def _text(table: Table) -> str:
    rows = [[_cut(cell) for cell in row] for row in [table.header, *table.rows]]
    return f"{_aligned(rows)}\n{_wrapped(table.caption)}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side; a row of one cell is a heading that widens none."""
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    )


def _cut(cell: str) -> str:
    return cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 3]}..."


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
