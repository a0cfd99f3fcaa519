"""`emulator audit`: painters that are right, models that ignore, splits that leak, and the command.

Maps are fabricated. A network that returns 0 gives every pixel its noise, in the transform of the
pixel: it knows nothing of surroundings, and its law turns with the window.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from fabricated import Simulation, simulations, truth_maps, write_maps
from tiny import OF_TRAINED
from typer.testing import CliRunner
from untrained import build_emulator, write_folder

from emulator.cli import app
from emulator.config import AuditsConfig, SamplingConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, read_dataset, write_json
from emulator.sampling.mixture import Mixture
from emulator.validation.audits.boxes import audit_boxes
from emulator.validation.audits.leaks import find_leaks
from emulator.validation.audits.stage import audit

TRAINED = Path(__file__).parents[1] / "regression/trained"
FEW = SamplingConfig(n_members=2, n_steps=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """SB_0 and SB_1 of one run, CV_0 with two re-draws, and CV_1 with other parameters."""
    path = write_folder(tmp_path_factory.mktemp("maps"))
    write_maps(path, Simulation("CV_1", "CV1", 0.3, 0.0175, 101, 1001))
    return path


@pytest.fixture(scope="module")
def ignorant(folder):
    return build_emulator(folder, zero=True)


SPLITS = {"train": ["SB_0", "SB_1"], "validation": [], "test": ["CV_0", "CV_1", "BE_0", "BE_1"]}


def run_audit(model, folder, **asked):
    config = AuditsConfig(**({"boxes": 1, "windows": 4} | asked))
    return audit(model, SPLITS, ["CV_0", "CV_1"], folder, config, FEW)


def test_a_painter_that_returns_the_truth_has_all_power_and_no_lack_of_correlation(
    folder, ignorant, monkeypatch
):
    truth = read_maps(folder / "CV_0.h5").select(["dm_hydro", "gas", "stars"])[0]
    monkeypatch.setattr(type(ignorant), "paint_member", lambda *_, **__: truth)
    found = audit_boxes(ignorant, ["CV_0"], folder, FEW, 2)
    assert found["field"].values.tolist() == ["dm_hydro", "gas", "stars", "total"]
    for name in ("box_power_ratio", "box_correlation_members", "box_mass_ratio"):
        np.testing.assert_allclose(found[name], 1.0, rtol=1e-5)
    for name in ("box_power_ratio_summed", "box_correlation_members_summed"):
        np.testing.assert_allclose(found[name], 1.0, rtol=1e-5)
    for name in ("total_over_dmo", "baryons_over_cosmic"):
        members, true = (found[f"box_{name}_{what}"] for what in ("members", "truth"))
        np.testing.assert_allclose(members, true.broadcast_like(members), rtol=1e-5)
    assert (found["box_correlation_dmo"].sel(field="stars") < 0.95).all()
    # from the longest wave of the box on, which rounds the four modes along the axes and diagonals
    assert found["k"].values[0] == pytest.approx(2 * np.pi / 12.8, rel=0.25)
    np.testing.assert_array_equal(found["box_map_truth"], found["box_map_member"])


def test_members_of_half_the_contrast_have_a_quarter_of_the_power(folder, ignorant, monkeypatch):
    truth = read_maps(folder / "CV_0.h5").select(["dm_hydro", "gas", "stars"])[0]
    flat = 0.5 * (truth + truth.mean(axis=(1, 2), keepdims=True))
    monkeypatch.setattr(type(ignorant), "paint_member", lambda *_, **__: flat)
    found = audit_boxes(ignorant, ["CV_0"], folder, FEW, 2)
    np.testing.assert_allclose(found["box_power_ratio_summed"], 0.25, rtol=1e-4)
    np.testing.assert_allclose(found["box_correlation_members_summed"], 1.0, rtol=1e-4)


def test_a_model_without_eyes_ignores_its_surroundings_and_turns_with_the_window(folder, ignorant):
    found = run_audit(ignorant, folder, boxes=0, windows=16, members=4)
    assert (found["context_ratio"] == 1.0).all()
    # 4096 pixels of 4 members and 4 of turned windows scatter by 0.01
    assert (abs(found["turn_difference"].sel(estimate="value")) < 0.04).all()
    # parameters it knows through the share of the baryons alone, and both have Omega_m = 0.3
    assert (found["params_ratio"] == 1.0).all()
    assert found.attrs["mass_difference"] > 0
    assert json.loads(found.attrs["left_out"]).keys() == {"boxes"}


def test_a_model_that_looks_is_seen_to_look_and_not_to_turn(folder):
    """A random network is as far from symmetry as can be, and listens to all that it is given."""
    found = run_audit(build_emulator(folder), folder, boxes=0, windows=8)
    for name in ("context_ratio", "params_ratio"):
        assert (found[name].sel(estimate="value") != 1.0).all()
    turns = found["turn_difference"].sel(estimate="value")
    assert (turns > 0.02).any()


def test_several_models_draw_as_one(folder, ignorant):
    other = build_emulator(folder, zero=True, seed=1)
    found = run_audit(Mixture({"a": ignorant, "b": other}), folder, members=2)
    assert found.attrs["n_members"] == found.sizes["box_member"] == 4
    weights = json.loads(found.attrs["provenance"])["weights"]
    assert weights == ["weights of seed 0", "weights of seed 1"]


def test_one_step_ensembles_are_audited_alike(folder):
    found = run_audit(build_emulator(folder, zero=True, objective="one_step"), folder, windows=8)
    assert (found["context_ratio"] == 1.0).all()
    assert np.isfinite(found["box_power_ratio"]).all()


def leaks_of(folder, tmp_path, change):
    """Leaks where a map of the training stands in the test, changed."""
    maps = tmp_path / "maps"
    shutil.copytree(folder, maps)
    suite = simulations(n_train=1, n_cv=1)
    values = truth_maps(suite[0])
    copy = Simulation("CV_1", "another name", suite[0].omega_m, 0.01, 0, 0)
    write_maps(maps, copy, change(values))
    return find_leaks(SPLITS, maps).sel(pair="train, test")


def test_splits_without_leaks_are_clean(folder):
    found = find_leaks(SPLITS, folder)
    assert found["pair"].values.tolist() == ["train, test"]
    assert (found["leak_runs"] == 0).all()
    assert (found["leak_maps"] == 0).all()
    assert found["leak_correlation"].item() < 0.3
    assert found["leak_correlation"].item() == pytest.approx(found["leak_chance"].item(), rel=0.2)
    assert found["leak_pairs"].item() == 3 * 6 * 8  # maps of SB_0, of CV_0 and CV_1, turned


@pytest.mark.parametrize(
    "change",
    [
        lambda maps: np.roll(maps, (12, -8), axis=(2, 3)),
        lambda maps: np.roll(maps, (1, 1), axis=(2, 3)),  # between the points of the grid
        lambda maps: np.ascontiguousarray(np.rot90(maps, axes=(2, 3))),
        lambda maps: np.ascontiguousarray(maps[..., ::-1]),
        lambda maps: maps * np.random.default_rng(0).lognormal(0.0, 0.1, maps.shape),
    ],
    ids=["shift", "between", "turn", "mirror", "noise"],
)
def test_a_map_of_the_training_is_found_in_the_test(folder, tmp_path, change):
    found = leaks_of(folder, tmp_path, change)
    assert found["leak_correlation"].item() > 0.3
    assert found["leak_closest"].item() == "CV_1 and SB_0"
    assert (found["leak_maps"].item(), found["leak_runs"].item()) == (0, 0)


def test_equal_maps_are_found_by_their_bits(folder, tmp_path):
    found = leaks_of(folder, tmp_path, lambda maps: maps)
    assert found["leak_maps"].item() == 3
    assert found["leak_correlation"].item() == pytest.approx(1.0, abs=1e-5)


def test_a_run_in_two_splits_is_found(folder):
    splits = {"train": ["SB_0", "BE_0"], "test": ["CV_0"]}
    assert find_leaks(splits, folder)["leak_runs"].item() == 1


def test_what_is_not_asked_for_is_left_out_with_a_word(folder, ignorant):
    found = run_audit(ignorant, folder, boxes=0, windows=0)
    why = json.loads(found.attrs["left_out"])
    assert why.keys() == {"boxes", "context_ratio", "params_ratio", "turn_difference"}
    assert "audits.boxes" in why["boxes"]
    assert "box" not in found.sizes
    with pytest.raises(DataError, match="held-out simulations to audit"):
        audit(ignorant, SPLITS, [], folder, AuditsConfig(), FEW)


def run_command(folder, results, **sections):
    """The command on the trained model that the tests share."""
    shutil.copytree(TRAINED, results / "model/seed_0", dirs_exist_ok=True)
    write_json(results / "splits.json", SPLITS)
    raw = {
        "name": "tiny",
        "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
        "model": OF_TRAINED,
        "sampling": {"n_members": 2, "n_steps": 3},
        "audits": {"boxes": 2, "windows": 4},
    }
    (results / "config.yaml").write_text(yaml.safe_dump(raw | sections))
    command = ["audit", results / "config.yaml", "--maps", folder, "--results", results]
    return CliRunner().invoke(app, list(map(str, command)))


def test_the_command_writes_one_file_twice_alike(folder, tmp_path):
    files = []
    for _ in range(2):
        done = run_command(folder, tmp_path)
        assert done.exit_code == 0, f"{done.output}{done.exception}"
        files.append((tmp_path / "audits.nc").read_bytes())
    assert files[0] == files[1]
    found = read_dataset(tmp_path / "audits.nc")
    assert found["box"].values.tolist() == ["CV_0", "CV_1"]
    assert found.attrs["n_windows"] == 4
    assert json.loads(found.attrs["config"]) == {"boxes": 2, "windows": 4, "members": 2}
    assert all("units" in found[name].attrs for name in found if name != "leak_closest")


def test_a_calibration_that_is_missing_is_refused_as_by_sample(folder, tmp_path):
    done = run_command(folder, tmp_path, calibration={"enabled": True})
    assert isinstance(done.exception, DataError)
    assert "calibration.json" in str(done.exception)
    assert "emulator calibrate" in str(done.exception)
    assert not (tmp_path / "audits.nc").exists()
