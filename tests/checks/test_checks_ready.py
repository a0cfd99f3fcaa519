"""The command `check` on suites of ready maps and of ready windows."""

import json
from pathlib import Path

import multifield_files
import numpy as np
import pytest
import window_files
import yaml
from typer.testing import CliRunner

from emulator.cli import app
from emulator.suites.window_files import write_window

NAMES = list(multifield_files.NAMES)
SPLIT = {"validation_fraction": 0.3, "test_fraction": 0.2, "test_sets": ["CV"]}


def check(folder, suite, params, **data):
    """Exit code and JSON."""
    config = {
        "name": "ready",
        "suite": {"root": str(folder), **suite},
        "data": {"split": SPLIT, "context_factors": [2], **data},
        "model": {"params": params},
    }
    path = folder / "ready.yaml"
    path.write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(app, ["check", str(path), "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def multifield(tmp_path):
    suite = multifield_files.make_suite(tmp_path)
    multifield_files.write_multifield(tmp_path, suite)

    def run():
        options = suite.model_dump(mode="json", exclude={"root"})
        return check(tmp_path, options, NAMES, n_pixels=multifield_files.N_PIXELS, window=8)

    return suite, tmp_path, run


def test_sound_maps(multifield):
    _, _, run = multifield
    code, report = run()
    assert (code, report["findings"]) == (0, [])
    assert report["simulations"]["LH_2"]["params"]["Omega_m"] == pytest.approx(0.34)
    # three maps of four fields and the means over 2 x 2 pixels, float32
    assert report["needs"]["maps_bytes_a_simulation"] == 3 * 32**2 * 4 * (4 + 1 / 4)
    assert report["needs"]["maps_bytes"] == 7 * report["needs"]["maps_bytes_a_simulation"]
    assert report["needs"]["projection_bytes"] == 0


def test_a_missing_field_is_named_by_every_simulation_of_its_set(multifield):
    suite, root, run = multifield
    suite.path("gas", root, "CV_0").unlink()
    code, report = run()
    assert code == 1
    assert [f["simulation"] for f in report["findings"]] == ["CV_0", "CV_1"]
    assert all("Maps_Mgas_IllustrisTNG_CV" in f["message"] for f in report["findings"])


def test_maps_of_another_unit(multifield):
    suite, root, run = multifield
    path = suite.path("dmo", root, "LH_0")
    np.save(path, np.load(path) * np.float32(0.01))
    code, report = run()
    assert code == 1
    assert [(f["simulation"], f["subject"]) for f in report["findings"]] == [("LH_0", "values")]
    assert "0.01 times that" in report["findings"][0]["message"]


@pytest.fixture
def windows(tmp_path):
    counts = (("LH_0", 2), ("LH_1", 3), ("LH_2", 1), ("LH_3", 2), ("CV_0", 1))
    for seed, (name, count) in enumerate(counts):
        for i in range(count):
            sample = window_files.make_sample(10 * seed + i, params=(0.3, 1.0), factors=(2,))
            write_window(tmp_path / name.split("_")[0] / name / f"halo_{i}.npz", sample)
    (tmp_path / "ranges.csv").write_text(
        "ParamName,LogFlag,FiducialVal,MinVal,MaxVal\nOmega_m,0,0.3,0.1,0.5\nA_SN1,1,1,0.25,4\n"
    )
    names = ["Omega_m", "A_SN1"]
    suite = {
        "kind": "samples",
        "name": "Windows",
        "sets": {"LH": 4, "CV": 1},
        "parameter_names": names,
        "ranges": str(tmp_path / "ranges.csv"),
        "box_size_mpch": window_files.BOX,
        "depth_mpch": window_files.BOX,
    }
    return tmp_path, lambda: check(tmp_path, suite, names, n_pixels=64, window=16)


def test_sound_windows(windows):
    _, run = windows
    code, report = run()
    assert (code, report["findings"]) == (0, [])
    counts = {name: facts["windows"] for name, facts in report["simulations"].items()}
    assert counts == {"LH_0": 2, "LH_1": 3, "LH_2": 1, "LH_3": 2, "CV_0": 1}
    # nine windows of four fields and one context, float32
    assert report["needs"]["maps_bytes"] == 9 * 16**2 * 4 * 5


def test_simulations_without_windows_and_damaged_ones(windows):
    root, run = windows
    (root / "CV/CV_0/halo_0.npz").unlink()
    damaged = root / "LH/LH_0/halo_1.npz"
    damaged.write_bytes(damaged.read_bytes()[:500])
    code, report = run()
    assert code == 1
    found = {(f["simulation"], f["subject"]): f["message"] for f in report["findings"]}
    assert found.keys() == {("CV_0", "files"), ("LH_0", "values")}
    assert Path(found["LH_0", "values"].split(":")[0]).name == "halo_1.npz"
