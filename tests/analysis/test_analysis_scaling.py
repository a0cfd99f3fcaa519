"""The scaling study: points of its axes, the law through them, what runs once."""

from pathlib import Path

import pytest

from analysis.benchmarks.scaling.__main__ import homes_of, main
from analysis.benchmarks.scaling.axes import expand_study, point_name, read_study
from analysis.benchmarks.scaling.curve import fit_power_law
from emulator.config import ConfigError, read_document

DEMO = Path(__file__).parents[2] / "configs/demo.yaml"


def test_a_power_law_is_found_again():
    x = [300, 600, 1200, 2400, 4800]
    law = fit_power_law(x, [1.0 + 30.0 * each**-0.6 for each in x])
    assert law.amplitude == pytest.approx(30.0)
    assert law.power == pytest.approx(0.6)
    assert law.scatter == pytest.approx(0.0, abs=1e-9)
    assert law(9600) == pytest.approx(1.0 + 30.0 * 9600**-0.6)


@pytest.mark.parametrize("scores", [[1.2, 1.1], [1.1, 1.2, 1.3], [1.2, 1.1, 0.9], [1.2, 1.1, 1.1]])
def test_scores_without_a_law_predict_nothing(scores):
    """Too few, that rise, or that fall below what can be known; the last one has a law."""
    law = fit_power_law([100, 200, 400][: len(scores)], scores)
    assert (law is not None) == (scores[-1] == 1.1 and len(scores) == 3)


def test_points_differ_from_the_base_in_one_key():
    study = read_study()
    configs = expand_study(read_document(DEMO), study)
    assert len(configs) == sum(len(axis.values) for axis in study.axes.values())
    for axis, each in study.axes.items():
        for value in each.values:
            found = configs[point_name(axis, value)].model_dump(mode="json")
            for part in each.key.split("."):
                found = found[part]
            assert found == (list(value) if isinstance(value, tuple) else value)
    one = configs["points_5"]
    assert (one.training.max_steps, one.training.threads) == (1200, 1)
    assert one.model == configs["steps_300"].model


def test_a_point_that_stands_on_several_axes_runs_once():
    homes = homes_of(expand_study(read_document(DEMO), read_study()))
    assert homes["width_64"] == homes["steps_1200"] == "steps_1200"
    assert homes["points_5"] == "points_5"
    assert len(set(homes.values())) < len(homes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("axes: {}", "expected base"),
        ("axes: {a: {key: training.max_steps, unit: steps, values: [100]}}", "expected base"),
        ("axes: {a: {key: sampling.n_members, unit: members, values: [2, 4]}}", "must be the same"),
        ("axes: {a: {key: training.widths, unit: x, values: [2, 4]}}", "training.widths"),
    ],
)
def test_what_no_axis_can_be_is_refused(tmp_path, text, said):
    path = tmp_path / "scaling.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        expand_study(read_document(DEMO), read_study(path))


def test_the_command_line_refuses_with_a_sentence(tmp_path):
    given = ["--config", str(DEMO), "--results", str(tmp_path), "--page", str(tmp_path / "p.md")]
    for words, said in (
        (["--maps", str(tmp_path)], "run `make demo` first"),
        (["--table-only"], "expected a point that is finished"),
        (["--axis", "depth"], "no such axis: depth; there are steps, points, width"),
    ):
        with pytest.raises(SystemExit, match=f"(?i){said}"):
            main([*given, *words])
    assert list(tmp_path.iterdir()) == []
