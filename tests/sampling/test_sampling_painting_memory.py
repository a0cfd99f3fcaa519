"""Memory of a large box, measured from outside."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from emulator.sampling.painting.network import CPU_PIXELS, windows_at_once

TESTS = Path(__file__).parents[1]


@pytest.mark.long
def test_a_box_of_1024_pixels_with_three_scales_takes_less_than_two_gib(folder):
    """All of the process, torch included; windows and their context would be four times a map."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, str(TESTS / "painted_memory.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["shape"] == [1, 3, 1024, 1024]
    assert found["peak_gib"] < 1.0


def test_a_cpu_is_given_no_more_than_it_has_use_for():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert windows_at_once(128, 32, cpu) == 128
    assert windows_at_once(128, 128, cpu) == CPU_PIXELS // 128**2 == 8
    assert windows_at_once(3, 128, cpu) == 3
    assert windows_at_once(128, 1024, cpu) == 1
    assert windows_at_once(128, 128, gpu) == 128
