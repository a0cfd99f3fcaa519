"""Names become paths, partial files are nobody else's, and documents are read strictly."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.cli import app
from emulator.config import (
    ConfigError,
    bundle_folder,
    ensemble_file,
    maps_file,
    parse_config,
    read_config,
    read_document,
)
from emulator.data.splits import read_splits
from emulator.io import DataError, atomic_path, path_part, read_json, write_json, write_text

HOSTILE = [
    "", ".", "..", "../evil", "/etc/passwd", "a/b", "a\\b", "a\nb", "a\0b", "\x1b[31m", ".hidden",
    "-rf", "x" * 101, "a{b}", "\ud800", "\u202eabc", 7, None,
]  # fmt: skip
STRANGE = [
    "a b",
    "it's",
    'say "x"',
    "$(touch x)",
    "`id`",
    "a;b&c|d",
    "x*?[y]",
    "é",
    "#1",
    "~x",
    "%",
]


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_names_that_would_lead_elsewhere(name):
    for make in (
        lambda: path_part(name, "here"),
        lambda: maps_file("maps", name),
        lambda: ensemble_file("results", "test", name),
        lambda: ensemble_file("results", name, "SB_0"),
    ):
        with pytest.raises(DataError, match="name that can be part of a path"):
            make()


@pytest.mark.parametrize("name", STRANGE)
def test_names_that_are_only_strange(name):
    assert maps_file("maps", name) == Path(f"maps/{name}.h5")
    assert ensemble_file("r", "test", name).parent == Path("r/ensembles/test")
    assert bundle_folder("model", 3) == Path("model/seed_3")


def test_a_simulation_of_somebodys_splits_stays_in_its_folder(tmp_path):
    splits = {"train": ["SB_0"], "validation": ["SB_1"], "test": ["../../../../evil"]}
    write_json(tmp_path / "splits.json", splits)
    with pytest.raises(DataError, match=r"splits\.json:test: expected a name"):
        read_splits(tmp_path / "splits.json")
    config = tmp_path / "c.yaml"
    config.write_text("name: c\n")
    result = CliRunner().invoke(app, ["sample", str(config), "--results", str(tmp_path)])
    assert isinstance(result.exception, DataError)
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": ["a"], "test": ["b"]}, "the splits train, validation, test"),
        ({"train": ["a"], "validation": ["a"], "test": ["b"]}, "each simulation in one split"),
        ({"train": "abc", "validation": [], "test": []}, "a list of names, got str"),
        ({"train": [], "validation": [], "test": [], "x": []}, "the splits"),
    ],
)
def test_splits_that_are_none(tmp_path, splits, words):
    write_json(tmp_path / "splits.json", splits)
    with pytest.raises(DataError, match=words):
        read_splits(tmp_path / "splits.json")


def test_a_split_that_does_not_exist(tmp_path):
    (tmp_path / "c.yaml").write_text("name: c\n")
    for command in ("sample", "validate"):
        result = CliRunner().invoke(app, [command, str(tmp_path / "c.yaml"), "--split", "../.."])
        assert result.exit_code == 2
        assert "is not one of" in result.output


# ----------------------------------------------------------------------------- partial files


def test_a_link_in_the_way_is_not_followed(tmp_path):
    """Neither at the name itself nor at any that a partial file could have."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    target = tmp_path / "out" / "a.json"
    target.parent.mkdir()
    target.symlink_to(victim)
    write_json(target, {"a": 1})
    assert victim.read_text() == "precious"
    assert not target.is_symlink()
    assert read_json(target) == {"a": 1}


def test_two_writers_of_one_process_never_share_a_file(tmp_path):
    with atomic_path(tmp_path / "a.txt") as one, atomic_path(tmp_path / "a.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_files_have_the_mode_that_the_user_wants(tmp_path):
    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "leftover",
    [
        ".a.node-1-123.partial.txt",
        ".a.0123abcd-99999999999999999999-0badcafe.partial.txt",
        ".a.0123abcd-x-0badcafe.partial.txt",
        ".a.partial.txt",
        ".a.txt",
    ],
)
def test_odd_leftovers_stop_nobody(tmp_path, leftover):
    """Of other hosts, of earlier versions, of nobody: files, and folders of such names."""
    (tmp_path / leftover).write_text("x")
    (tmp_path / leftover.replace(".a.", ".b.")).mkdir()
    for name in "ab":
        write_text(tmp_path / f"{name}.txt", "text")
        assert (tmp_path / f"{name}.txt").read_text() == "text"
    assert (tmp_path / leftover).exists()


def orphans(folder, monkeypatch, host, name="a.h5"):
    monkeypatch.setattr("platform.node", lambda: host)
    code = (
        "import os, signal, sys, platform; platform.node = lambda: sys.argv[2]\n"
        "from emulator.io import atomic_path\n"
        "with atomic_path(sys.argv[1]) as partial: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / name), host], check=False)


def test_a_host_whose_name_begins_like_ours_keeps_its_files(tmp_path, monkeypatch):
    orphans(tmp_path, monkeypatch, "node1")
    orphans(tmp_path, monkeypatch, "node1-gpu")
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr("platform.node", lambda: "node1")
    write_text(tmp_path / "a.h5", "x")
    assert len(list(tmp_path.iterdir())) == 2  # the file, and what is the other's
    # and files whose names begin like ours keep theirs
    orphans(tmp_path, monkeypatch, "node1", "a.b.h5")
    write_text(tmp_path / "a.h5", "x")
    assert len(list(tmp_path.iterdir())) == 3


def test_long_names_are_written_and_too_long_ones_refused(tmp_path):
    name = "x" * 230 + ".json"
    write_json(tmp_path / name, {})
    assert read_json(tmp_path / name) == {}
    with pytest.raises(DataError, match="a path that can be written"):
        write_json(tmp_path / ("x" * 300), {})


def test_what_stands_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"a folder .*file to write in, got a file in its place"):
        write_json(tmp_path / "file" / "a.json", {})
    with pytest.raises(DataError, match="a file, to be written, got a folder of that name"):
        write_json(tmp_path / "folder", {})
    with pytest.raises(DataError, match="a path that can be written"):
        write_json(tmp_path / "a\0b", {})


def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # the superuser, who runs these tests in containers, may write everywhere
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(DataError, match=r"permission to write in .*Choose another folder"):
        write_json(tmp_path / "a.json", {})


# ------------------------------------------------------------------------------ documents


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a\nsuite: {seed: 1}\nname: b\n", "'name' stands twice, in line 1 and in line 3"),
        ("name: a\nsuite:\n  seed: 1\n  seed: 2\n", "'seed' stands twice, in line 3 and in line 4"),
        ("name: a\nx: [{b: 1, b: 2}]\n", "'b' stands twice"),
        ("name: " + "[" * 3000 + "]" * 3000, "not valid YAML"),
        ("name: " + "9" * 6000, "not valid YAML"),
        ("name: &a [*a]\n", "aliases expand"),
        ("- a\n- b\n", "a mapping of sections, got list"),
        ("", "a mapping of sections, got NoneType"),
        ("name: !!python/object:os.system x\n", "not valid YAML"),
    ],
)
def test_documents_that_mean_nothing_or_two_things(tmp_path, text, words):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_document(tmp_path / "c.yaml")


def test_aliases_are_fine_and_bombs_are_not(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: a\nx: &x {a: 1}\ny: *x\nz: {<<: *x, b: 2}\n")
    assert read_document(path)["z"] == {"a": 1, "b": 2}
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    path.write_text("name: a\n" + "\n".join(lines))
    with pytest.raises(ConfigError, match="aliases expand to more than") as error:
        read_config(path)
    assert len(str(error.value)) < 1000


def test_messages_stay_short_whatever_stands_in_the_config(tmp_path):
    (tmp_path / "c.yaml").write_text("name: a\nsuite: {sets: [" + "x, " * 20_000 + "y]}\n")
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path / "c.yaml")
    assert len(str(error.value)) < 3000


def test_a_config_that_is_no_text(tmp_path):
    (tmp_path / "c.yaml").write_bytes("name: é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"in UTF-8, got other bytes.*Save it as UTF-8"):
        read_config(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="got a folder"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "key 'a' stands there twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "syntax error"),
        ('{"a": ' + "9" * 6000 + "}", "syntax error"),
        ("\ufeff{", "syntax error"),
    ],
)
def test_json_that_is_none(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"a\.json: expected valid JSON, got .*{words}"):
        read_json(tmp_path / "a.json", sealed=False)


# ---------------------------------------------------------------------------------- paths


def files_suite(**suite):
    base = {"kind": "files", "name": "M", "root": "/data", "sets": {"LH": 4}}
    return parse_config({"name": "a", "suite": base | suite})


def test_home_and_variables_in_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DATA", "/big disk")
    suite = files_suite(root="~/camels", layout={"ranges": "$DATA/r.csv"}).suite
    assert suite.root == "/home/me/camels"
    assert suite.path("ranges", suite.root, "LH_0") == Path("/big disk/r.csv")
    assert files_suite(root="${DATA}/x $(touch y)").suite.root == "/big disk/x $(touch y)"
    monkeypatch.delenv("DATA")
    for text in ("$DATA/x", "${DATA}/x"):
        with pytest.raises(ConfigError, match=r"\$\{?DATA\}? in .* is not set"):
            files_suite(root=text)


def test_options_are_expanded_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["schema", "--output=~/schema.yaml"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "schema.yaml").is_file()


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ({"root": "a\0b"}, "no path"),
        ({"root": ""}, "no path"),
        ({"layout": {"ranges": "{simulatoin}.csv"}}, r"unknown placeholders \['simulatoin'\]"),
        ({"layout": {"ranges": "{simulation"}}, "no template of a path"),
        ({"sets": {"LH": ["LH_../../x"]}}, "name that can be part of a path"),
        ({"sets": {"LH": ["LH_0", "LH_0"]}}, "repeat"),
        ({"phases": {"XX": "one"}}, r"no set or simulation \['XX'\]"),
        ({"redraw_sets": ["BE"]}, r"no set or simulation \['BE'\]"),
    ],
)
def test_paths_and_names_that_cannot_be(suite, words):
    with pytest.raises(ConfigError, match=words):
        files_suite(**suite)


# ------------------------------------------------------------------------------- compilation


def test_kernels_compile_where_there_is_no_place_for_a_cache():
    """No home folder, and a package that belongs to somebody else."""
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from emulator.projection import kernels\n"
        "from emulator.jit import njit\n"
        "print(njit()(lambda x: x + 1)(2))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
