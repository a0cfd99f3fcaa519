"""Measure and write ``suite.json`` and ``suite.md``."""

import sys
from pathlib import Path

from analysis.benchmarks.suite import baryons, cost, gravity, truth
from analysis.benchmarks.suite.tables import to_markdown
from emulator.io import read_json, write_json, write_text

SECTIONS = {"gravity": gravity, "baryons": baryons, "truth": truth, "cost": cost}
FOLDER = Path(__file__).parents[1]
LEAD = """# What the embedded suite can be trusted for

Surrogate hydro: N-body gravity plus baryonification, not a hydrodynamic simulation. Written by
`make bench-suite`; bars that are missed stay in the table."""


def main(names: list[str]) -> None:
    """Measure the sections of these names, or all."""
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        sys.exit(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    path = FOLDER / "suite.json"
    for name in names or SECTIONS:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        measured = [measurement.to_json() for measurement in SECTIONS[name].measure()]
        known = (read_json(path) if path.is_file() else {}) | {name: measured}
        ordered = {key: known[key] for key in SECTIONS if key in known}
        write_json(path, ordered)
        write_text(FOLDER / "suite.md", to_markdown(ordered, LEAD))


main(sys.argv[1:])
