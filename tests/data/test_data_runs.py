"""Which simulations share phases, and so a split: seeds of the table, or what the config says."""

import numpy as np
import pytest

from emulator.config import SnapshotsSuite, SplitConfig, WindowsSuite
from emulator.data.splits import split_runs
from emulator.io import DataError
from emulator.suites import build_suite

SETS = {"LH": 6, "CV": 2, "1P": ["1P_p1_n1", "1P_p1_1"], "BE": 3}
SEEDS = {
    "LH_0": 1, "LH_1": 2, "LH_2": 3, "LH_3": 2, "LH_4": 5, "LH_5": 6,
    "CV_0": 7, "CV_1": 8, "1P_p1_n1": 7, "1P_p1_1": 7, "BE_0": 8, "BE_1": 8, "BE_2": 8,
}  # fmt: skip


@pytest.fixture
def suite(tmp_path):
    def make(seeds=True, **options):
        rows = ["#Name Omega_m" + " seed" * seeds]
        rows += [f"{name} 0.3" + f" {seed}" * seeds for name, seed in SEEDS.items()]
        (tmp_path / "table.txt").write_text("\n".join(rows) + "\n")
        return SnapshotsSuite(
            name="M", root=str(tmp_path), sets=SETS, layout={"parameters": "table.txt"}, **options
        )

    return make


def test_equal_seeds_are_one_run_across_sets(suite, tmp_path):
    runs = build_suite(suite(), tmp_path).runs
    assert runs["LH_1"] == ("LH_1", "LH_3")
    assert runs["CV_0"] == ("CV_0", "1P_p1_n1", "1P_p1_1")
    assert runs["CV_1"] == ("CV_1", "BE_0", "BE_1", "BE_2")
    assert sorted(name for members in runs.values() for name in members) == sorted(SEEDS)
    assert len(runs) == 7


def test_no_split_separates_them(suite, tmp_path):
    runs = build_suite(suite(), tmp_path).runs
    for seed in range(20):
        splits = split_runs(runs, SplitConfig(seed=seed, test_sets=("CV",), test_fraction=0.3))
        home = {name: split for split, names in splits.items() for name in names}
        by_seed = {}
        for name, phases in SEEDS.items():
            by_seed.setdefault(phases, set()).add(home[name])
        assert all(len(homes) == 1 for homes in by_seed.values())
        assert home["1P_p1_1"] == home["BE_0"] == "test"  # with the set that is held out


def test_what_the_config_says_goes_first(suite, tmp_path):
    own = build_suite(suite(phases="own"), tmp_path).runs
    assert all(members == (run,) for run, members in own.items())
    labelled = build_suite(suite(phases={"1P": "one", "LH_0": "one"}), tmp_path).runs
    assert labelled["LH_0"] == ("LH_0", "1P_p1_n1", "1P_p1_1")
    assert labelled["CV_0"] == ("CV_0",)
    assert labelled["LH_1"] == ("LH_1", "LH_3")  # by their seed, as ever


def test_without_seeds_every_simulation_is_a_run(suite, tmp_path):
    runs = build_suite(suite(seeds=False), tmp_path).runs
    assert len(runs) == len(SEEDS)
    windows = WindowsSuite(name="W", root=str(tmp_path), sets={"SB": 3})
    assert build_suite(windows, tmp_path).runs == {f"SB_{i}": (f"SB_{i}",) for i in range(3)}


def test_a_table_without_a_simulation_is_no_table_of_the_suite(suite, tmp_path):
    made = suite()
    table = tmp_path / "table.txt"
    table.write_text(table.read_text().replace("LH_3 ", "LH_9 "))
    with pytest.raises(DataError, match="row for simulation 'LH_3'"):
        _ = build_suite(made, tmp_path).runs
    table.unlink()
    with pytest.raises(DataError, match="no such file"):
        _ = build_suite(made, tmp_path).runs


def test_a_set_of_butterflies_is_dropped_by_nobody(suite, tmp_path):
    """It is sampled like all others, unless the config says that it re-draws a truth."""
    plain, told = (build_suite(made, tmp_path) for made in (suite(), suite(redraw_sets=("BE",))))
    members = plain.runs["CV_1"]
    assert plain.sampled(members) == list(members)
    assert plain.redraws_of("CV_1") == []
    assert told.sampled(members) == ["CV_1"]
    assert told.redraws_of("CV_1") == ["BE_0", "BE_1", "BE_2"]


def test_redrawn_truths_are_those_of_the_same_parameters(tmp_path):
    """Others of the run are left out; one of another dark-matter-only map is refused."""
    import fabricated
    from untrained import build_emulator

    from emulator.config import SamplingConfig
    from emulator.sampling.held_out import cut_windows

    simulations = fabricated.simulations(n_train=1, n_cv=1, n_draws=2)
    for simulation in simulations:
        fabricated.write_maps(tmp_path, simulation)
    emulator = build_emulator(tmp_path)
    options = SamplingConfig(windows_per_simulation=2, n_members=2)
    truth = tmp_path / "CV_0.h5"
    both = [tmp_path / f"BE_{i}.h5" for i in range(2)]
    found = cut_windows(emulator, truth, both, options, split="test").facts
    assert found.truth_redraw.sizes["draw"] == 2
    other = next(s for s in simulations if s.name == "BE_1")
    shifted = fabricated.dataclasses.replace(other, star_share=0.02)
    fabricated.write_maps(tmp_path, shifted)
    found = cut_windows(emulator, truth, both, options, split="test").facts
    assert found.truth_redraw.sizes["draw"] == 1
    maps = fabricated.truth_maps(other)
    fabricated.write_maps(tmp_path, other, np.roll(maps, 1, axis=-1))
    with pytest.raises(DataError, match=r"BE_1\.h5: expected the dark-matter-only maps"):
        cut_windows(emulator, truth, both, options, split="test")
