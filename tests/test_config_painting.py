"""The section `painting`, and suites of dark-matter-only runs: what is asked for and refused."""

import pytest
import yaml
from typer.testing import CliRunner

from emulator.cli import app
from emulator.config import ConfigError, PaintingConfig, parse_config, read_trained, require_twins
from emulator.suites import suite_of

ALONE = {
    "kind": "snapshots", "name": "M", "root": "/m", "sets": {"A": 3, "B": ["B_x"]},
    "layout": {"hydro_snapshot": None},
}  # fmt: skip
PAIRS = {**ALONE, "layout": {}}
BOX = {"path": "/b/box.hdf5"}


def config(painting=None, suite=ALONE):
    return parse_config({"name": "t", "suite": suite, "painting": painting or {}})


@pytest.mark.parametrize(
    ("suite", "asked", "names"),
    [
        (ALONE, {}, ("A_0", "A_1", "A_2", "B_x")),
        (PAIRS, {}, ()),
        (PAIRS, {"simulations": "all"}, ("A_0", "A_1", "A_2", "B_x")),
        (PAIRS, {"simulations": ["B", "A_1"]}, ("A_1", "B_x")),
        (ALONE, {"simulations": [], "sources": {"mine": BOX}}, ("mine",)),
        (ALONE, {"simulations": ["A_2"], "sources": {"mine": BOX}}, ("mine", "A_2")),
    ],
)
def test_which_boxes_are_painted(suite, asked, names):
    found = config(asked, suite)
    assert found.painting.boxes(found.suite) == names


@pytest.mark.parametrize(
    ("members", "per_job", "jobs"),
    [
        (8, 4, {"00000-00003": range(4), "00004-00007": range(4, 8)}),
        (3, 2, {"00000-00001": range(2), "00002-00002": range(2, 3)}),
        (1, 4, {"00000-00000": range(1)}),
    ],
)
def test_each_member_is_of_one_job(members, per_job, jobs):
    found = PaintingConfig(n_members=members, members_per_job=per_job).jobs
    assert found == jobs
    assert [member for block in found.values() for member in block] == list(range(members))


@pytest.mark.parametrize(
    ("painting", "words"),
    [
        ({"n_members": 0}, ["painting.n_members", "greater than 0"]),
        ({"members_per_job": 0}, ["painting.members_per_job", "greater than 0"]),
        ({"overlap": 1.0}, ["painting.overlap", "less than 1"]),
        ({"simulations": ["A_9"]}, ["painting.simulations", "A_9", "A, B"]),
        ({"simulations": ["A_1", "A_1"]}, ["simulations", "A_1 twice"]),
        ({"projections": ["z", "z"]}, ["projections", "z twice"]),
        ({"projections": []}, ["painting.projections", "at least 1"]),
        ({"sources": {"A_1": BOX}}, ["painting.sources", "A_1", "rename the source"]),
        ({"sources": {"a/b": BOX}}, ["painting.sources", "a/b"]),
        ({"sources": {"a": {"path": "m.npy", "projections": ["z"]}}}, ["m.npy", "one map"]),
        ({"sources": {"a": {"path": "m.csv"}}}, ["sources.a", ".zarr", "m.csv"]),
        ({"sources": {"a": {"params": {}}}}, ["painting.sources.a.path", "required"]),
        (
            {"sources": {"a": {**BOX, "params": {"A_SN9": 1.0}}}},
            ["painting.sources.a.params", "A_SN9", "A_SN1"],
        ),
        ({"params": {"A_SN9": 1.0}}, ["painting.params", "A_SN9", "model.params"]),
        ({"params": {"A_SN1": float("nan")}}, ["painting.params.A_SN1", "finite"]),
    ],
)
def test_faults_are_named(painting, words):
    with pytest.raises(ConfigError) as error:
        config(painting)
    for word in words:
        assert word in str(error.value)


def test_parameters_of_another_model_are_its_own_matter():
    """What a bundle is conditioned on is known once it is opened."""
    assert config({"model": "/m", "params": {"A_SN9": 1.0}}).painting.params == {"A_SN9": 1.0}


def test_a_name_twice_in_the_file_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: a\npainting:\n  sources:\n    b: {path: x.h5}\n    b: {path: y.h5}\n")
    done = CliRunner().invoke(app, ["check", str(path)])
    assert isinstance(done.exception, ConfigError)
    assert "key 'b' stands twice, in line 4 and in line 5" in str(done.exception)


def test_ready_windows_are_no_boxes():
    suite = {
        "kind": "windows", "name": "W", "root": "/w", "sets": {"A": 2}, "parameter_names": ["a"],
    }  # fmt: skip
    assert config({}, suite).painting.painted(config({}, suite).suite) == ()
    with pytest.raises(ConfigError, match=r"whole boxes, got suite\.kind windows"):
        config({"simulations": "all"}, suite)


# ---------------------------------------------------------------------------- suites without twins


def test_a_suite_without_twins_reads_no_hydrodynamic_files():
    alone, pairs = config(), config(suite=PAIRS)
    files = [[path.name for path in suite_of(c).inputs(c.data, "A_0")] for c in (alone, pairs)]
    assert len(files[0]) == len(files[1]) - 1
    bare = {**ALONE, "layout": {"hydro_snapshot": None, "dmo_catalogue": None}}
    assert len(config(suite=bare).suite.inputs("/m", "A_0")) == 3
    # dmo and two levels of the context
    data = alone.data
    per_map = data.n_pixels**2 * 4
    assert suite_of(alone).maps_bytes(data) == 3 * per_map * (1 + 1 / 4 + 1 / 16)


@pytest.mark.parametrize("kind", ["hydro_snapshot", "dmo_catalogue"])
def test_the_embedded_suite_makes_all_of_its_files(kind):
    with pytest.raises(ConfigError, match=rf"null for {kind}.*suite\.kind snapshots"):
        config(suite={"kind": "embedded", "layout": {kind: None}})


@pytest.mark.parametrize(
    "command",
    ["fit", "train", "regress", "tune", "calibrate", "sample", "audit", "validate", "report"],
)
def test_commands_that_learn_refuse_it(tmp_path, command):
    path = tmp_path / "alone.yaml"
    path.write_text(yaml.safe_dump({"name": "t", "suite": ALONE}))
    done = CliRunner().invoke(app, [command, str(path)])
    said = str(done.exception)
    for word in (str(path), "suite.layout.hydro_snapshot", f"needed to {command}", "got null",
                 "painting.model", "targets to be painted"):  # fmt: skip
        assert word in said


def test_pairs_are_not_refused():
    require_twins(config(suite=PAIRS), "train")
    require_twins(parse_config({"name": "a"}), "train")


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"painting\.model .*expected a bundle.*got neither"):
        read_trained(str(tmp_path), "painting.model")
