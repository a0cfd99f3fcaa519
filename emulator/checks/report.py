"""What a check looks like: a table for people, JSON for programs."""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from emulator.checks.findings import Finding, Level
from emulator.checks.run import Check
from emulator.config import set_of

_SHOWN = 4


def to_json(check: Check) -> dict[str, Any]:
    """``errors, warnings`` (counts), ``needs`` [bytes, hours], ``simulations`` and ``findings``."""
    return {
        "name": check.name,
        "root": check.root,
        "errors": check.n_errors,
        "warnings": len(check.findings) - check.n_errors,
        "needs": check.needs,
        "simulations": {found.simulation: found.facts for found in check.inspections},
        "findings": [asdict(finding) for finding in check.findings],
    }


def to_text(check: Check) -> str:
    """Summary, one line a set, needs, and findings of a kind together."""
    n_warnings = len(check.findings) - check.n_errors
    blocks = [
        f"{check.name}: {len(check.inspections)} simulations below {check.root}: "
        f"{check.n_errors} errors, {n_warnings} warnings",
        _table(_sets(check)),
        "\n".join(_needs(check.needs)),
        "\n".join(_findings(check.findings)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _sets(check: Check) -> list[list[str]]:
    members = defaultdict(list)
    for found in check.inspections:
        members[set_of(found.simulation)].append(found.facts)
    header = ["set", "simulations", "box [Mpc/h]", "z", "Omega_m", "dmo", "dm_hydro", "gas",
              "stars", "halos", "spacing [Mpc/h]"]  # fmt: skip
    rows = []
    for name, facts in members.items():
        dmo = [fact["dmo"] for fact in facts if "dmo" in fact]
        hydro = [fact["hydro"]["particles"] for fact in facts if "hydro" in fact]
        halos = [fact["halos"]["count"] for fact in facts if "halos" in fact]
        rows.append([
            name,
            str(len(facts)),
            _range([d["box_size_mpch"] for d in dmo]),
            _range([d["redshift"] for d in dmo]),
            _range([d["omega_m"] for d in dmo]),
            _range([d["particles"].get("1", 0) for d in dmo]),
            *(_range([h.get(kind, 0) for h in hydro]) for kind in "104"),
            _range(halos),
            _range([d["dark_matter_spacing_mpch"] for d in dmo]),
        ])  # fmt: skip
    used = [i for i in range(len(header)) if any(row[i] != "-" for row in rows)]
    return [[row[i] for i in used] for row in (header, *rows)]


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


def _needs(needs: dict[str, Any]) -> list[str]:
    lines = [
        f"maps:       {_size(needs['maps_bytes'])} on disk "
        f"({_size(needs['maps_bytes_a_simulation'])} a simulation)",
        f"projection: {_size(needs['projection_bytes'])} of memory a worker",
        f"training:   {_size(needs['training_bytes'])} of memory for maps (training.cache)",
    ]
    if "projection_core_hours" in needs:
        lines[1] += (
            f", {needs['projection_core_hours']:.2g} core-hours in all "
            f"({needs['particles_per_second'] / 1e6:.2g} million particles/s in a probe)"
        )
    return lines


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _findings(findings: list[Finding]) -> list[str]:
    groups: dict[tuple[Level, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.level, finding.subject].append(finding)
    lines = []
    for (level, subject), group in sorted(groups.items(), key=lambda item: item[0]):
        names = ", ".join(finding.simulation for finding in group[:_SHOWN])
        rest = f", ... ({len(group)} in all)" if len(group) > _SHOWN else ""
        lines.append(f"{level}, {subject}: {names}{rest}")
        lines.append(f"    {group[0].message}")
    return lines
