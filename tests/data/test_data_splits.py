"""No two windows of one universe are separated."""

import pytest

from emulator.config import ConfigError, DesignConfig, EmbeddedSuite, SplitConfig
from emulator.data.splits import split_runs
from emulator.suites import build_suite

SUITE = EmbeddedSuite(design=DesignConfig(sb_runs=20, sb_per_run=3, cv_runs=4, be_draws=2))


@pytest.mark.parametrize("seed", range(5))
def test_every_simulation_in_one_split_and_runs_stay_whole(seed):
    runs = SUITE.runs()
    splits = split_runs(runs, SplitConfig(seed=seed, validation_fraction=0.2, test_fraction=0.2))
    names = [name for members in splits.values() for name in members]
    assert sorted(names) == sorted(name for members in runs.values() for name in members)
    home = {name: split for split, members in splits.items() for name in members}
    for members in runs.values():
        assert len({home[name] for name in members}) == 1
    assert all(home[name] == "test" for name in names if name.startswith(("CV", "BE")))
    assert len(splits["validation"]) == 12


def test_the_split_is_a_function_of_the_seed():
    runs = SUITE.runs()
    splits = [split_runs(runs, SplitConfig(seed=seed)) for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_a_suite_without_runs_for_training_is_refused():
    runs = EmbeddedSuite(design=DesignConfig(sb_runs=0, cv_runs=2)).runs()
    with pytest.raises(ConfigError, match="no run for"):
        split_runs(runs, SplitConfig())


def test_redraws_belong_to_their_run():
    suite = build_suite(SUITE, "nowhere")
    assert suite.redraws_of("CV_1") == ["BE_2", "BE_3"]
    assert suite.redraws_of("SB_0") == []
    assert suite.sampled(suite.runs["CV1"]) == ["CV_1"]


def test_a_response_set_is_held_out_whatever_the_test_sets():
    runs = EmbeddedSuite(design=DesignConfig(sb_runs=8, cv_runs=1, one_p_steps=1)).runs()
    config = SplitConfig(test_sets=("CV",))
    splits = split_runs(runs, config)
    assert {name for name in splits["test"] if name.startswith("1P")} == {
        name for members in runs.values() for name in members if name.startswith("1P")
    }
    assert config.response_set_of("1P_p3_n1") == "1P"
    assert config.response_set_of("CV_0") is None
    open_to_all = SplitConfig(test_sets=("CV",), response_sets=())
    pooled = split_runs(runs, open_to_all)
    assert any(name.startswith("1P") for name in pooled["train"])


def test_fewer_runs_to_train_on_move_nothing_else():
    """The first of the training runs by hash; validation and test are as they were."""
    runs = SUITE.runs()
    whole, few = (split_runs(runs, SplitConfig(training_runs=n)) for n in (None, 5))
    assert few["test"] == whole["test"]
    assert few["validation"] == whole["validation"]
    assert set(few["train"]) < set(whole["train"])
    assert len(few["train"]) == 15
    more = split_runs(runs, SplitConfig(training_runs=6))
    assert set(few["train"]) < set(more["train"])


def test_more_runs_than_there_are_to_train_on_are_refused():
    with pytest.raises(ConfigError, match=r"training_runs: expected at most the 16 runs .*got 17"):
        split_runs(SUITE.runs(), SplitConfig(training_runs=17))
