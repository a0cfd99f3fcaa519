"""The command line and the workflow as a user meets them: subprocesses in their own folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def call():
    """Run a command; returns the finished process with its output as text."""

    def run(arguments, folder, *, check=True, threads=1):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            pytest.fail(f"{arguments} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run


@pytest.fixture(scope="session")
def snakemake(call):
    """Run the workflow of this checkout in another folder with the test preset."""

    def run(folder, *arguments, check=True):
        fixed = [
            "snakemake", "--snakefile", ROOT / "Snakefile",
            "--profile", ROOT / "workflow/profiles/local", "--cores", "2",
            "--configfile", ROOT / "configs/test.yaml",
        ]  # fmt: skip
        return call([*fixed, *arguments], folder, check=check)

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory, snakemake):
    """Folder of one complete run of the test preset, and what the run printed."""
    folder = tmp_path_factory.mktemp("workflow")
    done = snakemake(folder)
    return folder, done.stdout + done.stderr


@pytest.fixture
def copy(finished, tmp_path):
    """The finished run, to be damaged."""
    shutil.copytree(finished[0], tmp_path / "run")
    return tmp_path / "run"
