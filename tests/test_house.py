"""The house: layers, light imports, one schema, one list of dependencies, every config valid."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from statistics import median

import pytest
import yaml

from emulator.config import json_schema, read_config

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch"}


def test_files_are_short():
    """Half of them fit on two screens, and none needs a search to find one's way."""
    lengths = {path: len(path.read_text().splitlines()) for path in ROOT.glob("emulator/**/*.py")}
    assert median(lengths.values()) <= 150
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}


def requirement(text):
    name, bound = re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?(.*)", text).groups()
    return CONDA_NAMES.get(name, name), bound


def test_environment_is_in_step_with_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["pipeline"], *extras["report"]]
    wanted += extras["formats"]
    wanted += [entry for entry in extras["workflow"] if not entry.startswith("emulator-pipeline")]
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    plain = [entry for entry in listed if isinstance(entry, str)]
    conda = dict(requirement(entry) for entry in [*plain, *pip] if not entry.startswith("--"))
    assert conda.pop("python") == project["requires-python"]
    conda.pop("pip")
    assert conda == dict(requirement(entry) for entry in wanted)


def test_every_line_of_the_cluster_profile_is_explained():
    """And the three lines that a site must change are those that the README shows."""
    lines = (ROOT / "workflow/profiles/slurm/config.yaml").read_text().splitlines()
    sections = {
        "set-resources:",
        "train:",
        "regress:",
        "tune:",
        "calibrate:",
        "sample:",
        "audit:",
        "paint_members:",
    }
    plain = [line for line in lines if line.strip() and "#" not in line]
    assert {line.strip() for line in plain} <= sections | {"printshellcmds: false"}
    marked = [line for line in lines if "# <-" in line]
    assert len(marked) == 3
    readme = (ROOT / "README.md").read_text()
    assert all(line.split("#")[0].strip() in readme for line in marked)


def test_the_container_copies_what_exists_and_installs_what_is_named():
    text = (ROOT / "Containerfile").read_text()
    for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()), line
    extras = re.search(r"'\.\[([a-z,]+)\]'", text)[1].split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"].keys() >= set(extras)
    assert re.search(r"^FROM \S+:\S+$", text, re.MULTILINE)  # a version, not `latest`


def test_the_reference_model_goes_into_a_wheel():
    """By a link in the package, whose files are named as its data."""
    assert (ROOT / "emulator/reference").readlink() == Path("../data/reference")
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert "reference/*" in tools["setuptools"]["package-data"]["emulator"]


def test_tables_of_parameters_go_into_a_wheel():
    assert (ROOT / "emulator/parameters").readlink() == Path("../data/parameters")
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert "parameters/*" in tools["setuptools"]["package-data"]["emulator"]


def test_pins_lie_in_the_ranges():
    from packaging.requirements import Requirement
    from packaging.version import Version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    ranges = {
        r.name: r.specifier
        for r in map(Requirement, [*project["dependencies"], *chain(*extras.values())])
    }
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pins["torch"] == "2.13.0"
    for name, pin in pins.items():
        if name in ranges:
            assert Version(pin) in ranges[name], name


def test_schema_file_is_the_models():
    path = ROOT / "workflow/schemas/config.schema.yaml"
    assert yaml.safe_load(path.read_text()) == json_schema(), "run `make schema`"


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/*.yaml")), ids=lambda p: p.name)
def test_every_shipped_config_is_valid(path):
    assert read_config(path).name == path.stem


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("emulator", {"torch", "numpy", "xarray", "h5py", "snakemake"}),
        ("emulator.config", {"torch", "numpy", "xarray", "h5py"}),
        ("emulator.cost.requests", {"torch", "numpy", "xarray", "h5py", "numba"}),
        ("emulator.cli", {"torch", "numpy", "xarray", "h5py"}),
        ("emulator.sampling.held_out", {"pytorch_lightning"}),
        ("emulator.report.build", {"torch", "pytorch_lightning"}),
        ("emulator.simulate.simulate", {"torch", "astropy"}),
    ],
)
def test_imports_are_light(module, forbidden):
    code = f"import sys, {module}; print(*(set(sys.modules) & {forbidden!r}))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_readme_names_the_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE))
    assert targets >= {"demo", "test"}
    for target in targets:
        assert f"\n{target}:" in makefile, target
