"""Measure and write ``spectra.json`` and ``spectra.md``."""

import platform

from analysis.benchmarks.runner import run_sections
from analysis.benchmarks.spectra import demo, ensemble, pair

run_sections(
    "spectra",
    {"pair": pair, "ensemble": ensemble, "demo": demo},
    f"""# Spectra, statistics, and the judge: speed

Written by `make bench-spectra` after `make demo`; bars that are missed stay in the table. Times are
of processors unless said, which other work on the machine moves little; those of the wall clock
need an idle machine. Last run on {platform.machine()}, Python {platform.python_version()}.""",
)
