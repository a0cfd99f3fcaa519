"""Measure and write ``suite.json`` and ``suite.md``."""

from analysis.benchmarks.runner import run_sections
from analysis.benchmarks.suite import baryons, cost, gravity, truth

run_sections(
    "suite",
    {"gravity": gravity, "baryons": baryons, "truth": truth, "cost": cost},
    """# What the embedded suite can be trusted for

Surrogate hydro: N-body gravity plus baryonification, not a hydrodynamic simulation. Written by
`make bench-suite`; bars that are missed stay in the table.""",
)
