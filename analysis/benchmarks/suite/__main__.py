"""Measure and write ``suite.json`` and ``suite.md``, and what reports say of convergence."""

from importlib.resources import files
from pathlib import Path

from analysis.benchmarks.runner import FOLDER, run_sections
from analysis.benchmarks.suite import baryons, cost, gravity, reality, truth
from emulator.io import read_json, write_json

run_sections(
    "suite",
    {"gravity": gravity, "baryons": baryons, "truth": truth, "reality": reality, "cost": cost},
    """# What the embedded suite can be trusted for

Surrogate hydro: N-body gravity plus baryonification, not a hydrodynamic simulation. Written by
`make bench-suite`; bars that are missed stay in the table.""",
)

CONVERGENCE = Path(str(files("emulator.simulate") / "convergence.json"))
measured = read_json(FOLDER / "suite.json", sealed=False).get("gravity", [])
rows = [figures for section in measured for figures in section["figures"].values()]
write_json(CONVERGENCE, rows, sealed=False)
