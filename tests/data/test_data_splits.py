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
