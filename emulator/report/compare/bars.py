"""Bars of all models side by side: verdicts, and whose value is best."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emulator.domain import MATTER, Domain
from emulator.metrics.bars import MET
from emulator.metrics.registry import METRICS, metric_of
from emulator.report.bars import bar_interval, bar_threshold, bar_value
from emulator.report.compare.inputs import Trained
from emulator.report.figures.style import domain_of_file
from emulator.report.text import UNKNOWN

OTHERS = "Others"
COLUMNS = (
    "model", "group", "bar", "field", "statistic", "unit", "value", "low", "high", "comparison",
    "threshold_low", "threshold_high", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One bar of one model; empty text: it does not have the bar."""

    value: str
    interval: str
    verdict: str
    best: bool

    @property
    def text(self) -> str:
        """``✓ 3.8% ★``; a dash where there is no bar."""
        if not self.verdict:
            return UNKNOWN
        mark = "✓" if self.verdict == MET else "✗"
        return f"{mark} {self.value}{' ★' if self.best else ''}"


@dataclass(frozen=True)
class Row:
    """One bar of all models, in their order."""

    name: str
    threshold: str
    cells: list[Cell]


def grouped_rows(models: Sequence[Trained], domain: Domain = MATTER) -> dict[str, list[Row]]:
    """Rows by the title of the metric that is judged, in the order of the registry."""
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for model in models:
        for bar in model.bars:
            by_name.setdefault(bar["name"], {})[model.label] = bar
    groups: dict[str, list[Row]] = {metric.title(domain): [] for metric in METRICS}
    for name, bars in by_name.items():
        any_bar = next(iter(bars.values()))
        found = [bars.get(model.label) for model in models]
        best = _best(found)
        cells = [_cell(bar, is_best) for bar, is_best in zip(found, best, strict=True)]
        row = Row(name, bar_threshold(any_bar), cells)
        groups.setdefault(group_of(any_bar, domain), []).append(row)
    return {label: rows for label, rows in groups.items() if rows}


def group_of(bar: dict[str, Any], domain: Domain) -> str:
    """Title of the metric that is judged."""
    metric = metric_of(bar["statistic"])
    return metric.title(domain) if metric else OTHERS


def _cell(bar: dict[str, Any] | None, best: bool) -> Cell:
    if bar is None:
        return Cell("", "", "", False)
    return Cell(bar_value(bar), bar_interval(bar), str(bar["verdict"]), best)


def _best(bars: Sequence[dict[str, Any] | None]) -> list[bool]:
    """Whose value is furthest on the good side, and reads so; nobody's, where all are alike."""
    distances = [math.inf if bar is None else _distance(bar) for bar in bars]
    first = bars[distances.index(min(distances))]
    if first is None or math.isinf(min(distances)):
        return [False] * len(bars)
    best = [bar is not None and bar_value(bar) == bar_value(first) for bar in bars]
    return [False] * len(best) if all(best) else best


def _distance(bar: dict[str, Any]) -> float:
    """Less is better. Ratios that a range asks to be near 1 count by their logarithm."""
    if bar["value"] is None:
        return math.inf
    value = float(bar["value"])
    if bar["comparison"] != "in":
        return -value if bar["comparison"] == ">=" else value
    low, high = bar["threshold"]
    if 0 < low < 1 < high:
        return abs(math.log(value)) if value > 0 else math.inf
    return abs(value - (float(low) + float(high)) / 2)


def n_met(model: Trained) -> int:
    """Bars that a model meets."""
    return sum(bar["verdict"] == MET for bar in model.bars)


def to_csv(models: Sequence[Trained]) -> str:
    """One row a model and bar; numbers in full, blank where there is none.

    A bar ``>=`` has the end ``threshold_low``, one ``<=`` has ``threshold_high``, a range both.
    """
    text, domain = io.StringIO(), domain_of_file(models[0].metrics)
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for model in models:
        for bar in model.bars:
            ends = _ends(bar)
            named = {"model": model.label, "group": group_of(bar, domain), "bar": bar["name"]}
            writer.writerow({**bar, **named, "threshold_low": ends[0], "threshold_high": ends[1]})
    return text.getvalue()


def _ends(bar: dict[str, Any]) -> tuple[Any, Any]:
    if bar["comparison"] == "in":
        low, high = bar["threshold"]
        return low, high
    return (bar["threshold"], "") if bar["comparison"] == ">=" else ("", bar["threshold"])
