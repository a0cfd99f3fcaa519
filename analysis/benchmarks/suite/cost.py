"""What the suite costs: CPU-seconds against size, of a re-draw, and of whole presets."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from analysis.benchmarks.suite.runs import DEMO, FIDUCIAL_COSMOLOGY, STANDARD, particle_mass
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import DesignConfig, EmbeddedSuite
from emulator.simulate.gravity import run_gravity
from emulator.simulate.halos import build_tree
from emulator.simulate.neighbourhood import survey
from emulator.simulate.simulate import simulate_run

CONFIGS = Path(__file__).parents[3] / "configs"


def measure() -> list[Measurement]:
    """All of this section: about seven minutes; the machine must have nothing else to do."""
    return [sizes(), presets()]


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU-seconds of a call, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def sizes() -> Measurement:
    """Gravity, halos, and each hydro outcome, against particles and mesh."""
    one = DesignConfig(sb_runs=0, cv_runs=1)
    small = EmbeddedSuite(n_particles=32, mesh=64, n_steps=20)
    large = EmbeddedSuite(n_particles=96, mesh=192, n_steps=40)
    rows, redraw, pair = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for i, size in enumerate((small, small, DEMO, STANDARD, large)):
            suite, root = size.model_copy(update={"design": one}), Path(folder) / str(i)
            gravity = cpu_seconds(partial(run_gravity, suite, FIDUCIAL_COSMOLOGY, 1))
            total = cpu_seconds(partial(simulate_run, suite, "CV0", root))
            with_draws = cpu_seconds(partial(simulate_run, suite, "CV0", root, n_redraws=10))
            halos = cpu_seconds(partial(_halos, suite, root))
            outcome = max(with_draws - halos, 0.0) / 10
            if i == 0:
                continue  # the first call compiles
            if size is STANDARD:
                redraw, pair = with_draws / 10, total
            rows.append([f"{size.n_particles}^3", f"{size.mesh}", f"{size.n_steps}",
                         f"{gravity:.2f}", f"{outcome:.3f}", f"{with_draws / 10:.3f}",
                         f"{total:.2f}"])  # fmt: skip
    bars = [
        Bar("standard: one pair [CPU-s]", pair, -INFINITY, 20.0),
        Bar("standard: each of 10 re-draws, with reading the run [CPU-s]", redraw, -INFINITY, 0.5),
    ]
    note = "CPU-seconds in one process, compiled code in the cache; written to disk and flushed."
    header = ["particles", "mesh", "steps", "gravity", "one outcome", "one of 10 re-draws, all in",
              "whole pair"]  # fmt: skip
    return Measurement("Cost against size", note, bars, header, rows)


def _halos(suite: EmbeddedSuite, root: Path) -> None:
    from emulator.simulate.snapshots import read_catalogue, read_positions

    positions = read_positions(suite.path("dmo_snapshot", root, "CV_0"))
    tree = build_tree(positions, suite.box_size_mpch)
    survey(tree, particle_mass(suite), read_catalogue(suite.path("dmo_catalogue", root, "CV_0")))


def presets() -> Measurement:
    """Wall time of all simulations of a preset, runs shared out between two processes."""
    from emulator.config import read_config
    from emulator.suites import suite_of

    limits = {"test": 10.0, "demo": 150.0}
    bars = []
    for name, limit in limits.items():
        config = CONFIGS / f"{name}.yaml"
        runs = list(suite_of(read_config(config)).runs)
        with tempfile.TemporaryDirectory() as folder:
            shares = [[word for run in runs[i::2] for word in ("--run", run)] for i in (0, 1)]
            command = [sys.executable, "-m", "emulator", "simulate", str(config), "--raw", folder]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            start = time.monotonic()
            jobs = [
                subprocess.Popen([*command, *share], env=environment, stderr=subprocess.DEVNULL)
                for share in shares
            ]
            failed = [job.returncode for job in jobs if job.wait() != 0]
            if failed:
                raise RuntimeError(f"simulate {config} failed: {failed}")
            seconds = time.monotonic() - start
        bars.append(Bar(f"{name}: all simulations [s]", seconds, -INFINITY, limit))
    note = "Two processes side by side, start-up of Python included, compiled code in the cache."
    return Measurement("Presets", note, bars)
