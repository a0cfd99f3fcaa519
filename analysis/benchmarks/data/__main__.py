"""Measure and write ``data.json`` and ``data.md``."""

import platform

from analysis.benchmarks.data import deposit, loader, pair, reading
from analysis.benchmarks.runner import run_sections

run_sections(
    "data",
    {"deposit": deposit, "reading": reading, "pair": pair, "loader": loader},
    f"""# From files to batches: speed and memory

Written by `make bench-data` on an otherwise idle machine; bars that are missed stay in the table.
Rates are per second of wall-clock time, the best of several runs; ratios are of rates measured in
the same run. Last run on {platform.machine()}, Python {platform.python_version()}.""",
)
