"""The tests need a Slurm that answers; `make slurm-test` starts one."""

import shutil
import subprocess

import pytest
from slurm_cluster import Cluster


@pytest.fixture(scope="session", autouse=True)
def slurm():
    up = shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True).returncode == 0
    if not up:
        pytest.fail("no Slurm answers: start it with tests/slurm/slurm_node.sh start")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    return Cluster(tmp_path_factory.mktemp("checkout"))
