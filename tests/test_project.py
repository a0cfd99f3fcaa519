"""What surrounds the code says what is true: CI, hooks, forms, the catalogue, lowest versions."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def read(name):
    return yaml.safe_load((ROOT / name).read_text())


def jobs():
    return read(".github/workflows/ci.yml")["jobs"]


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_jobs_are_the_checks_of_a_contributor():
    assert set(jobs()) == {"lint", "test", "lowest", "docs", "long"}
    asked = {command for job in jobs().values() for command in commands(job)}
    assert asked >= {"make lint", "make test", "make test-lowest", "make docs", "make test-long"}


@pytest.mark.parametrize("name", sorted(jobs()))
def test_every_step_is_a_target_of_the_makefile(name):
    found = [command.split() for command in commands(jobs()[name])]
    assert found
    for program, *targets in found:
        assert program == "make"
        assert set(targets) <= TARGETS


def test_every_job_ends_and_no_step_fetches_cuda():
    workflow = read(".github/workflows/ci.yml")
    assert workflow["env"]["PIP_EXTRA_INDEX_URL"].endswith("/cpu")
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180


def test_the_gate_runs_on_the_pythons_that_the_package_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    assert jobs()["test"]["strategy"]["matrix"]["python"] == named
    assert project["requires-python"] == f">={named[0]}"


def test_hooks_are_the_tools_of_make_lint():
    lint = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    tools = set(re.findall(r"\$\(BIN\)/(\S+)", lint))
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert {hook["entry"].split()[0] for hook in local["hooks"]} == {
        f".venv/bin/{t}" for t in tools
    }
    for hook in local["hooks"]:
        assert hook["language"] == "system"


@pytest.mark.parametrize("name", ["bug", "question", "feature"])
def test_forms_have_what_github_asks_for(name):
    form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    inputs = [part for part in form["body"] if part["type"] != "markdown"]
    names = [part["id"] for part in inputs]
    assert len(set(names)) == len(names)
    for part in inputs:
        assert part["attributes"]["label"]
        assert part["type"] in {"textarea", "input", "checkboxes", "dropdown"}
    assert any(part.get("validations", {}).get("required") for part in inputs)


def test_the_config_of_the_catalogue_exists_and_its_report_can_be_made():
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    option, path = usage["mandatory-flags"]["flags"].split()
    assert option == "--configfile"
    assert (ROOT / path).is_file()
    rules = [path.read_text() for path in ROOT.glob("workflow/rules/*.smk")]
    assert usage["report"] == any("report(" in text for text in rules)
    deployed = usage["software-stack-deployment"]
    assert deployed["conda"] == any("\n    conda:" in text for text in rules)
    assert deployed["apptainer"] == any("\n    container:" in text for text in rules)


def test_lowest_versions_are_those_of_pyproject_and_below_what_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = runpy.run_path(str(ROOT / ".ci/lowest.py"))["lower_bounds"](project)
    for requirement in map(Requirement, project["dependencies"]):
        version = lowest[requirement.name]
        assert Version(version) in requirement.specifier
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for name in lowest.keys() & pins.keys():
        assert Version(lowest[name]) <= Version(pins[name])
