"""One version: in the code, what it prints, the citation and the changelog."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import emulator
from emulator.metadata import VERSION, commit, provenance

ROOT = Path(__file__).parents[1]
RELEASE = r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$"


def version_of(folder, *arguments):
    """What the command line says whose code lies in a folder."""
    command = [sys.executable, "-m", "emulator", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env={"PYTHONPATH": str(folder)}
    )


def test_the_command_line_says_the_version_and_the_commit():
    done = version_of(ROOT, "--version")
    found = commit()
    assert done.returncode == 0, done.stderr
    expected = f"emulator {VERSION} (commit {found})" if found else f"emulator {VERSION}"
    assert done.stdout.splitlines() == [expected]


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "train"]])
def test_outside_of_a_checkout_no_commit_is_said(tmp_path, arguments):
    """And no command runs, whatever follows."""
    shutil.copytree(
        ROOT / "emulator", tmp_path / "emulator", ignore=shutil.ignore_patterns("__pycache__")
    )
    done = version_of(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (0, f"emulator {VERSION}\n"), done.stderr


def test_a_command_that_is_none_is_still_refused():
    done = version_of(ROOT, "verison")
    assert done.returncode == 2
    assert "verison" in done.stderr


def test_files_and_the_package_say_the_same():
    assert emulator.__version__ == VERSION == provenance("fit")["emulator_version"]


def test_citation_and_changelog_are_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    releases = re.findall(RELEASE, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == (VERSION, str(citation["date-released"]))
    assert citation["version"] == VERSION


def test_what_is_not_released_yet_stands_first():
    headings = re.findall(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "## [Unreleased]"
