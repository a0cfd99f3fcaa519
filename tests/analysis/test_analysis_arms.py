"""Arms of the benchmark: configs of equal cost, stages that run once, tables of what was judged."""

import fcntl
from pathlib import Path

import pytest
import yaml

from analysis.benchmarks.arms.__main__ import main
from analysis.benchmarks.arms.expand import ARMS, Arm, base_config, expand, read_arms
from analysis.benchmarks.arms.stages import (
    STAGES,
    Places,
    is_finished,
    require_maps,
    run_arm,
    run_stage,
    train_regression,
)
from emulator.config import ConfigError, maps_file, read_config, read_document, stage_yaml
from emulator.cost.requests import passes
from emulator.io import EmulatorError
from emulator.report.compare.settings import flatten
from emulator.report.inputs import read_benchmarks
from emulator.suites import suite_of

DEMO = Path(__file__).parents[2] / "configs/demo.yaml"


@pytest.fixture(scope="module")
def document():
    return read_document(DEMO)


@pytest.fixture(scope="module")
def config(document):
    return base_config(document)


def keys_of(config):
    """Keys by their path, those of channels by name."""
    nested = config.model_dump(mode="json")
    channels = nested["model"]["channels"]
    nested["model"]["channels"] = {channel["name"]: channel for channel in channels}
    return flatten(nested)


def test_arms_differ_from_the_demo_where_they_say_and_nowhere_else(document, config):
    demo = keys_of(read_config(DEMO))
    assert {k: v for k, v in keys_of(config).items() if demo[k] != v} == {"training.threads": 1}
    arms = read_arms()
    assert arms["default"].changes == {}
    for name, found in expand(document, arms).items():
        changed = {k: v for k, v in keys_of(found).items() if keys_of(config)[k] != v}
        said = arms[name].changes
        assert changed == {k: v for k, v in said.items() if keys_of(config)[k] != v}, name
        assert name == "default" or changed, name
        assert (found.training.max_steps, passes(found)) == (2400, 32), name


def test_arms_of_the_fine_tuning_are_changes_of_its_config():
    arms = read_arms(ARMS.with_name("fine_tune.yaml"))
    found = expand(read_document(DEMO.with_name("fine_tune.yaml")), arms)
    initial = {name: config.training.initial for name, config in found.items()}
    assert initial == {
        "unchanged": "data/reference", "continued": "data/reference", "from_nothing": None
    }  # fmt: skip


def test_a_base_is_not_changed_by_its_arms(document):
    before = yaml.safe_dump(document)
    expand(document, read_arms())
    assert yaml.safe_dump(document) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training.objective": "one_step"}, "steps of 32 passes.*steps of 128 passes"),
        ({"training.max_steps": 700}, "2400 steps.*700 steps"),
        ({"training.early_stopping": {"patience": 3}}, "no early stop.*an early stop"),
        ({"sampling.n_members": 16}, "sampling.n_members must be the same in all arms"),
        ({"validation.bars.mass": {}}, "validation.bars.mass must be the same in all arms"),
        ({"model.channels.dust.occupancy": "analog_bits"}, "no channel 'dust'.*dm_hydro, gas"),
        ({"model.channels.stars": {}}, "expected model.channels.NAME.KEY"),
        ({"model.network.patch.x": 1}, "expected a section at patch, got 2"),
        ({"training.optimizer": "muon"}, "training.optimizer: unknown key"),
    ],
)
def test_what_an_arm_may_not_do_is_refused_by_name(document, changes, said):
    with pytest.raises(ConfigError, match=f"(?s)^arm tried: .*{said}"):
        expand(document, {"tried": Arm(why="To see.", set=changes)})


@pytest.mark.parametrize(
    "text", ["../up: {why: x}", ".shared: {why: x}", "a: {why: ''}", "a: {because: x}", "a: 3"]
)
def test_a_file_of_arms_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "arms.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"arms\.yaml: expected arms as NAME"):
        read_arms(path)


class Stub:
    """Stands for the command line: keeps its words, and is interrupted where it is told to."""

    def __init__(self, dies_in=None):
        self.words = []
        self.dies_in = dies_in

    def __call__(self, words, log, lock):
        stage, path, *_ = words
        self.words.append(list(words))
        folder = Path(words[words.index("--results") + 1])
        assert path == str(folder / "config" / f"{stage}.yaml")
        assert log == folder / "logs" / f"{stage}.log"
        with (folder / ".lock").open("w") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stage == "regress":
            (folder / "regression").mkdir()
            (folder / "regression/model.json").write_text("trained")
        if stage == "sample":
            (folder / "ensembles").mkdir()  # fails on what an interrupted stage has left
        if stage == self.dies_in:
            raise EmulatorError(f"died in {stage}")

    @property
    def stages(self):
        return [words[0] for words in self.words]


def test_an_interrupted_arm_goes_on_and_a_finished_one_is_skipped(tmp_path, config):
    places = Places(tmp_path / "arms", tmp_path / "maps", tmp_path / "raw")
    with pytest.raises(EmulatorError, match="died in sample"):
        run_arm("default", 3, config, None, places, Stub(dies_in="sample"))
    folder = tmp_path / "arms/default/seed_3"
    assert not is_finished(folder)
    rest = Stub()
    assert run_arm("default", 3, config, None, places, rest) == "finished"
    assert rest.stages == ["sample", "validate"]
    assert "--seed" not in rest.words[0]
    assert {row["rule"] for row in read_benchmarks(folder / "benchmarks")} == set(STAGES)
    assert run_arm("default", 3, config, None, places, none := Stub()) == "was finished"
    assert none.stages == []


def test_every_stage_gets_its_own_config_seed_and_folders(tmp_path, config):
    places = Places(tmp_path / "arms", tmp_path / "maps", tmp_path / "raw")
    run_arm("muon", 1, config, None, places, stub := Stub())
    assert stub.stages == list(STAGES)
    folder, raw = tmp_path / "arms/muon/seed_1", ["--raw", str(tmp_path / "raw")]
    for words, more in zip(stub.words, [raw, ["--seed", "1"], raw, []], strict=True):
        path = folder / "config" / f"{words[0]}.yaml"
        given = ["--maps", str(tmp_path / "maps"), "--results", str(folder)]
        assert words[1:] == [str(path), *given, *more]
        assert path.read_text() == stage_yaml(config, words[0])


def test_an_arm_that_asks_for_it_is_calibrated_before_it_draws(tmp_path, config):
    asked = config.calibration.model_copy(update={"enabled": True})
    changed = config.model_copy(update={"calibration": asked})
    run_arm("noise", 0, changed, None, Places(tmp_path, tmp_path / "maps"), stub := Stub())
    assert stub.stages == ["fit", "train", "calibrate", "sample", "validate"]


def test_the_regression_is_trained_once_and_every_arm_has_it(tmp_path, config):
    places, stub = Places(tmp_path, tmp_path / "maps"), Stub()
    for _ in range(2):
        bundle = train_regression(config, places, stub)
    assert stub.stages == ["fit", "regress"]
    for name in ("default", "muon"):
        run_arm(name, 0, config, bundle, places, Stub())
        copied = places.arm(name, 0) / "regression/model.json"
        assert copied.read_text() == "trained"
    without = config.model_copy(
        update={"regression": config.regression.model_copy(update={"max_steps": 0})}
    )
    assert train_regression(without, Places(tmp_path / "other", tmp_path), Stub()) is None


def test_an_arm_in_work_elsewhere_is_passed_over(tmp_path, config):
    places, stub = Places(tmp_path, tmp_path / "maps"), Stub()
    folder = places.arm("default", 0)
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run_arm("default", 0, config, None, places, stub) == "is run by another process"
    assert stub.stages == []
    assert run_arm("default", 0, config, None, places, stub) == "finished"


def test_an_arm_that_was_changed_since_is_refused(tmp_path, document, config):
    places = Places(tmp_path, tmp_path / "maps")
    run_arm("default", 0, config, None, places, Stub())
    other = expand(document, {"a": Arm(why="To see.", set={"training.learning_rate": 0.5})})["a"]
    with pytest.raises(ConfigError, match=r"seed_0/config/train\.yaml: .*changed since"):
        run_arm("default", 0, other, None, places, Stub())


def test_a_stage_that_fails_names_its_log(tmp_path):
    log = tmp_path / "logs/fit.log"
    with (tmp_path / "lock").open("w") as lock:
        run_stage(["--help"], log, lock.fileno())
        with pytest.raises(EmulatorError, match=r"`emulator fit` ended with code 1: .*fit\.log"):
            run_stage(["fit", str(tmp_path / "none.yaml")], log, lock.fileno())
    text = log.read_text()
    assert "Usage" in text
    assert "none.yaml" in text


def test_missing_maps_say_what_to_run_first(tmp_path, config):
    names = [name for run in suite_of(config).runs.values() for name in run]
    for name in names[1:]:
        maps_file(tmp_path, name).touch()
    with pytest.raises(
        EmulatorError, match=rf"maps of {len(names)} simulations, 1 are .*\({names[0]}\).*make demo"
    ):
        require_maps(config, Places(tmp_path, tmp_path))
    maps_file(tmp_path, names[0]).touch()
    require_maps(config, Places(tmp_path, tmp_path))


def test_the_command_line_refuses_with_a_sentence(tmp_path):
    given = ["--config", str(DEMO), "--results", str(tmp_path), "--page", str(tmp_path / "p.md")]
    for words, said in (
        (["--maps", str(tmp_path)], "run `make demo` first"),
        (["--table-only"], "expected an arm that is finished"),
        (["--arm", "default", "cheaper"], "no such arm: cheaper; there are default, plain"),
    ):
        with pytest.raises(SystemExit, match=f"(?i){said}"):
            main([*given, *words])
    assert list(tmp_path.iterdir()) == []
