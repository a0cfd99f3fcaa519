"""Roots and names that a shell would take apart, from the config to maps and statistics."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from window_files import BOX, N, make_sample

from emulator.io import read_json
from emulator.suites.window_files import write_window

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
SNAKEFILE, PROFILE = ROOT / "Snakefile", ROOT / "workflow/profiles/local"

ROOT_NAME = 'a $(touch pwned) `touch pwned` it\'s; "x" & *?[y] é'
NAMES = ["SB_$(touch pwned)", "SB_it's", 'SB_a "b"', "SB_x*?[y]", "SB_a b;c&d|e"]


@pytest.fixture
def suite(tmp_path):
    root = tmp_path / ROOT_NAME
    for seed, name in enumerate(NAMES):
        for i in range(3):
            write_window(root / "SB" / name / f"w {i}.npz", make_sample(10 * seed + i))
    (root / "ranges.csv").write_text(
        "ParamName,MinVal,MaxVal,FiducialVal,LogFlag\nOmega_m,.1,.5,.3,0\nA_SN1,0,1,.01,0\n"
    )
    config = {
        "name": "hostile",
        "suite": {
            "kind": "samples", "name": "W", "root": str(root), "sets": {"SB": NAMES},
            "parameter_names": ["Omega_m", "A_SN1"], "box_size_mpch": BOX, "depth_mpch": BOX,
            "ranges": "ranges.csv",
        },
        "data": {"n_pixels": 64, "window": N, "context_factors": [2, 4]},
        "model": {
            "params": ["Omega_m", "A_SN1"],
            "network": {"widths": [8, 16], "blocks": 1, "attention_levels": [], "groups": 4},
        },
        "training": {
            "max_steps": 2, "checkpoint_steps": 2, "batch_size": 2, "validation_windows": 2,
            "ensemble_every": 0,
        },
        "sampling": {"n_members": 2, "n_steps": 2, "windows_per_simulation": 2},
        "validation": {"k_min_hmpc": 1.0, "k_max_hmpc": 10.0},
    }  # fmt: skip
    (tmp_path / "hostile.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_nothing_of_a_name_reaches_the_shell(suite, call):
    """All stages; every name arrives as it is, and no command in it is run."""
    done = call(
        [
            "snakemake", "--snakefile", SNAKEFILE, "--profile", PROFILE, "--cores", "2",
            "--configfile", "hostile.yaml",
        ],
        suite,
    )  # fmt: skip
    assert done.returncode == 0
    assert not list(suite.rglob("pwned"))
    splits = read_json(suite / "results/hostile/splits.json")
    assert sorted(name for names in splits.values() for name in names) == sorted(NAMES)
    maps = suite / "data/processed/hostile/maps"
    assert sorted(path.stem for path in maps.glob("*.h5")) == sorted(NAMES)
    (tested,) = splits["test"]
    assert (suite / f"results/hostile/ensembles/test/{tested}.nc").is_file()
    again = call(["emulator", "check", "hostile.yaml", "--json"], suite)
    assert json.loads(again.stdout)["errors"] == 0
    assert np.isfinite(read_json(suite / "results/hostile/normalisation.json")["target_mean"]).all()


def test_a_key_twice_stops_the_workflow(suite, call):
    """Snakemake's own reader would keep the last."""
    text = (suite / "hostile.yaml").read_text()
    (suite / "hostile.yaml").write_text(text + "sampling: {n_members: 4}\n")
    done = call(
        [
            "snakemake", "--snakefile", SNAKEFILE, "--cores", "1", "--dry-run",
            "--configfile", "hostile.yaml",
        ],
        suite,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "key 'sampling' stands twice" in done.stdout + done.stderr
