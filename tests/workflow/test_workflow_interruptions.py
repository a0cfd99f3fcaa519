"""`kill -9` of a stage, then the same command: it goes on, and the result is the same."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

pytestmark = pytest.mark.workflow


def kill_when(condition, arguments, folder, *, threads=1):
    """Start a command, wait for ``condition``, kill it without mercy."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "the stage ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL


def contents(folder, pattern):
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}


def test_training_goes_on_with_the_same_weights(copy, call):
    results = copy / "results/test"
    expected = load_file(results / "model/seed_0/weights.safetensors")
    shutil.rmtree(results / "model")
    shutil.rmtree(results / ".state")
    command = ["emulator", "train", "results/test/config/train.yaml"]
    # two threads, as the workflow had: sums over threads round differently
    kill_when(lambda: list(results.glob(".state/*/state.ckpt")), command, copy, threads=2)
    assert not (results / "model/seed_0/model.json").exists()
    done = call(command, copy, threads=2)
    assert "going on from" in done.stdout
    resumed = load_file(results / "model/seed_0/weights.safetensors")
    assert expected.keys() == resumed.keys()
    assert all(expected[name].equal(resumed[name]) for name in expected)


def test_simulation_goes_on_and_writes_the_same_bytes(copy, call):
    raw = copy / "data/raw/test"
    pattern = "Sims/*/*/*/CV_0/*.hdf5"
    snapshots = {path: path.read_bytes() for path in sorted(raw.glob(pattern))}
    assert len(snapshots) == 2
    for path in raw.glob("*/*/*/*/[CB][VE]_*/*.hdf5"):
        path.unlink()
    command = ["emulator", "simulate", "results/test/config/simulate.yaml", "--run", "CV0"]
    kill_when(lambda: list(raw.glob("Sims/*_DM/*/*/CV_0/*.hdf5")), command, copy)
    call(command, copy)
    again = {path: path.read_bytes() for path in sorted(raw.glob(pattern))}
    assert again.keys() == snapshots.keys()
    assert all(again[path] == snapshots[path] for path in snapshots)


def test_projection_goes_on_and_leaves_no_partial_file(copy, call):
    maps = copy / "data/processed/test/maps"
    expected = contents(maps, "SB_*.h5")
    for path in maps.glob("SB_*.h5"):
        path.unlink()
    runs = [word for name in expected for word in ("--run", f"SB{name[3:-3]}")]
    command = ["emulator", "project", "results/test/config/project.yaml", *runs]
    kill_when(lambda: list(maps.glob("SB_*.h5")), command, copy)
    call(command, copy)
    again = contents(maps, "SB_*.h5")
    assert again.keys() == expected.keys()
    assert all(again[name] == expected[name] for name in expected)
    assert not list(maps.rglob("*.partial*"))


def test_a_failed_stage_stops_the_workflow_and_the_same_command_completes_it(copy, snakemake):
    results = copy / "results/test"
    expected = sorted(path.name for path in results.glob("ensembles/test/*.nc"))
    for name in ("model", "ensembles", "manifests"):
        shutil.rmtree(results / name)
    (results / "report.html").unlink()
    states = sorted(results.glob(".state/*/state*.ckpt"))
    kept = [state.read_bytes() for state in states]
    for state, content in zip(states, kept, strict=True):
        state.write_bytes(content[:100])
    failed = snakemake(copy, check=False)
    assert failed.returncode != 0
    assert "state.ckpt: expected a file that ends in its checksum" in failed.stdout + failed.stderr
    assert not (results / "model/seed_0/model.json").exists()
    for state, content in zip(states, kept, strict=True):
        state.write_bytes(content)
    done = snakemake(copy)
    assert "going on from" in done.stdout + done.stderr
    assert sorted(path.name for path in results.glob("ensembles/test/*.nc")) == expected
    assert (results / "report.html").is_file()
