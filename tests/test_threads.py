"""Threads of a command spin shortly on a busy machine, unless the user says otherwise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.cli import threads

ROOT = Path(__file__).parents[1]
BUNDLE = str(ROOT / "tests/regression/trained")
STARTS = {
    "module": "import runpy; runpy.run_module('emulator', run_name='__main__')",
    "script": "from emulator.cli import main; main()",
}
WATCH = """
import os, sys

class Watch:
    def find_spec(self, name, *rest):
        if name == "torch":
            print("torch imported with", os.environ.get("GOMP_SPINCOUNT"))

sys.meta_path.insert(0, Watch())
sys.argv = ["emulator", "bundle", "info", sys.argv[1]]
"""
LINUX = pytest.mark.skipif(not threads.STAT.is_file(), reason="needs /proc/stat")
SEVERAL = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores",
)


@pytest.fixture
def crowd():
    """As many programs that never wait as there are cores."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(os.cpu_count())]
    yield
    for process in busy:
        process.kill()
        process.wait()


def run(code, **own):
    """A process that is told nothing of threads but ``own``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, BUNDLE],
        cwd=ROOT, env={**kept, "OMP_NUM_THREADS": "1", **own},
        capture_output=True, text=True, check=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spent", "share"),
    [
        ([0, 0, 0, 20, 0, 0, 0, 0], 1.0),
        ([8, 1, 1, 6, 4, 0, 0, 0], 0.5),  # who waits for a disk leaves the core to others
        ([5, 5, 2, 0, 0, 1, 1, 6], 0.0),  # nor is what the host takes free
        ([0] * 8, 1.0),
    ],
)
def test_what_is_idle_is_counted_on_all_cores(spent, share):
    first = [100, 20, 30, 4000, 50, 6, 7, 8]
    texts = [
        "cpu  " + " ".join(map(str, [*values, 99, 98])) + "\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
        for values in (first, [a + b for a, b in zip(first, spent, strict=True)])
    ]
    assert threads.share_idle(*texts) == pytest.approx(share)


@LINUX
@SEVERAL
@pytest.mark.parametrize(("share", "cores", "short"), [
    (1.0, 2, False), (0.8, 2, False), (0.5, 2, True), (0.0, 2, True),
    (0.5, 64, False), (0.02, 64, True),  # of a node that is shared, this job has two cores
])  # fmt: skip
def test_threads_spin_shortly_where_cores_are_wanting(monkeypatch, share, cores, short):
    for name in threads.OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(threads, "share_idle", lambda *_: share)
    threads.spin_shortly_if_busy()
    assert os.environ.pop("GOMP_SPINCOUNT", None) == ("1000" if short else None)


@LINUX
@SEVERAL
@pytest.mark.parametrize("start", STARTS)
def test_on_a_busy_machine_it_is_set_before_torch_is_imported(crowd, start):
    done = run(WATCH + STARTS[start], OMP_DISPLAY_ENV="verbose")
    assert done.stdout.splitlines()[0] == "torch imported with 1000"
    assert "parameters" in done.stdout  # the command did its work
    said = re.search(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)  # of GNU's OpenMP, by itself
    assert said is None or said[1] == "1000"


@LINUX
@SEVERAL
@pytest.mark.parametrize("own", [("GOMP_SPINCOUNT", "77"), ("OMP_WAIT_POLICY", "ACTIVE")], ids=str)
def test_users_settings_stay(monkeypatch, own):
    for name in threads.OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(*own)
    monkeypatch.setattr(threads, "share_idle", lambda *_: 0.0)
    threads.spin_shortly_if_busy()
    assert {n: os.environ[n] for n in threads.OWN_SETTINGS if n in os.environ} == dict([own])
