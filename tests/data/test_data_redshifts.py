"""Own snapshots of several redshifts: where they lie, what their headers must say, who is a run."""

import pytest

from emulator.config import (
    ConfigError,
    DataConfig,
    DesignConfig,
    EmbeddedSuite,
    SnapshotsSuite,
    parse_config,
)
from emulator.io import DataError
from emulator.simulate.simulate import simulate_run
from emulator.simulate.tables import write_tables
from emulator.suites import build_suite

MADE = EmbeddedSuite(
    n_particles=16, mesh=32, n_steps=8, redshifts=(0.0, 1.0),
    design=DesignConfig(sb_runs=0, cv_runs=2),
)  # fmt: skip
DATA = DataConfig(n_pixels=16, window=8, context_factors=(2,))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    write_tables(MADE, folder)
    for run in MADE.runs():
        simulate_run(MADE, run, folder)
    return folder


def own(root, **changes):
    """The same files as a suite of snapshots."""
    facts = {"redshifts": {0.0: "090", 1.0: "z1"}, "sets": {"CV": 2}} | changes
    return SnapshotsSuite(name="Surrogate", root=str(root), box="L25n16", **facts)


def test_maps_are_those_of_the_suite_that_made_them(root):
    suite = build_suite(own(root), root)
    assert suite.simulations == ("CV_0_z0", "CV_1_z0", "CV_0_z1", "CV_1_z1")
    # the table lists a seed for each simulation: outputs of one share it
    assert suite.runs == {
        "CV_0_z0": ("CV_0_z0", "CV_0_z1"), "CV_1_z0": ("CV_1_z0", "CV_1_z1"),
    }  # fmt: skip
    for name in ("CV_1_z0", "CV_1_z1"):
        made, found = (s.read_maps(DATA, name) for s in (build_suite(MADE, root), suite))
        assert found.values.tobytes() == made.values.tobytes()
        for key in ("redshift", "params", "param_ranges"):
            assert found.attrs[key] == made.attrs[key]
        assert not suite.inspect(DATA, name, deep=True).findings


@pytest.mark.parametrize("phases", ["own", {"CV_1": "one", "CV_0": "two"}])
def test_phases_are_those_of_the_simulation(root, phases):
    assert set(build_suite(own(root, phases=phases), root).runs.values()) == {
        ("CV_0_z0", "CV_0_z1"), ("CV_1_z0", "CV_1_z1"),
    }  # fmt: skip


def test_targets_have_redshifts_too(root):
    layout = {"hydro_snapshot": None}
    suite = build_suite(own(root, layout=layout), root)
    maps = suite.read_maps(DATA, "CV_0_z1")
    assert maps.attrs["redshift"] == 1.0
    assert '"redshift": 1.0' in maps.attrs["params"]


@pytest.mark.parametrize("hydro", [{}, {"layout": {"hydro_snapshot": None}}])
def test_a_header_of_another_redshift_is_named(root, hydro):
    suite = build_suite(own(root, redshifts={0.0: "090", 0.9: "z1"}, **hydro), root)
    words = (
        r"snapshot_z1\.hdf5:Header/Redshift: expected 0\.9 as suite\.redshifts says of CV_0_z0p9"
    )
    with pytest.raises(DataError, match=words):
        suite.read_maps(DATA, "CV_0_z0p9")
    findings = suite.inspect(DATA, "CV_0_z0p9", deep=False).findings
    assert any("expected 0.9 as suite.redshifts" in str(finding) for finding in findings)


def test_one_redshift_is_checked_and_changes_no_name(root):
    suite = build_suite(own(root, redshifts={1.0: "z1"}), root)
    maps = suite.read_maps(DATA, "CV_0")
    assert maps.attrs["redshift"] == 1.0
    assert "redshift" not in maps.attrs["params"]
    with pytest.raises(DataError, match=r"expected 0\.5 as suite\.redshifts says"):
        build_suite(own(root, redshifts={0.5: "z1"}), root).read_maps(DATA, "CV_0")


def test_a_table_that_says_another_redshift(root, tmp_path):
    table = own(root).path("parameters", root, "CV_0_z1")
    lines = [line.split() for line in table.read_text().splitlines()]
    rows = [" ".join([*row, "redshift" if i == 0 else "0.0"]) for i, row in enumerate(lines)]
    other = tmp_path / "table.txt"
    other.write_text("\n".join(rows) + "\n")
    suite = build_suite(own(root, layout={"parameters": str(other)}), root)
    assert suite.read_maps(DATA, "CV_0_z0").attrs["redshift"] == 0.0
    with pytest.raises(DataError, match=r"CV_0:redshift: expected 1 as suite\.redshifts says"):
        suite.read_maps(DATA, "CV_0_z1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"header": {"redshift": 0.0}}, "both say when snapshots are of"),
        ({"layout": {"dmo_catalogue": "{simulation}/g.csv"}}, "layout.dmo_catalogue: expected"),
    ],
)
def test_what_contradicts_itself_is_refused(root, changes, words):
    suite = own(root).model_dump() | changes
    with pytest.raises(ConfigError) as error:
        parse_config({"name": "x", "suite": suite})
    assert words in str(error.value)
