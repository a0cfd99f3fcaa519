"""Suites of arrays in the tests: small configs, files, and the stages through the command line."""

import copy
import os
import re
from pathlib import Path

import numpy as np
import yaml
from typer.testing import CliRunner

from emulator.cli import app

ROOT = Path(__file__).parents[1]
OF_MATTER = r"dark.matter|\bDMO\b|Msun|Mpc|total.matter|suppress|halo|baryon|cosmolog|Omega|hydro"
NOT_OF_ARRAYS = (
    rf"{OF_MATTER}|\bmass(es)?\b|massive|\bphases\b|\bset BE\b|densest|over the box|projected"
)
"""What no sentence about arrays says; keys of configs and names of variables may."""
TINY = {
    "model": {
        "network": {
            "widths": [8, 16], "blocks": 1, "attention_levels": [1], "groups": 4, "heads": 2,
            "embedding": 16,
        },
    },
    "training": {
        "max_steps": 4, "checkpoint_steps": 2, "batch_size": 8, "warmup_steps": 2,
        "validation_windows": 8, "ensemble_every": 1,
    },
    "regression": {"max_steps": 0},
    "sampling": {"n_members": 4, "windows_per_simulation": 4, "n_steps": 3},
}  # fmt: skip
SMALL = {
    "name": "small",
    "suite": {
        "kind": "arrays",
        "name": "Small",
        "root": ".",
        "files": "{simulation}.npz",
        "sets": {"run": 3},
        "conditions": [{"name": "given", "label": "given", "unit": "m"}],
    },
    "data": {
        "shape": [8, 8],
        "fields": [{"name": "drawn", "label": "drawn", "unit": "kg/m^3", "signed": True}],
        "split": {"validation_fraction": 0.3, "test_fraction": 0.3},
    },
    "model": {"network": {"widths": [8, 16], "groups": 4, "attention_levels": []}},
}


def merged(base, changes):
    """A config with some keys replaced, section by section; lists and fields as a whole."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def small(**changes):
    """The smallest config, changed."""
    return merged(SMALL, changes)


def shipped(name, **changes):
    """A shipped config with a tiny network and training."""
    raw = yaml.safe_load((ROOT / f"configs/{name}.yaml").read_text())
    raw["model"] = {}
    return merged(merged(raw, TINY), changes)


def write(folder, raw):
    """Write a config; returns its path."""
    path = Path(folder) / "config.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def command(folder, *arguments):
    """Run a command of the command line in a folder; returns what it said, and its error."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(app, [*map(str, arguments)])
    finally:
        os.chdir(before)


def run_stages(folder, config, *, until="report"):
    """All stages up to one, through the command line; returns the folder of the results."""
    name = yaml.safe_load(Path(config).read_text())["name"]
    for stage in ("project", "fit", "train", "sample", "audit", "validate", "report"):
        done = command(folder, stage, config)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        if stage == until:
            break
    return Path(folder) / "results" / name


def words(page):
    """Text of a page without its pictures, tags and keys of listings."""
    text = re.sub(r"<style.*?</style>|data:image[^\"]*", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", text)


def smooth_rows(seed, n_rows=4, shape=(8, 8)):
    """Arrays that a simulation of :data:`SMALL` needs."""
    rng = np.random.default_rng(seed)
    given = rng.random((n_rows, *shape)).astype(np.float32)
    drawn = given - 0.5 + 0.1 * rng.standard_normal((n_rows, *shape)).astype(np.float32)
    return {"given": given, "drawn": drawn.astype(np.float32)}


def write_small(folder, names=("run_0", "run_1", "run_2"), **arrays):
    """Files of :data:`SMALL`; ``arrays`` replace or add."""
    for seed, name in enumerate(names):
        np.savez(Path(folder) / f"{name}.npz", **(smooth_rows(seed) | arrays))
