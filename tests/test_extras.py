"""Drawing needs few packages: tested where the others are not installed."""

import os
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ABSENT = ("pytorch_lightning", "dask", "distributed", "numba", "matplotlib", "snakemake")

DRAW = """
import importlib.util, sys, warnings
import numpy as np
present = [name for name in sys.argv[2:] if importlib.util.find_spec(name)]
assert not present, present
import emulator
model = emulator.load(sys.argv[1])
grid, levels = model.card.grid, len(model.card.normalisation.context_factors)
mean = 0.3 * 2.77536627e11 * grid.pixel_mpch**2 * grid.depth_mpch
side = grid.window
params = {n: s.fiducial for n, s in model.card.normalisation.params.items()}
drawn = model.sample(
    np.full((side, side), mean), params, large_scale=np.full((levels, side, side), mean),
    n_members=2, out_of_range="warn",
)
assert np.isfinite(drawn.fields).all()
density = model.log_likelihood(drawn.fields.values[:, 0], drawn, params, n_steps=2, n_probes=2,
                               out_of_range="warn")
assert np.isfinite(density.log_likelihood).all()
drawn.to_netcdf("drawn.nc")
print("drawn", dict(drawn.sizes))
"""


def closure(names):
    """These distributions and those that they need, without any extra."""
    found, left = set(), list(names)
    while left:
        current = left.pop()
        try:
            needed = distribution(current).requires or []
        except PackageNotFoundError:
            continue
        found.add(current)
        for requirement in map(Requirement, needed):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name.lower() not in found:
                left.append(requirement.name.lower())
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment with what pyproject.toml names outside of extras, and this checkout."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in closure(Requirement(text).name for text in project["dependencies"]):
        parts = distribution(name)
        tops = {file.parts[0] for file in parts.files or () if file.parts[0] != ".."}
        for top in tops:
            source, target = Path(parts.locate_file(top)), packages / top
            if source.exists() and not target.exists() and top != "__pycache__":
                target.symlink_to(source)
    (packages / "checkout.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"


def in_bare(bare, tmp_path, *arguments):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [bare, *arguments], capture_output=True, text=True, cwd=tmp_path, env=environment
    )


@pytest.mark.slow
def test_a_model_is_loaded_and_drawn_from_without_the_pipeline(bare, tmp_path):
    bundle = ROOT / "tests/regression/trained"
    done = in_bare(bare, tmp_path, "-c", DRAW, bundle, *ABSENT)
    assert done.returncode == 0, done.stderr
    assert "'member': 2" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "extra"), [("project", "numba"), ("report", "matplotlib|jinja2")]
)
def test_a_command_of_the_pipeline_names_the_extra(bare, tmp_path, command, extra):
    config = ROOT / "configs/test.yaml"
    done = in_bare(bare, tmp_path, "-m", "emulator", command, config)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert any(f"needs the package {name}" in done.stderr for name in extra.split("|"))
    assert "pip install '.[" in done.stderr
