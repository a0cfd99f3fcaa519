"""Examples of the documents are real: every YAML block is a config, every command exists."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from emulator.cli import app
from emulator.config import parse_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
SUITES = ROOT / "docs/your_own_suite.md"
EXAMPLES = [
    pytest.param(block, id=f"suite-{i}")
    for i, block in enumerate(re.findall(r"```yaml\n(.*?)```", SUITES.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", EXAMPLES)
def test_every_example_is_a_config(block):
    config = parse_config(yaml.safe_load(block))
    assert config.suite.inputs("root", config.suite.simulations()[0])


def test_there_is_an_example_of_every_kind_of_existing_suite():
    kinds = {parse_config(yaml.safe_load(param.values[0])).suite.kind for param in EXAMPLES}
    assert kinds == {"files", "multifield", "samples"}


def test_paths_of_the_snapshot_example():
    suite = parse_config(yaml.safe_load(EXAMPLES[0].values[0])).suite
    paths = [str(path) for path in suite.inputs(suite.root, "CV_b")]
    assert paths == [
        "/data/mine/dmo/CV_b/snap_099.hdf5",
        "/data/mine/hydro/CV_b/snap_099.hdf5",
        "/data/mine/dmo/CV_b/fof_subhalo_tab_099.hdf5",
        "/data/mine/parameters_CV.txt",
        "data/parameters/camels_6.csv",
    ]
    assert (ROOT / paths[-1]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_files_exist(page):
    text = page.read_text()
    commands = set(re.findall(r"^emulator ([a-z]+)", text, re.MULTILINE))
    assert commands <= set(typer.main.get_command(app).commands)
    for name in re.findall(r"`(configs/[a-z0-9_]+\.yaml)`", text):
        assert (ROOT / name).is_file()
