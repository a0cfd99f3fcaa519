"""Change the code a little, many times over, and count how often the tests notice.

    python tests/mutants/run.py diffusion --sample 60        # or `make mutants PACKAGE=diffusion`

Each mutant of a package (:mod:`operators`) is written into a copy of the code and the package's own
fast tests are run on it, in a forked process that has the large libraries loaded already. The table
lists what survived: a change that no test noticed. Some survivors are no fault of the tests (a
change that changes nothing); all the others want a test that holds a number against an independent
value.
"""

import argparse
import contextlib
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from operators import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
TESTS = {
    "diffusion": ["tests/diffusion"],
    "data": ["tests/data"],
    "metrics": ["tests/metrics"],
    "validation": ["tests/validation"],
    "sampling": ["tests/sampling"],
    "training": ["tests/training"],
    "model": ["tests/data", "tests/training", "tests/sampling"],
    "readers": ["tests/data"],
    "projection": ["tests/data"],
    "suites": ["tests/data", "tests/checks"],
    "simulate": ["tests/simulate"],
    "networks": ["tests/networks"],
    "io": ["tests/test_io.py", "tests/test_io_names.py", "tests/damage"],
}
HEAVY = (
    "numpy", "scipy.fft", "scipy.spatial", "xarray", "h5py", "h5netcdf", "torch", "numba", "pytest",
    "pytorch_lightning", "scoringrules", "jaxtyping", "beartype", "dask", "pydantic", "typer",
    "safetensors.torch", "yaml", "matplotlib.figure", "torchmetrics",
)  # fmt: skip
LIMIT = 8.0
"""Times that a mutant may take longer than the sound code before it counts as noticed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", choices=TESTS)
    parser.add_argument("--sample", type=int, default=60, help="mutants that are tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="part of a file's name")
    parser.add_argument("--lines", help="FILE:LINE,... : only mutants of these lines, all of them")
    options = parser.parse_args()
    chosen = choose(options)
    for name in HEAVY:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(
            ROOT / "emulator", copy / "emulator", ignore=shutil.ignore_patterns("__pycache__")
        )
        seconds = time.monotonic()
        if not passes(copy, options.package, 3600.0):
            sys.exit(f"the tests of {options.package} fail without any change")
        seconds = time.monotonic() - seconds
        survivors = attempt(copy, options.package, chosen, LIMIT * seconds)
    killed = len(chosen) - len(survivors)
    print(f"{options.package}: {killed} of {len(chosen)} noticed ({killed / len(chosen):.0%})")


def choose(options: argparse.Namespace) -> list[tuple[Path, Mutant]]:
    """A sample of all mutants of a package, or those of given lines."""
    files = sorted((ROOT / "emulator" / options.package).rglob("*.py"))
    found = [
        (path.relative_to(ROOT), mutant)
        for path in files
        if not options.only or options.only in path.name
        for mutant in mutants_of(path.read_text())
    ]
    if options.lines:
        wanted = options.lines.split(",")
        return [(p, m) for p, m in found if any(f"{p}:{m.line}".endswith(w) for w in wanted)]
    random.Random(options.seed).shuffle(found)
    return sorted(found[: options.sample], key=lambda pair: (str(pair[0]), pair[1].line))


def attempt(
    copy: Path, package: str, chosen: list[tuple[Path, Mutant]], limit: float
) -> list[tuple[Path, Mutant]]:
    survivors = []
    for number, (path, mutant) in enumerate(chosen, 1):
        sound = (copy / path).read_text()
        (copy / path).write_text(mutant.source)
        try:
            noticed = not passes(copy, package, limit)
        finally:
            (copy / path).write_text(sound)
        if not noticed:
            survivors.append((path, mutant))
        verdict = "noticed " if noticed else "SURVIVED"
        print(f"{number:4d} {verdict} {path}:{mutant.line}: {mutant.change}", flush=True)
    return survivors


def passes(copy: Path, package: str, limit: float) -> bool:
    """Whether the package's fast tests pass on the code in a folder, within a time."""
    child = os.fork()
    if child == 0:
        os.setsid()
        _run_tests(copy, package)
    began = time.monotonic()
    while time.monotonic() - began < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_tests(copy: Path, package: str) -> None:
    import pytest

    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.path.insert(0, str(copy))
    os.chdir(ROOT)
    null = os.open(os.environ.get("MUTANT_LOG", os.devnull), os.O_WRONLY | os.O_CREAT)
    os.dup2(null, 1)
    os.dup2(null, 2)
    code = 1
    with contextlib.suppress(BaseException):
        code = pytest.main(
            [
                "-x", "-q", "-p", "no:cacheprovider", "--timeout", "300",
                "-m", "not slow and not long and not slurm and not workflow", *TESTS[package],
            ]
        )  # fmt: skip
    os._exit(int(code))


if __name__ == "__main__":
    main()
