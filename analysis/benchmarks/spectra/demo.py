"""The judge and the page of the demo, as the workflow calls them."""

import shutil
import sys
import tempfile
from pathlib import Path

from analysis.benchmarks.spectra.timing import timed_command
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.cost.requests import VALIDATION_CORES

CONFIG, RESULTS, MAPS = (
    Path(path) for path in ("configs/demo.yaml", "results/demo", "data/processed/demo/maps")
)
WANTED = 60.0


def measure() -> list[Measurement]:
    """All of this section: a minute."""
    if not (RESULTS / "metrics.nc").is_file():
        sys.exit(f"{RESULTS}/metrics.nc: expected results of the demo, got none: run `make demo`")
    with tempfile.TemporaryDirectory() as name:
        # the stages write into the folder of the results, and beside the weights
        copy = Path(name) / "demo"
        shutil.copytree(RESULTS, copy, ignore=shutil.ignore_patterns("painted", "logs"))
        places = [str(CONFIG), "--results", str(copy), "--maps", str(MAPS)]
        commands = {"validate": [*places, "--workers", str(VALIDATION_CORES)], "report": places}
        stages = {
            stage: timed_command([sys.executable, "-m", "emulator", stage, *words])
            for stage, words in commands.items()
        }
    rows = [[stage, f"{s.cpu:.1f}", f"{s.wall:.1f}"] for stage, s in stages.items()]
    total = sum(seconds.wall for seconds in stages.values())
    bars = [Bar("both, two cores [s]", total, -INFINITY, WANTED)]
    note = "`emulator validate` and `emulator report` of the demo, their start included."
    return [Measurement("The demo", note, bars, ["stage", "processor [s]", "wall [s]"], rows)]
