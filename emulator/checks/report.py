"""What a check looks like: a table for people, JSON for programs."""

import re
import textwrap
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from emulator.checks.run import Check
from emulator.config import set_of
from emulator.cost.sizes import format_size
from emulator.suites.findings import Finding, Level

_SHOWN = 4
_WIDTH = 100
_SETS_ABREAST = 3

TARGETS_NOTE = """\
dark matter alone (suite.layout.hydro_snapshot: null): targets to be painted, not pairs
can be:    projected (`emulator project`) and painted by a trained model (the target `paint` of the
           workflow with painting.model, or `emulator paint MODEL MAPS`)
cannot be: trained, sampled or validated on, which needs the hydrodynamic twins"""
"""Of a suite without twins."""


def to_json(check: Check) -> dict[str, Any]:
    """Document of ``--json``.

    Returns
    -------
    ``name, root``; ``twins`` (whether there are pairs; else targets to be painted); ``errors,
    warnings`` (counts); ``runs`` (groups of equal phases); ``needs``
    [bytes, hours]; ``simulations`` (name -> facts: ``dmo, hydro, halos, params, seed, mass_msunh,
    windows`` as far as they were read); ``findings``, each with ``level`` (error, warning),
    ``subject``, ``simulation`` (empty: of the whole suite) and ``message``.
    """
    return {
        "name": check.name,
        "root": check.root,
        "twins": check.has_twins,
        "runs": check.n_runs,
        "errors": check.n_errors,
        "warnings": len(check.findings) - check.n_errors,
        "needs": check.needs,
        "simulations": {found.simulation: found.facts for found in check.inspections},
        "findings": [asdict(finding) for finding in check.findings],
    }


def to_text(check: Check) -> str:
    """Summary, one column a set, needs, and findings of a kind together."""
    n_warnings = len(check.findings) - check.n_errors
    blocks = [
        f"{check.name}: {len(check.inspections)} simulations of {check.n_runs} runs, "
        f"{check.n_errors} errors, {n_warnings} warnings\nbelow {check.root}",
        "" if check.has_twins else TARGETS_NOTE,
        *map(_table, _sets(check)),
        "\n".join(_needs(check.needs, check.has_twins)),
        "\n".join(_findings(check)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _sets(check: Check) -> list[list[list[str]]]:
    """Tables with a row a fact and a column a set, a few sets beside each other."""
    members: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for found in check.inspections:
        members[set_of(found.simulation)].append(found.facts)
    columns = [_column(name, facts) for name, facts in members.items()]
    tables = []
    for start in range(0, len(columns), _SETS_ABREAST):
        abreast = columns[start : start + _SETS_ABREAST]
        rows = [[label, *(column[label] for column in abreast)] for label in abreast[0]]
        tables.append([row for row in rows if set(row[1:]) != {"-"}])
    return tables


def _column(name: str, facts: list[dict[str, Any]]) -> dict[str, str]:
    """What the files of a set hold; a range where simulations differ."""
    dmo = [fact["dmo"] for fact in facts if "dmo" in fact]
    hydro = [fact["hydro"] for fact in facts if "hydro" in fact]
    halos = [fact["halos"] for fact in facts if "halos" in fact]
    masses = [fact["mass_msunh"] for fact in facts if "mass_msunh" in fact]
    types = {"dark matter": "1", "gas": "0", "stars": "4", "black holes": "5"}
    return {
        "set": name,
        "simulations": str(len(facts)),
        "files of a snapshot": _range([d["files"] for d in (*dmo, *hydro)]),
        "units of the files": _labels([*dmo, *hydro]),
        "box [Mpc/h]": _range([d["box_size_mpch"] for d in dmo]),
        "redshift": _range([d["redshift"] for d in dmo]),
        "Omega_m": _range([d["omega_m"] for d in dmo]),
        "DMO particles": _range([d["particles"].get("1", 0) for d in dmo]),
        "  spacing [Mpc/h]": _range([d["dark_matter_spacing_mpch"] for d in dmo]),
        "  mass / mean matter": _range([_density(fact) for fact in facts]),
        **{
            f"hydro {label}": _range([h["particles"].get(kind, 0) for h in hydro])
            for label, kind in types.items()
        },
        **{
            f"mass of {label} [Msun/h]": _range([mass.get(kind) for mass in masses])
            for label, kind in (("DMO", "dmo"), ("gas", "gas"), ("stars", "stars"))
        },
        "halos": _range([halo["count"] for halo in halos]),
        "  greatest [Msun/h]": _range([halo["most_msunh"] for halo in halos]),
        "windows": _range([fact.get("windows") for fact in facts]),
    }


def _density(facts: dict[str, Any]) -> float | None:
    """Mass of the dark-matter-only particles in units of that of the box's mean matter."""
    if "dmo" not in facts:
        return None
    mass = facts["dmo"]["dark_matter_msunh"] or facts.get("mass_msunh", {}).get("dmo")
    return mass / facts["dmo"]["matter_of_the_box_msunh"] if mass else None


def _labels(snapshots: list[dict[str, Any]]) -> str:
    found = {f"{s['length_unit'] or '?'}, {s['mass_unit'] or '?'}" for s in snapshots}
    return "; ".join(sorted(found)) or "-"


def _range(values: list[Any]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, high = (f"{value:.4g}" for value in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"


def _table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _needs(needs: dict[str, Any], has_twins: bool) -> list[str]:
    maps = (
        f"maps:       {format_size(needs['maps_bytes'])} on disk "
        f"({format_size(needs['maps_bytes_a_simulation'])} a simulation)"
    )
    projection = f"projection: {format_size(needs['projection_bytes'])} of memory a worker"
    if "projection_core_hours" in needs:
        projection += (
            f", {needs['projection_core_hours']:.2g} core-hours in all "
            f"(probe: {needs['particles_per_second'] / 1e6:.2g} million particles/s)"
        )
    training = (
        f"training:   {format_size(needs['training_bytes'])} of memory for maps (training.cache)"
    )
    lines = [maps, projection] if needs["projection_bytes"] else [maps]
    return [*lines, training] if has_twins else lines


def _findings(check: Check) -> list[str]:
    """One paragraph a kind of finding: who has it, and the message of the first."""
    groups: dict[tuple[Level, str, str], list[Finding]] = defaultdict(list)
    for finding in check.findings:
        groups[finding.level, finding.subject, _kind(finding)].append(finding)
    lines = []
    for (level, subject, _), group in sorted(groups.items(), key=lambda item: item[0][0]):
        names = ", ".join(finding.simulation or "suite" for finding in group[:_SHOWN])
        rest = f", ... ({len(group)} in all)" if len(group) > _SHOWN else ""
        lines.append(f"{level}, {subject}: {names}{rest}")
        message = group[0].message.replace(f"{check.root}/", "")
        lines += textwrap.wrap(
            message,
            _WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _kind(finding: Finding) -> str:
    """The message without the simulation's name and without numbers that stand for themselves."""
    name = finding.simulation
    message = finding.message.replace(name, "*") if name else finding.message
    return re.sub(r"(?<![A-Za-z_])[-+]?\d[\d.e+-]*", "#", message)
