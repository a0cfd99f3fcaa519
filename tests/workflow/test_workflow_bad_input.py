"""Bad input through the command line: one readable message, exit code 1, nothing half-written."""

import shutil

import h5py
import numpy as np
import pytest

from emulator.io import append_seal

pytestmark = pytest.mark.workflow

SNAPSHOT = "data/raw/test/Sims/Surrogate{dm}/L25n32/SB/SB_0/snapshot_090.hdf5"
DMO, HYDRO = SNAPSHOT.format(dm="_DM"), SNAPSHOT.format(dm="")
TABLE = "data/raw/test/Parameters/Surrogate/CosmoAstroSeed_Surrogate_L25n32_SB.txt"
MAP = "data/processed/test/maps/SB_0.h5"
PROJECT = ["project", "results/test/config/project.yaml", "--run", "SB0"]


def refused(call, folder, arguments, *words):
    """The command fails with one message that holds ``words``, and no traceback."""
    done = call(["emulator", *arguments], folder, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not list(folder.rglob("*.partial*"))


def edit(path, change):
    """Change one HDF5 file, and seal it as its writer would; hard links to it keep the old one."""
    kept = path.read_bytes()
    path.unlink()
    path.write_bytes(kept)
    with h5py.File(path, "r+") as handle:
        change(handle)
    append_seal(path)


def test_a_snapshot_that_another_program_has_changed(copy, call):
    path = copy / DMO
    kept = path.read_bytes()
    path.unlink()
    path.write_bytes(kept)
    with h5py.File(path, "r+") as handle:
        handle["Header"].attrs["BoxSize"] = 1.0
    refused(call, copy, PROJECT, DMO, "changed by another program", "Remove it and run")


def test_missing_snapshot(copy, call):
    (copy / HYDRO).unlink()
    refused(call, copy, PROJECT, HYDRO, "no such file")


def test_snapshot_without_a_needed_attribute(copy, call):
    edit(copy / DMO, lambda handle: handle["Header"].attrs.__delitem__("BoxSize"))
    refused(call, copy, PROJECT, DMO, "BoxSize")


def test_truncated_snapshot(copy, call):
    path = copy / DMO
    blob = path.read_bytes()
    path.unlink()
    path.write_bytes(blob[: len(blob) // 2])
    refused(call, copy, PROJECT, DMO, "truncated")


def test_nan_position(copy, call):
    def change(handle):
        handle["PartType1/Coordinates"][5, 1] = np.nan

    edit(copy / DMO, change)
    refused(call, copy, PROJECT, DMO, "PartType1/Coordinates", "finite")


def test_parameter_that_is_not_in_the_table(copy, call):
    config = copy / "results/test/config/fit.yaml"
    config.write_text(config.read_text().replace("- A_SN2", "- A_SN9"))
    refused(call, copy, ["fit", str(config)], "A_SN9", "A_SN2")


def test_table_without_the_simulation(copy, call):
    path = copy / TABLE
    rows = [row for row in path.read_text().splitlines() if not row.startswith("SB_0 ")]
    path.write_text("\n".join(rows))
    refused(call, copy, PROJECT, TABLE, "SB_0")


def test_nan_in_a_map(copy, call):
    def change(handle):
        handle["maps"][0, 1, 3, 4] = np.nan

    from emulator.data.splits import SPLITS
    from emulator.io import read_json

    splits = read_json(copy / "results/test/splits.json")
    assert set(splits) == set(SPLITS)
    name = f"data/processed/test/maps/{splits['train'][0]}.h5"
    edit(copy / name, change)
    append_seal(copy / name)
    command = ["fit", "results/test/config/fit.yaml"]
    refused(call, copy, command, name, "finite")


def test_unknown_key_and_negative_box(copy, call, tmp_path):
    config = tmp_path / "bad.yaml"
    config.write_text("name: a\nsuite: {kind: embedded, box_size_mpch: -1, colour: red}\n")
    words = ["bad.yaml", "suite.embedded.box_size_mpch", "-1", "suite.embedded.colour"]
    refused(call, copy, ["simulate", str(config)], *words)


def test_unknown_run(copy, call):
    refused(call, copy, ["project", "results/test/config/project.yaml", "--run", "XX"], "XX", "SB0")


def test_missing_bundle(copy, call):
    shutil.rmtree(copy / "results/test/model")
    command = ["sample", "results/test/config/sample.yaml"]
    refused(call, copy, command, "results/test/model", "expected a bundle")


@pytest.mark.parametrize(
    "command",
    [
        "simulate",
        "project",
        "check",
        "export",
        "fit",
        "train",
        "sample",
        "validate",
        "report",
        "schema",
    ],
)
def test_help_helps(call, tmp_path, command):
    text = call(["emulator", command, "--help"], tmp_path).stdout
    assert "Usage" in text
    assert len(text) > 300
