"""The prediction: probes of real code, sums that add up, and words that help."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.cli import app
from emulator.config import RegressionConfig, parse_config, read_config
from emulator.cost.predict import JOB_SECONDS, StageCost, predict
from emulator.cost.probe import probe_network
from emulator.cost.requests import (
    Request,
    calibration_evaluations,
    evaluations,
    requests,
    tuning_evaluations,
)
from emulator.cost.table import to_json, to_text
from emulator.suites import suite_of

ROOT = Path(__file__).parents[2]
TEST = read_config(ROOT / "configs/test.yaml")


@pytest.fixture(scope="module")
def prediction():
    return predict(TEST, Path("nowhere"), gpu_tflops=None)


def test_jobs_are_those_of_the_workflow(prediction):
    """As the dry run of the test preset lists them."""
    jobs = {cost.stage: cost.jobs for cost in prediction.stages}
    assert jobs == {
        "simulate": 5, "project": 5, "fit": 1, "train": 1, "regress": 1, "sample": 2, "audit": 1,
        "validate": 1, "report": 1,
    }  # fmt: skip


def test_hours_are_those_that_jobs_hold():
    cost = StageCost("train", 3, Request(1000, 60, cores=8, gpus=2), 7170.0, 0.0)
    assert cost.jobs_seconds == 7170 + 3 * JOB_SECONDS == 7200
    assert (cost.core_hours, cost.gpu_hours) == (16.0, 4.0)
    assert cost.overhead == pytest.approx(30 / 7200)


def test_a_rate_that_is_given_decides_the_time_of_the_network():
    slow, fast = (predict(TEST, Path("nowhere"), gpu_tflops=rate) for rate in (0.001, 0.1))
    for stage in ("train", "regress", "sample"):
        a, b = (next(c for c in p.stages if c.stage == stage) for p in (slow, fast))
        assert a.seconds == pytest.approx(100 * b.seconds)
    training = next(c for c in slow.stages if c.stage == "train")
    flop = probe_network(TEST).forward_flop
    assert training.seconds == pytest.approx(20 * 16 * 3 * flop / 1e9)
    regression = next(c for c in slow.stages if c.stage == "regress")
    assert regression.seconds == pytest.approx(5 * 16 * 3 * flop / 1e9)


def test_without_a_regression_nothing_is_asked_for_it():
    none = TEST.model_copy(update={"regression": RegressionConfig()})
    found = predict(none, Path("nowhere"), gpu_tflops=1.0)
    assert "regress" not in {cost.stage for cost in found.stages}
    assert "regress" not in requests(none, suite_of(none))


def test_a_search_for_the_solver_is_a_job_of_each_seed():
    solver = {"name": "auto", "evaluations": [2, 5], "reference_evaluations": 10, "windows": 7}
    raw = TEST.model_dump(mode="json")
    raw["sampling"] |= {"solver": solver, "n_steps": None, "spacing": None}
    raw["training"]["seeds"] = [0, 1]
    config = parse_config(raw)
    assert tuning_evaluations(config) == 7 * 2 * (3 * (2 + 5) + 10)
    assert evaluations(config) == 2 * 4 * 4 * 5  # the most that may be found
    stages = {c.stage: c for c in predict(config, Path("nowhere"), gpu_tflops=0.001).stages}
    assert stages["tune"].jobs == 2
    flop = probe_network(TEST).forward_flop
    assert stages["tune"].seconds == pytest.approx(2 * tuning_evaluations(config) * flop / 1e9)
    assert tuning_evaluations(TEST) == 0
    assert "tune" not in requests(TEST, suite_of(TEST))


def test_a_calibration_is_a_job_of_each_seed():
    raw = TEST.model_dump(mode="json")
    raw["calibration"] |= {"enabled": True, "windows": 7, "members": 3, "rounds": 2}
    raw["training"]["seeds"] = [0, 1]
    config = parse_config(raw)
    # drawn at first; in each round a derivative, and three trials at most; 6 steps a member
    assert calibration_evaluations(config) == 7 * 3 * (1 + 2 * (1 + 3)) * 6
    one_step = parse_config(raw | {"training": raw["training"] | {"objective": "one_step"}})
    assert calibration_evaluations(one_step) == 7 * 3 * (1 + 2 * (3 + 3))
    stages = {c.stage: c for c in predict(config, Path("nowhere"), gpu_tflops=0.001).stages}
    assert stages["calibrate"].jobs == 2
    flop = probe_network(TEST).forward_flop
    seconds = 2 * calibration_evaluations(config) * flop / 1e9
    assert stages["calibrate"].seconds == pytest.approx(seconds)
    assert calibration_evaluations(TEST) == 0
    assert "calibrate" not in requests(TEST, suite_of(TEST))


def test_members_windows_seeds_and_guidance_are_evaluations():
    sampling = {"n_members": 4, "windows_per_simulation": 5, "n_steps": 7}
    one = parse_config({"name": "a", "sampling": sampling})
    assert evaluations(one) == 4 * 5 * 7
    more = {"name": "a", "training": {"seeds": [0, 1, 2]}}
    more["sampling"] = sampling | {"guidance_scale": 2.0}
    assert evaluations(parse_config(more)) == 6 * evaluations(one)


def test_small_jobs_are_told_their_blocks(prediction):
    (note,) = [note for note in prediction.notes if note.startswith("project")]
    wanted = int(note.split("blocks.runs: ")[1].split()[0])
    blocks = {"runs": wanted, "simulations": 1}
    config = TEST.model_copy(update={"blocks": TEST.blocks.model_copy(update=blocks)})
    again = predict(config, Path("x"), gpu_tflops=None)
    assert next(c for c in again.stages if c.stage == "project").jobs == 1


def test_probes_time_what_the_stages_run(prediction):
    simulate = next(c for c in prediction.stages if c.stage == "simulate")
    assert simulate.seconds > 0
    assert any("a run of each set" in note and "(SB)" in note for note in prediction.notes)
    network = probe_network(TEST)
    assert network.training_flop_per_second > 0
    assert network.sampling_flop_per_second > 0


def test_the_table_and_the_document_say_the_same(prediction):
    text, document = to_text(prediction), to_json(prediction)
    for stage in document["stages"]:
        assert f"\n{stage['stage']}" in text
    assert json.loads(json.dumps(document)) == document
    for word in ("core-hours", "GPU-hours", "memory", "disk", "total"):
        assert word in text


def test_the_command_keeps_its_prediction_for_the_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = str(ROOT / "configs/test.yaml")
    done = CliRunner().invoke(app, ["cost", config, "--gpu-tflops", "10"])
    assert done.exit_code == 0, done.output
    assert "on a GPU, as you said" in done.output
    kept = json.loads((tmp_path / "results/test/cost.json").read_text())
    assert kept["stages"][0]["stage"] == "simulate"


def test_a_suite_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(
        app, ["cost", "configs/camels_tng_sb35.yaml", "--raw", str(tmp_path / "none")]
    )
    assert "CosmoAstroSeed_IllustrisTNG" in str(done.exception)
