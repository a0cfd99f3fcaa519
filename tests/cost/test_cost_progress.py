"""The line of a whole run: counts and shares are those of the jobs, and faults are not hidden."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.config import read_config
from emulator.cost.progress import RunProgress, predicted_seconds
from emulator.cost.rough import START_SECONDS, rough_seconds
from emulator.io import write_json
from emulator.suites import suite_of

ROOT = Path(__file__).parents[2]


class Log:
    """Snakemake's log as a filter sees it, with a clock that is set by hand."""

    def __init__(self, predicted, rough=None):
        self.now, self.lines = 0.0, []
        self.progress = RunProgress(
            predicted, rough=rough, clock=lambda: self.now, say=self.lines.append
        )

    def record(self, message, level=logging.INFO, **facts):
        record = logging.LogRecord("snakemake", level, "file", 1, message, None, None)
        vars(record).update(facts)
        return self.progress.filter(record)

    def finish(self, rule):
        message = f"Finished jobid: 7 (Rule: {rule})"
        assert not self.record(message, event="job_finished", job_id=7)
        assert not self.record(None, event="progress", done=1, total=99)


@pytest.fixture
def log():
    log = Log({"simulate": 2.0, "train": 16.0})
    assert log.record("Job stats", event="run_info", stats={"simulate": 2, "train": 1, "total": 3})
    return log


def test_jobs_and_predicted_time_are_counted(log):
    log.now = 61.0
    log.finish("simulate")
    assert log.lines == [
        "workflow: 1 of 3 jobs, 10% of the predicted time, 1:01 elapsed; simulate 1/2"
    ]
    log.now = 65.0
    log.finish("simulate")
    assert len(log.lines) == 1  # too soon for another
    log.now = 66.0
    log.finish("train")
    assert log.lines[1:] == ["workflow: 3 of 3 jobs, 100% of the predicted time, 1:06 elapsed"]


def test_a_job_counts_once_however_many_handlers_ask(log):
    """Snakemake has one for the terminal and one for its file, and both have the filter."""
    record = logging.LogRecord("snakemake", logging.INFO, "f", 1, "(Rule: simulate)", None, None)
    record.event = "job_finished"
    assert not log.progress.filter(record)
    assert not log.progress.filter(record)
    assert log.progress.done == {"simulate": 1}


def test_without_a_prediction_no_share_is_said():
    log = Log({})
    log.record("Job stats", event="run_info", stats={"fit": 1, "total": 1})
    log.finish("fit")
    assert log.lines == ["workflow: 1 of 1 jobs, 0:00 elapsed"]


def test_a_rough_share_is_said_as_such_and_gives_way_to_a_prediction():
    for predicted, said in (({}, "25% of the time, roughly"), ({"fit": 1.0}, "predicted time")):
        log = Log(predicted, rough={"fit": 2.0, "train": 6.0})
        log.record("Job stats", event="run_info", stats={"fit": 1, "train": 1, "total": 2})
        log.now = 11.0
        log.finish("fit")
        assert said in log.lines[0]


def test_rough_times_are_of_every_stage_of_the_demo():
    """Beside those that a run of it took on two cores [s a job], to a factor of two and a half."""
    measured = {
        "simulate": 7.0, "project": 6.0, "fit": 3.0, "train": 440.0, "regress": 55.0,
        "sample": 6.5, "validate": 19.0, "report": 9.0,
    }  # fmt: skip
    config = read_config(ROOT / "configs/demo.yaml")
    found = rough_seconds(config, suite_of(config))
    for stage, seconds in measured.items():
        assert 0.4 < found[stage] / seconds < 2.5, (stage, found[stage])
    twice = config.training.model_copy(update={"max_steps": 2 * config.training.max_steps})
    longer = rough_seconds(config.model_copy(update={"training": twice}), suite_of(config))
    work = {name: value - START_SECONDS for name, value in found.items()}
    assert longer["train"] - START_SECONDS == pytest.approx(2 * work["train"])
    assert longer["regress"] == pytest.approx(found["regress"])


PRESETS = [read_config(path) for path in sorted((ROOT / "configs").glob("*.yaml"))]
EMBEDDED = [config for config in PRESETS if config.suite.kind == "embedded"]


@pytest.mark.parametrize("config", EMBEDDED, ids=lambda config: config.name)
def test_every_embedded_preset_has_rough_times(config):
    found = rough_seconds(config, suite_of(config))
    assert all(START_SECONDS <= value < float("inf") for value in found.values())


def test_the_workflow_does_not_wait_for_torch():
    line = "import sys, emulator.cost.rough; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", line], check=False).returncode == 0


def test_what_is_no_chatter_stays(log):
    assert not log.record("Select jobs to execute...")
    assert not log.record("Execute 2 jobs...", event="job_started", jobs=[1, 2])
    assert log.record("Error in rule train", logging.ERROR, event="job_error")
    assert log.record("Exiting because a job execution failed.", logging.ERROR)
    assert log.record("Building DAG of jobs...", event=None)


def test_predictions_are_those_of_a_job(tmp_path):
    assert predicted_seconds(tmp_path / "cost.json") == {}
    rows = [{"stage": "simulate", "jobs": 4, "seconds": 8.0}]
    write_json(tmp_path / "cost.json", {"stages": rows})
    assert predicted_seconds(tmp_path / "cost.json") == {"simulate": 2.0}
