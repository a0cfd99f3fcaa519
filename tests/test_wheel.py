"""The wheel, built from the source distribution: one package, with all that it reads."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from emulator.metadata import VERSION

ROOT = Path(__file__).parents[1]
PARTS = ("emulator", "analysis", "tests", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.nbi", "*.nbc")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built in a copy, so that nothing is left behind in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in PARTS:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=IGNORED)
        else:
            shutil.copy(path, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", source / "dist", source]
    done = subprocess.run(command, capture_output=True, text=True, cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_it_holds_every_file_of_the_package_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    tracked = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "emulator").rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".nbi", ".nbc"}
    }
    reference = {f"emulator/reference/{path.name}" for path in (ROOT / "data/reference").iterdir()}
    assert "emulator/reference/weights.safetensors" in reference
    tables = {f"emulator/parameters/{path.name}" for path in (ROOT / "data/parameters").iterdir()}
    assert "emulator/parameters/camels_6.csv" in tables
    tracked |= reference | tables  # by links, which are followed
    assert names == tracked
    assert {name for name in names if not name.endswith(".py")}  # templates and data among them


def test_its_metadata_say_version_python_and_licence(wheel):
    info = f"emulator_pipeline-{VERSION}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Version"] == VERSION
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "emulator = emulator.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
