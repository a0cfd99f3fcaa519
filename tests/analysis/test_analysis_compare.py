"""Models side by side: ratios of pairs, verdicts, and what is said beside them."""

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import trained
import xarray as xr
from scipy.stats import norm, t

from emulator.config import ensemble_file
from emulator.io import EmulatorError, read_dataset, read_json, write_dataset, write_json
from emulator.report.compare.bars import grouped_rows, to_csv
from emulator.report.compare.comparison import (
    compare,
    cost_table,
    differences_table,
    headline,
    stars,
    verdicts,
)
from emulator.report.compare.responses import slope_tables
from emulator.report.compare.scores import BETTER, TOGETHER, WORSE, percent, ratio_table
from emulator.report.compare.settings import differing
from emulator.report.compare.terminal import to_text


def single(ratios):
    """Without the geometric means."""
    return ratios.isel(place=slice(-1), channel=slice(-1))


def test_a_model_against_itself_is_equal_without_error(folders):
    itself = compare([folders["wrong"], folders["wrong"]])
    assert [model.label for model in itself.models] == ["wrong", "wrong (2)"]
    (found,) = itself.ratios
    assert (found.ratios.values == 1.0).all()
    assert (found.count(BETTER), found.count(WORSE)) == (0, 0)
    assert verdicts(itself)[0].short == "wrong (2) against wrong: CRPS equal."
    assert not any(c.best for rows in itself.bars.values() for row in rows for c in row.cells)
    assert any("same weights" in note for note in itself.notes)
    assert differences_table(itself) is None


def test_the_ratio_and_its_error_are_those_of_brute_force(comparison, folders):
    first, second = (read_dataset(folders[name] / "metrics.nc") for name in ("right", "wrong"))
    assert len(set(first["run"].values)) == first.sizes["simulation"] == 4

    def ratio(kept, variable, place):
        means = [
            each[variable].sel(forecast="model", channel="gas", **place).values[kept].mean()
            for each in (second, first)
        ]
        return means[0] / means[1]

    (found,) = comparison.ratios
    for label, variable, place in (
        ("pixel", "score", {"scale": 1}),
        ("4 x 4", "score", {"scale": 4}),
        ("window", "score", {"scale": 16}),
        ("P(k)", "score_power", {}),
    ):
        every = list(range(4))
        value = ratio(every, variable, place)
        without = [ratio([j for j in every if j != i], variable, place) for i in every]
        half = np.sqrt(3 / 4 * np.sum((without - np.mean(without)) ** 2)) * t.ppf(norm.cdf(1.0), 3)
        values = found.ratios.sel(place=label, channel="gas").values
        assert values == pytest.approx([value, value - half, value + half], rel=1e-9)


def test_geometric_means_stand_beside_single_ratios(comparison):
    (found,) = comparison.ratios
    values = single(found.ratios).sel(estimate="value")
    expected = np.exp(np.log(values).mean())
    assert float(found.overall.sel(estimate="value")) == pytest.approx(float(expected))
    of_gas = found.ratios.sel(place=TOGETHER, channel="gas", estimate="value")
    assert float(of_gas) == pytest.approx(np.exp(np.log(values.sel(channel="gas")).mean()))
    assert found.n_single == values.size


def test_too_much_scatter_is_found_worse(comparison):
    (found,) = comparison.ratios
    pixels = found.ratios.sel(place="pixel", estimate="low")
    assert (pixels > 1.0).all()
    assert found.count(WORSE) > found.n_single / 2
    rows = {row[0]: row for row in ratio_table(found, "right", comparison.labels).rows}
    assert all(cell.endswith(" worse") for cell in rows["pixel"][1:])
    (verdict,) = verdicts(comparison)
    assert "higher (" in verdict.short
    assert "no difference" not in verdict.short
    assert headline(comparison).rows[1][1].endswith("worse")


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        ((0.984, 0.975, 0.993), "1.6% lower (0.7% to 2.5%)"),
        ((1.04, 1.01, 1.07), "4.0% higher (1.0% to 7.0%)"),
        ((0.95, 0.89, 1.01), "5.0% lower (11.0% lower to 1.0% higher)"),
        ((0.95, np.nan, np.nan), "5.0% lower"),
        ((1.0, 1.0, 1.0), "equal"),
    ],
)
def test_the_interval_of_a_verdict_needs_no_sign(ratio, words):
    assert percent(np.array(ratio)) == words


def test_a_model_that_is_itself_shifted_is_found_by_the_shift(folders, tmp_path):
    def shifted(metrics):
        model = metrics["forecast"] == "model"
        for name in ("score", "score_power"):
            metrics[name] = xr.where(model, 0.9 * metrics[name], metrics[name], keep_attrs=True)
        return trained.summarised(metrics)

    better = trained.changed(tmp_path / "better", folders["right"], shifted)
    found = compare([folders["right"], better])
    (ratios,) = found.ratios
    assert ratios.ratios.values == pytest.approx(np.full(ratios.ratios.shape, 0.9), rel=1e-9)
    assert ratios.count(BETTER) == ratios.n_single
    assert verdicts(found)[0].short.startswith("better against right: CRPS 10.0% lower")


def test_the_order_of_simulations_and_channels_does_not_matter(folders, comparison, tmp_path):
    def mirrored(metrics):
        return metrics.isel(simulation=slice(None, None, -1), channel=slice(None, None, -1))

    other = trained.changed(tmp_path / "wrong", folders["wrong"], mirrored)
    (found,) = compare([folders["right"], other]).ratios
    expected = comparison.ratios[0].ratios
    assert found.ratios.values == pytest.approx(expected.values, rel=1e-12)
    assert found.ratios["channel"].values.tolist() == expected["channel"].values.tolist()


def test_bars_stand_side_by_side_in_groups(comparison, folders):
    rows = {row.name: row for group in comparison.bars.values() for row in group}
    tables = [read_json(folders[name] / "acceptance.json") for name in ("right", "wrong")]
    assert next(iter(comparison.bars)) == "Scores against baselines"
    assert list(comparison.bars)[-1] == "Response to parameters"
    for bar, other in zip(tables[0]["bars"], tables[1]["bars"], strict=True):
        assert [cell.verdict for cell in rows[bar["name"]].cells] == [
            bar["verdict"], other["verdict"],
        ]  # fmt: skip
    spread = rows["spread-skill, gas"]
    assert spread.threshold == "0.7 to 1.3"
    assert [cell.best for cell in spread.cells] == [True, False]
    assert spread.cells[0].text.startswith("✓ ")
    assert spread.cells[0].text.endswith(" ★")
    assert " to " in spread.cells[0].interval


def test_the_best_of_a_bar_is_on_its_good_side():
    def model(label, **values):
        kinds = {"gain": (">=", 0.0), "error": ("<=", 0.1), "ratio": ("in", [0.5, 1.5])}
        bars = [
            {"name": name, "field": "gas", "statistic": "gone", "value": value, "unit": "1",
             "verdict": "met", "comparison": kinds[name][0], "threshold": kinds[name][1]}
            for name, value in values.items()
        ]  # fmt: skip
        return SimpleNamespace(label=label, bars=bars)

    rows = grouped_rows(
        [
            model("a", gain=0.1, error=0.1, ratio=0.8),
            model("b", gain=0.2, error=0.05, ratio=1.1),
            model("c", gain=None, error=0.05, ratio=1.3),
            model("d", gain=0.2),
        ]
    )
    best = {row.name: [cell.best for cell in row.cells] for row in rows["Others"]}
    assert best["gain"] == [False, True, False, True]
    assert best["error"] == [False, True, True, False]
    assert best["ratio"] == [False, True, False, False]
    cells = {row.name: row.cells for row in rows["Others"]}
    assert cells["gain"][2].text == "✓ undefined"
    assert cells["error"][3].text == "–"


def test_the_csv_has_every_bar_of_every_model(comparison, folders):
    rows = list(csv.DictReader(to_csv(comparison.models).splitlines()))
    table = read_json(folders["wrong"] / "acceptance.json")["bars"]
    of_wrong = [row for row in rows if row["model"] == "wrong"]
    assert len(rows) == 2 * len(of_wrong) == 2 * len(table)
    for row, bar in zip(of_wrong, table, strict=True):
        assert (row["bar"], row["verdict"]) == (bar["name"], bar["verdict"])
        assert float(row["value"]) == bar["value"]
        assert float(row["low"] or "nan") == pytest.approx(bar.get("low", np.nan), nan_ok=True)
        ends = [float(row[f"threshold_{end}"] or "nan") for end in ("low", "high")]
        threshold = bar["threshold"]
        expected = {
            ">=": [threshold, np.nan],
            "<=": [np.nan, threshold],
            "in": threshold,
        }[bar["comparison"]]
        assert ends == pytest.approx(expected, nan_ok=True)


def test_slopes_of_responses_stand_side_by_side(comparison, folders):
    tables = {
        table.header[0]: table for table in slope_tables(comparison.slopes, comparison.labels)
    }
    rows = {row[0]: row[1:] for row in tables["stars"].rows}
    slopes = [
        read_dataset(folders[name] / "metrics.nc")["response_slope"].sel(
            field="stars", parameter="A_SN1", estimate="value"
        )
        for name in ("right", "wrong")
    ]
    assert [cell.split(" ")[0] for cell in rows["A_SN1"]] == [f"{float(s):.2f}" for s in slopes]
    assert abs(float(slopes[0]) - 1.0) < 0.1
    assert abs(float(slopes[1]) - 0.5) < 0.1


def test_what_differs_of_the_configs_and_what_models_cost(folders, tmp_path):
    metrics = read_dataset(folders["right"] / "metrics.nc")
    card = {
        "training": {"batch_size": 8, "objective": "one_step"},
        "network": {"kind": "dit", "widths": [64, 128]},
    }
    other = trained.write_results(tmp_path / "other", metrics, card=card, seeds=(0, 1))
    drawn = xr.Dataset(
        attrs={
            "n_steps": 20,
            "sampling": '{"solver": {"name": "heun"}}',
            "provenance": json.dumps({"weights": [digit * 64 for digit in "01"]}),
        }
    )
    unused = other / "model/seed_7"  # of an earlier config: it drew nothing
    shutil.copytree(other / "model/seed_1", unused)
    write_json(unused / "model.json", trained.card_of(7, **card))
    write_dataset(drawn, ensemble_file(other, "test", "CV_0"))
    benchmark = other / "benchmarks/sample/CV_0.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\n7.6\t100\n")
    found = compare([folders["right"], other])
    differences = {row[0]: row[1:] for row in differences_table(found).rows}
    assert differences == {
        "model.network.kind": ["unet", "dit"],
        "training.batch_size": ["32", "8"],
        "training.objective": ["–", "one_step"],
        "training.seeds": ["0", "0, 1"],
    }
    cost = {row[0]: row[1:] for row in cost_table(found).rows}
    assert cost["steps of training"] == ["100", "100"]
    assert cost["time of training, all seeds"] == ["40.2 s", "80.5 s"]
    assert cost["weights of the network"] == ["17", "17"]
    assert cost["network evaluations a member"] == ["–", "20"]
    # 4 simulations of 3 windows of 6 members, and 5 of the response set of 8 windows of 2
    assert cost["time a member [ms]"] == ["–", f"{7600 / (72 + 80):.3g}"]


def test_sections_that_one_does_not_record_are_no_difference():
    settings = [
        {"training.steps": 1, "training.rate": 1e9, "sampling.n_steps": 20, "training.only": None},
        {"training.steps": 1.5, "training.rate": 0.123456789, "one_step.members": 2},
    ]
    assert differing(settings) == {
        "training.steps": ["1", "1.5"],
        "training.rate": ["1e+09", "0.123456789"],  # no digit is lost
        "training.only": ["null", "–"],
    }


def test_another_seed_of_the_same_experiment_shows_the_scatter(folders, comparison, tmp_path):
    assert comparison.seeds is None
    metrics = [read_dataset(folders[name] / "metrics.nc") for name in ("right", "wrong")]
    repeated = [
        trained.write_results(tmp_path / f"seed_{seed}", each, seeds=(seed,))
        for seed, each in enumerate(metrics)
    ]
    other = {"training": {"batch_size": 8}}
    third = trained.write_results(tmp_path / "third", metrics[0], card=other)
    found = compare([repeated[0], third, repeated[1]])
    assert [row[0] for row in found.seeds.rows] == ["seed_0, seed_1"] * len(found.seeds.rows)
    rows = {row[1]: row[2:] for row in found.seeds.rows}
    scores = [each["score"].sel(forecast="model", scale=1, channel="gas") for each in metrics]
    means = [float(each.mean()) for each in scores]
    assert rows["pixel"][1].startswith(f"{np.std(means, ddof=1) / np.mean(means):.1%} (")
    assert set(rows) == {"pixel", "2 x 2", "4 x 4", "8 x 8", "window", "P(k)"}


def test_seeds_of_one_experiment_show_the_scatter_of_pixels(folders, tmp_path):
    metrics = read_dataset(folders["right"] / "metrics.nc")
    score = metrics["score"].sel(forecast="model", scale=1).reset_coords(drop=True)
    factors = xr.DataArray([0.9, 1.1], dims="model_seed", coords={"model_seed": [0, 1]})
    several = metrics.assign(score_by_model=(score * factors).assign_attrs(score.attrs))
    mixture = trained.write_results(tmp_path / "mixture", several, seeds=(0, 1))
    found = compare([folders["right"], mixture]).seeds
    (row,) = found.rows
    assert row[:2] == ["mixture, 2 seeds", "pixel"]
    assert {cell.split(" ")[0] for cell in row[2:]} == {f"{0.2 / 2**0.5:.1%}"}


def test_the_terminal_shows_all_of_it(comparison):
    text = to_text(comparison)
    for part in (verdicts(comparison)[0].short[:40], "4 simulations of 4 runs.",
                 "trained from one seed", "Response to parameters", "spread-skill, gas",
                 "CRPS of wrong over that of right", "time of training",
                 "not recorded"):  # fmt: skip
        assert part in text
    lines = text.splitlines()
    (spread,) = (line for line in lines if "spread-skill, gas" in line)
    (header,) = (line for line in lines if line.startswith("bar "))
    assert spread.index("✓") == header.index("right")
    assert not any(line != line.rstrip() for line in lines)


def test_labels_tell_folders_of_one_name_apart(folders, tmp_path):
    metrics = read_dataset(folders["right"] / "metrics.nc")
    places = [tmp_path / name / "demo" for name in ("one", "two")]
    found = compare([trained.write_results(place, metrics) for place in places])
    assert [model.label for model in found.models] == ["one/demo", "two/demo"]


def test_one_folder_is_no_comparison(folders):
    with pytest.raises(EmulatorError, match="two folders of results or more, got 1"):
        compare([folders["right"]])


def test_other_baselines_and_members_are_said(folders, tmp_path):
    def other(metrics):
        table = metrics["forecast"] == "quantile_table"
        metrics["score"] = xr.where(table, 1.1 * metrics["score"], metrics["score"])
        return trained.summarised(metrics)

    changed = trained.changed(tmp_path / "other", folders["right"], other)
    found = compare([folders["right"], changed])
    (note,) = (n for n in found.notes if "Baselines" in n)
    assert "against its own" in note
    assert "baselines that are not the same: their stars say little" in stars(found)
    assert "baselines" not in stars(compare([folders["right"], folders["wrong"]]))
