"""Run the sections of a benchmark, and keep what was measured before."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from analysis.benchmarks.tables import to_markdown
from emulator.io import read_json, write_json, write_text

FOLDER = Path(__file__).parent


def run_sections(name: str, sections: Mapping[str, ModuleType], lead: str) -> None:
    """Measure the sections named on the command line, or all; write ``{name}.json`` and ``.md``."""
    chosen = sys.argv[1:]
    unknown = sorted(set(chosen) - set(sections))
    if unknown:
        sys.exit(f"no such section: {', '.join(unknown)}; there are {', '.join(sections)}")
    path = FOLDER / f"{name}.json"
    for section in chosen or sections:
        print(f"measuring {section}", file=sys.stderr, flush=True)
        measured = [measurement.to_json() for measurement in sections[section].measure()]
        known = (read_json(path, sealed=False) if path.is_file() else {}) | {section: measured}
        ordered = {key: known[key] for key in sections if key in known}
        write_json(path, ordered, sealed=False)
        write_text(FOLDER / f"{name}.md", to_markdown(ordered, lead))
