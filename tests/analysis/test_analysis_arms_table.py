"""Tables of the arms, from results that are fabricated but judged by the real judge."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import trained

from analysis.benchmarks.arms.__main__ import main
from analysis.benchmarks.arms.expand import read_arms
from analysis.benchmarks.arms.table import cell, measurements
from emulator.io import DataError, read_dataset, read_json

DEMO = Path(__file__).parents[2] / "configs/demo.yaml"
WHYS = {"default": "As it is.", "muon": "Orthogonal.", "filled": "Noise."}


@pytest.fixture(scope="module")
def tables(folders):
    runs = {"default": {0: folders["right"], 4: folders["wrong"]}, "muon": {0: folders["wrong"]}}
    return {each.title: each for each in measurements(runs, WHYS, "Costs nothing.")}


def column(table, name):
    """Cells of a column by arm."""
    place = table.header.index(name)
    return {row[0]: row[place] for row in table.rows}


def judged(folder, name):
    (bar,) = (b for b in read_json(folder / "acceptance.json")["bars"] if b["name"] == name)
    return bar["value"]


@pytest.mark.parametrize(
    ("title", "heading", "bar", "unit", "form"),
    [
        ("Gain of CRPS", "pixel, gas", "CRPS gain, gas", 100, ".1f"),
        ("Gain of CRPS", "square, stars", "CRPS gain of squares, stars", 100, ".1f"),
        ("Gain of CRPS", "window, gas", "CRPS gain of windows, gas", 100, ".1f"),
        ("Gain of CRPS", "power, stars", "CRPS gain of power, stars", 100, ".1f"),
        ("Calibration, mass and responses", "spread, gas", "spread-skill, gas", 1, ".2f"),
        ("Calibration, mass and responses", "mass, stars", "total mass, stars", 1, ".2f"),
        ("Calibration, mass and responses", "response, gas", "size of responses, gas", 1, ".2f"),
    ],
)
def test_cells_are_what_the_judge_said_over_seeds(tables, folders, title, heading, bar, unit, form):
    right, wrong = (unit * judged(folders[name], bar) for name in ("right", "wrong"))
    assert right != wrong
    found = column(tables[title], heading)
    sign = "+" if unit == 100 else ""
    mean, half = format((right + wrong) / 2, sign + form), format(abs(right - wrong) / 2, form)
    assert found["default"] == f"{mean} ± {half}"
    assert found["muon"] == format(wrong, sign + form)
    figures = tables[title].figures["default"]
    assert [figures["0"][heading], figures["4"][heading]] == pytest.approx([right, wrong])


def test_bars_met_are_counted_and_cost_is_that_of_history_and_stage(tables, folders):
    table = tables["Verdict and cost"]
    met, n_bars = [], 0
    for name in ("right", "wrong"):
        verdicts = [bar["verdict"] for bar in read_json(folders[name] / "acceptance.json")["bars"]]
        met, n_bars = [*met, verdicts.count("met")], len(verdicts)
    assert met[0] > met[1]
    found = column(table, f"bars met, of {n_bars}")
    assert found["muon"] == str(met[1])
    assert found["default"] == f"{sum(met) / 2:.3g} ± {(met[0] - met[1]) / 2:.3g}"
    assert column(table, "training [s]") == {"default": "40.2", "muon": "40.2"}
    assert set(column(table, "time a member [ms]").values()) == {"–"}  # no stage was timed
    assert column(table, "seeds") == {"default": "2", "muon": "1"}
    assert "Costs nothing." in table.note
    assert "Not run: filled." in table.note


def test_the_last_row_is_what_the_redrawn_truth_gains(tables, folders):
    metrics = read_dataset(folders["right"] / "metrics.nc")
    assert len(set(metrics["run"].values)) == metrics.sizes["simulation"]
    scores = metrics["score"].mean("simulation").sel(channel="gas", scale=1)
    allowed = scores["probabilistic"] & (scores["forecast"] != "model")
    best = float(scores.where(allowed).min())
    reachable = float(metrics["score_oracle"].mean("simulation").sel(channel="gas", scale=1))
    name, *_ = tables["Gain of CRPS"].rows[-1]
    assert name == "re-drawn truth (oracle)"
    found = column(tables["Gain of CRPS"], "pixel, gas")[name]
    assert found == f"{100 * (1 - reachable / best):+.1f}"


def test_gains_over_other_baselines_are_no_table(tmp_path, folders):
    def change(metrics):
        score = metrics["score"].copy()
        score.loc[{"forecast": "climatology"}] *= 1.01
        return metrics.assign(score=score)

    other = trained.changed(tmp_path / "other", folders["wrong"], change)
    runs = {"default": {0: folders["right"]}, "muon": {0: other}}
    with pytest.raises(DataError, match=r"other/metrics\.nc:score: expected baselines as"):
        measurements(runs, WHYS, "")


def test_a_cell_says_only_what_is_known():
    assert cell([1.0, 4.0, 2.0], "+.1f") == "+2.3 ± 1.5"
    assert cell([3.0], "+.1f") == "+3.0"
    assert cell([20.0, 20.0], ".3g") == "20"
    assert cell([1.0, np.nan], ".1f") == "–"


def test_the_page_is_written_of_what_is_finished(tmp_path, folders, capsys):
    results = tmp_path / "results"
    for place in ("default/seed_0", "adamw/seed_0", "adamw/seed_1"):
        shutil.copytree(folders["right"], results / place)
    for place in ("default/seed_0", "adamw/seed_1"):
        (results / place / "benchmarks").mkdir()
        (results / place / "benchmarks/validate.tsv").write_text("s\n3.0\n")
    metrics = read_dataset(folders["right"] / "metrics.nc")
    sizes = metrics.sizes
    n_drawn = sizes["simulation"] * sizes["sample"] * sizes["member"]
    n_drawn += sizes["response"] * sizes["window"] * sizes["response_member"]
    timed = results / "adamw/seed_1/benchmarks/sample.tsv"
    timed.write_text(f"s\n{0.0125 * n_drawn}\n")

    page = tmp_path / "arms.md"
    main(["--config", str(DEMO), "--results", str(results), "--page", str(page), "--table-only"])
    assert capsys.readouterr().out == f"{page}\n"
    text = page.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| adamw | 1 |"))
    assert row.endswith("| 40.2 | – | 12.5 |")
    assert "2400 steps of 32 passes of the network, with 1 thread" in text
    sections = read_json(page.with_suffix(".json"), sealed=False)["arms"]
    assert [each["title"] for each in sections][:2] == ["Why", "Verdict and cost"]
    assert sections[0]["rows"] == [[name, arm.why] for name, arm in read_arms().items()]
    assert list(sections[1]["figures"]["adamw"]) == ["1"]
