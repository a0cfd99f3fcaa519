"""An earlier run beside this one: on its page, and refused where the two do not compare."""

import json
import re

import pytest

from emulator.cli import main
from emulator.config import ConfigError, parse_config, previous_files
from emulator.data.splits import require_same_test
from emulator.io import write_json
from emulator.report.compare.seeds import UNSEEN
from emulator.report.page import Table
from emulator.report.render import write_page
from emulator.report.sections.previous import previous_section

SPLITS = {"train": ["SB_1"], "validation": ["SB_2"], "test": ["CV_0", "SB_3"]}


def test_the_section_says_who_is_better_and_which_verdicts_changed(comparison, tmp_path):
    section = previous_section(comparison)
    assert section.anchor == "previous"
    ((label, said),) = section.said
    assert label == "wrong"
    assert said.startswith("wrong against right: CRPS ")
    assert "higher" in said
    assert "meets" in said
    assert section.intro.startswith("This run is wrong; the reference is right (")
    assert UNSEEN in section.missing
    changed = next(table for table in section.tables if table.header[:2] == ["bar", "asked"])
    bars = {
        model.label: {bar["name"]: bar["verdict"] for bar in model.bars}
        for model in comparison.models
    }
    differ = {name for name in bars["right"] if bars["right"][name] != bars["wrong"][name]}
    assert {row[0] for row in changed.rows} == differ
    assert differ
    total = len(bars["right"])
    assert f"{total - len(differ)} of {total} bars have the same verdict" in changed.caption


def test_a_run_beside_itself_changes_no_verdict(folders):
    from emulator.report.compare.comparison import compare

    section = previous_section(compare([folders["right"], folders["right"]]))
    (changed,) = (table for table in section.tables if table.header[:2] == ["bar", "asked"])
    assert changed.rows == []
    assert any("same weights" in note for note in section.missing)


def test_its_own_folder_and_a_folder_twice_are_refused_with_the_config():
    for folders, said in (
        (["results/a"], "where this run writes its own results"),
        (["results/b", "results/b"], "must not repeat"),
    ):
        with pytest.raises(ConfigError, match=said):
            parse_config({"name": "a", "report": {"previous": folders}})


def test_what_was_never_judged_or_held_out_others_is_refused_before_any_job(tmp_path):
    (tmp_path / "old").mkdir()
    config = parse_config({"name": "a", "report": {"previous": [str(tmp_path / "old")]}})
    with pytest.raises(ConfigError, match=r"old: expected results .*, got no metrics\.nc"):
        previous_files(config.report)
    for name in ("metrics.nc", "acceptance.json"):
        (tmp_path / "old" / name).touch()
    assert len(previous_files(config.report)) == 2
    require_same_test(SPLITS, config.report.previous)  # without splits.json nothing is known yet
    write_json(tmp_path / "old/splits.json", SPLITS)
    require_same_test(SPLITS, config.report.previous)
    other = SPLITS | {"test": ["CV_0", "SB_9"]}
    with pytest.raises(ConfigError, match=r"without SB_9; beside them SB_3"):
        require_same_test(other, config.report.previous)


def test_a_previous_run_of_other_truths_ends_the_report(
    results, folders, tmp_path, monkeypatch, capsys
):
    folder, maps_dir = results
    (tmp_path / "a.yaml").write_text(json.dumps({"name": "a", "suite": {"kind": "embedded"}}))
    arguments = ["report", tmp_path / "a.yaml", "--results", folder, "--maps", maps_dir,
                 "--previous", folders["right"], "--output", tmp_path / "x.html"]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["emulator", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    said = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "metrics.nc" in said
    assert "expected" in said
    assert not (tmp_path / "x.html").exists()


def test_the_section_is_a_part_of_a_page(comparison, tmp_path):
    section = previous_section(comparison)
    keys = Table(["key", "a"], [["training.steps", "1"]], "Keys.", of_runs=False)
    section.tables.append(keys)
    write_page(
        "report.html.j2", tmp_path / "page.html", sections=[section],
        title="t", lead=[], notice="", facts=[], verdict="v", verdict_note="", groups=[], bars=[],
        findings=[],
    )  # fmt: skip
    page = (tmp_path / "page.html").read_text()
    assert '<section id="previous">' in page
    captions = re.findall("<caption>.*?</caption>", page)
    of_runs = ["4 simulations of 4 runs." in each for each in captions]
    assert of_runs == [table.of_runs for table in section.tables]
    assert page.count("<figure ") == 1
