"""Every fenced block of the documentation is run or checked: Python, shell and YAML.

Shell lines are parsed by the commands that they name, not run; Python is run by the tests that
:mod:`snippets` names. Blocks of ``text`` and without a language are output and formulas.
"""

import re
import shlex

import pytest
import typer
import yaml
from snippets import COMPILED_ONLY, PAGES, ROOT, RUN_ALONE, RUN_WITH_A_MODEL, blocks, parts

from emulator.cli import app
from emulator.config import parse_config

USAGE_ERROR = typer.BadParameter.__base__
KNOWN = {"python", "bash", "yaml", "text", "{toctree}", "{eval-rst}", ""}
SHELL = [pytest.param(text, id=name) for page in PAGES for name, text in parts(page, "bash")]
FRAGMENTS = [
    pytest.param(text, id=name)
    for page in PAGES
    if page.name != "README.md"  # three lines of a profile, which test_house.py compares
    for name, text in parts(page, "yaml")
]


def test_there_are_no_other_kinds_of_blocks():
    for page in PAGES:
        marks = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
        assert set(marks) <= KNOWN, page
        assert len(marks) % 2 == 0, page


def test_python_of_every_page_is_run_or_said_not_to_be():
    found = {str(page.relative_to(ROOT)) for page in PAGES if blocks(page, "python")}
    assert found == {*RUN_WITH_A_MODEL, *RUN_ALONE, *COMPILED_ONLY}


@pytest.mark.parametrize("text", FRAGMENTS)
def test_yaml_is_a_config_or_a_part_of_one(text):
    """Or several, by name: families of a page are rows."""
    found = yaml.safe_load(text)
    rows = [found] if {"name", *SECTIONS} & found.keys() else list(found.values())
    for row in rows:
        assert parse_config({"name": "example", **row}).name


SECTIONS = set(parse_config({"name": "x"}).model_dump()) - {"name"}


def lines_of(text):
    """Commands of a block, as words without comments."""
    joined = text.replace("\\\n", " ")
    return [words for line in joined.splitlines() if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize("text", SHELL)
def test_shell_lines_are_commands_with_options_that_exist(text):
    assert lines_of(text)
    for words in lines_of(text):
        require_command(words)


def require_command(words):
    program, *given = words
    if program == "sbatch":
        program, *given = shlex.split(given[given.index("--wrap") + 1])
    if program == "make":
        assert f"\n{given[0]}:" in (ROOT / "Makefile").read_text(), words
    elif program == "snakemake":
        require_snakemake(given)
    else:
        assert program == "emulator", words
        require_options(typer.main.get_command(app), given)


def require_options(command, given):
    """Unknown options, and arguments too few or too many, are errors of click."""
    context = typer.Context(command)
    while hasattr(command, "commands"):
        name, *given = given
        command = command.commands[name]
        context = typer.Context(command, parent=context)
    values, left, _ = command.make_parser(context).parse_args(given)
    assert left == []
    wanted = [p.name for p in command.params if p.required]
    assert all(values.get(name) is not None for name in wanted), (wanted, given)


def require_snakemake(given):
    """Files that it is given exist, or are the reader's own; options are those of the pages."""
    options = {word for word in given if word.startswith("-")}
    assert options <= {"--profile", "--configfile", "--config", "--dry-run"}, given
    profile, config = (given[given.index(f"--{key}") + 1] for key in ("profile", "configfile"))
    assert (ROOT / profile / "config.yaml").is_file(), given
    assert config.startswith("my_") or (ROOT / config).is_file(), given


@pytest.mark.parametrize(
    "line",
    [
        "emulator paint model box --colour blue",
        "emulator paint model",
        "emulator dream",
        "make nothing",
        "snakemake --profile nowhere --configfile configs/demo.yaml",
        "snakemake --profile slurm --configfile configs/none.yaml",
        "curl https://example.org",
    ],
)
def test_what_does_not_exist_is_found(line):
    with pytest.raises((AssertionError, KeyError, USAGE_ERROR)):
        require_command(line.split())
