"""Registered metrics without a figure of their own: lines over wave number, or tables."""

from typing import Any

import xarray as xr

from emulator.domain import Domain
from emulator.metrics import registry
from emulator.metrics.base import Metric, Panel
from emulator.nouns import capital
from emulator.report.figures import style
from emulator.report.figures.lines import plot_lines
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import BAND, with_interval
from emulator.units import Unit


def other_sections(metrics: xr.Dataset, bars: list[dict[str, Any]]) -> list[Section]:
    """One section a metric that has panels and whose variables are in the file.

    Parameters
    ----------
    metrics
        Of ``metrics.nc``.
    bars
        Rows of ``acceptance.json``; those of the metric are quoted.
    """
    sections, domain = [], style.domain_of_file(metrics)
    for metric in registry.METRICS:
        panels = [panel for panel in _panels(metric, metrics, domain) if panel.variable in metrics]
        if panels:
            section = Section(metric.name, metric.title(domain), f"Estimator: {metric.estimator}.")
            for panel in panels:
                _draw(section, metrics, panel, _quote(bars, panel.variable))
            sections.append(section)
    return sections


def _panels(metric: Metric, metrics: xr.Dataset, domain: Domain) -> tuple[Panel, ...]:
    """Those of the metric; of one that has none declared, one a variable."""
    declared = metric.panels_of(domain)
    if declared is not None:
        return declared
    meaning = {name: str(metrics[name].attrs.get("long_name", name)) for name in metrics}
    return tuple(Panel(name, meaning.get(name, name)) for name in metric.variables)


def _draw(section: Section, metrics: xr.Dataset, panel: Panel, bar: str) -> None:
    values = metrics[panel.variable]
    caption = f"{panel.caption or panel.label} {bar}".rstrip()
    by = [str(dim) for dim in values.dims if dim != "estimate"]
    rows, classes = set(by) & {"field", "channel"}, set(by) - {"field", "channel", "k"}
    table = len(classes) == 1 and len(rows) == 1 and "k" not in by
    if "estimate" not in values.dims or len(rows) > 1 or (classes and not table):
        section.missing.append(
            f"{panel.variable} {tuple(values.dims)} is in metrics.nc; it is neither a line over k "
            "nor a table by field (and classes), so it is not drawn."
        )
    elif "k" in by:
        figure = plot_lines(metrics, panel.variable, panel.label)
        alt = f"{section.title}: {panel.label} over wave number"
        numbers = numbers_of(metrics, panel.variable)
        section.pictures.append(
            encode_figure(figure, alt=alt, caption=f"{caption} {BAND}", numbers=numbers)
        )
    elif not by and (singles := _of_single_fields(section, panel)):
        together = with_interval(values.transpose("estimate").values, panel.format)
        singles.rows.append(["all together", together])
    else:
        section.tables.append(_table(metrics, panel, by, caption))


def _of_single_fields(section: Section, panel: Panel) -> Table | None:
    """The table of the same number of single fields, if there is one."""
    same = [table for table in section.tables if table.header == ["field", panel.label]]
    return same[0] if same else None


def _table(metrics: xr.Dataset, panel: Panel, by: list[str], caption: str) -> Table:
    values = metrics[panel.variable].transpose("estimate", ...)
    header, caption = panel.label, capital(caption)
    if not by:
        return Table(["", header], [["all", with_interval(values.values, panel.format)]], caption)
    known = style.fields_of(metrics)
    first, *classes = sorted(by, key=lambda dim: dim not in ("field", "channel"))
    label = {str(name): known[str(name)].label for name in values[first].values}
    if not classes:
        rows = [
            [label[str(name)], with_interval(values.sel({first: name}).values, panel.format)]
            for name in values[first].values
        ]
        return Table(["field", header], rows, caption)
    (other,) = classes
    rows = [
        [
            label[str(name)],
            *(
                with_interval(values.sel({first: name, other: kind}).values, panel.format)
                for kind in values[other].values
            ),
        ]
        for name in values[first].values
    ]
    unit = str(values[other].attrs.get("units", Unit.DIMENSIONLESS))
    of_unit = "" if unit == Unit.DIMENSIONLESS else f" [{unit}]"
    classes = [f"{kind}{of_unit}" for kind in values[other].values]
    return Table(["field", *classes], rows, f"{capital(header)}. {caption}")


def _quote(bars: list[dict[str, Any]], variable: str) -> str:
    """The bars of a variable in words."""
    found = [bar["text"] for bar in bars if bar["statistic"] == variable]
    return " ".join(found) if found else "No bar."
