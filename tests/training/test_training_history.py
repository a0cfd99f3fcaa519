"""The history and those who read it: rows, clocks, early stops and the progress line."""

from types import SimpleNamespace

import pytest
import torch
from tiny import TINY, run

from emulator.config.training import EarlyStoppingConfig
from emulator.training.history import History, ProgressLine, StopEarly


def trainer_at(step, **facts):
    """As much of a trainer as callbacks look at."""
    strategy = SimpleNamespace(reduce=lambda value, reduce_op: value)
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.25}, {"lr": 0.5}])
    defaults = {
        "global_step": step, "current_epoch": step // 2, "callback_metrics": {},
        "strategy": strategy, "optimizers": [optimizer], "should_stop": False,
        "is_global_zero": True,
    }  # fmt: skip
    return SimpleNamespace(**defaults | facts)


MODULE = SimpleNamespace(device="cpu", scores={"val_extra": 7.0, "unnamed": 1.0})


def end_epoch(history, step, losses, **metrics):
    for loss in losses:
        history.on_train_batch_end(None, None, {"objective": torch.tensor(loss)}, None, 0)
    metrics = {name: torch.tensor(value) for name, value in metrics.items()}
    history.on_train_epoch_end(trainer_at(step, callback_metrics=metrics), MODULE)


def test_a_row_is_the_mean_of_its_epoch_and_what_was_logged():
    history = History(["val_extra"])
    end_epoch(history, 2, [1.0, 4.0], val_loss=0.5)
    end_epoch(history, 4, [3.0, 3.0, 9.0])
    first, second = history.rows
    assert (first["train_loss"], second["train_loss"]) == (2.5, 5.0)
    assert (first["step"], first["epoch"], first["learning_rate"]) == (2, 1, 0.25)
    assert (first["val_loss"], first["val_extra"]) == (0.5, 7.0)
    assert "unnamed" not in first
    assert "val_loss" not in second


def test_the_end_of_an_epoch_that_is_passed_again_adds_no_row():
    history = History()
    end_epoch(history, 2, [1.0])
    end_epoch(history, 2, [])
    assert len(history.rows) == 1


def test_seconds_add_up_over_epochs_and_interruptions(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("emulator.training.history.time.monotonic", lambda: clock[0])
    history = History()
    for step, seconds in ((2, 5.0), (4, 2.50049)):
        clock[0] += seconds
        end_epoch(history, step, [1.0])
    resumed = History()
    resumed.load_state_dict(history.state_dict())
    clock[0] += 1000.0
    resumed.on_train_start(None, None)
    clock[0] += 1.25
    end_epoch(resumed, 6, [1.0])
    assert [row["seconds"] for row in resumed.rows] == [5.0, 7.5, 8.75]


def test_an_epoch_goes_on_after_an_interruption():
    history, resumed = History(), History()
    history.on_train_batch_end(None, None, {"objective": torch.tensor(1.0)}, None, 0)
    resumed.load_state_dict(history.state_dict())
    end_epoch(resumed, 2, [5.0])
    assert resumed.rows[0]["train_loss"] == 3.0


def test_the_last_row_goes_into_the_bundle_without_what_is_not_finite_or_takes_time():
    history = History()
    assert history.last() == {}
    end_epoch(history, 2, [1.0])
    end_epoch(history, 4, [2.0], val_loss=float("nan"))
    assert history.last() == {"step": 4, "epoch": 2, "train_loss": 2.0, "learning_rate": 0.25}


def test_a_file_has_blanks_where_nothing_was_measured():
    history = History()
    history.rows = [{"step": 2, "epoch": 0, "val_loss": 0.5}]
    header, row = history.to_csv().splitlines()
    assert header.startswith("step,epoch,train_loss,learning_rate,seconds,val_loss,")
    assert row == "2,0,,,,0.5,,,,,"


def stops(values, patience=2, stop=None):
    """Epochs after which a training asks to stop, by the metric of each."""
    history = History()
    stop = stop or StopEarly(EarlyStoppingConfig(metric="val_loss", patience=patience), history)
    stop.history = history
    asked = []
    for epoch, value in enumerate(values, 1):
        row = {"step": epoch} if value is None else {"step": epoch, "val_loss": value}
        history.rows.append(row)
        for _ in range(2):  # the end of an epoch is passed twice by a run that resumes there
            trainer = trainer_at(epoch)
            stop.on_train_epoch_end(trainer, None)
            if trainer.should_stop:
                asked.append(epoch)
    return asked


def test_patience_counts_epochs_without_improvement():
    assert stops([3.0, 2.0, 2.5, 1.0, 1.5, 1.2]) == [6]
    assert stops([3.0, 2.0, 1.0, 0.5]) == []
    assert stops([1.0, 1.0, 1.0]) == [3]  # as good is no better
    assert stops([1.0, None, 2.0, None, 2.0]) == [5]
    assert stops([1.0, 1.0], patience=1) == [2]


def test_a_training_that_has_stopped_stays_stopped():
    history = History()
    config = EarlyStoppingConfig(metric="val_loss", patience=2)
    first, second = StopEarly(config, history), StopEarly(config, history)
    stops([1.0, 2.0], stop=first)
    second.load_state_dict(first.state_dict())
    trainer = trainer_at(2)
    second.on_train_start(trainer, None)
    assert not trainer.should_stop
    second.history.rows = [{"step": 3, "val_loss": 1.5}]
    second.on_train_epoch_end(trainer_at(3), None)
    second.on_train_start(trainer, None)
    assert trainer.should_stop
    asked_by_others = trainer_at(0, should_stop=True)
    first.on_train_start(asked_by_others, None)
    assert asked_by_others.should_stop


def test_the_progress_line_counts_steps_and_not_parts(capfd):
    line = ProgressLine("train", 4)
    line.on_train_batch_end(trainer_at(1), None, {"objective": 1.0}, None, 0)  # not begun
    line.on_train_start(trainer_at(1), None)
    for step in (1, 2, 2, 3, 4, 4):
        outputs = {"objective": torch.tensor(0.125 * step)}
        line.on_train_batch_end(trainer_at(step), None, outputs, None, 0)
        line.on_train_batch_end(trainer_at(4, is_global_zero=False), None, outputs, None, 0)
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("train: 4/4 (100%)")
    assert said[0].endswith("loss 0.5000")


def test_a_training_says_its_steps(maps_dir, tmp_path, capfd):
    run(maps_dir, tmp_path, training={**TINY["training"], "max_steps": 2, "accumulate": 2})
    assert "train: 2/2 (100%)" in capfd.readouterr().err


@pytest.mark.parametrize("metric", ["val_loss", "val_extra"])
def test_any_column_may_be_watched(metric):
    StopEarly(EarlyStoppingConfig(metric=metric), History(["val_extra"]))
