"""The command: what it refuses in one message, and the page that it writes."""

import csv
import json
import re

import numpy as np
import pytest
import trained
import xarray as xr
from pages import Page, require_self_contained

from emulator.cli import main
from emulator.config import ensemble_file
from emulator.io import read_dataset, read_json, write_dataset, write_json
from emulator.report.compare.comparison import verdicts
from emulator.report.compare.page import write_comparison
from emulator.report.compare.seeds import UNSEEN
from emulator.report.figures.ratios import plot_ratios
from emulator.report.figures.slopes import LEAST, MOST, plot_slopes


def called(monkeypatch, capsys, *arguments):
    """Exit code, standard output and error of the command."""
    monkeypatch.setattr("sys.argv", ["emulator", "compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


def scaled(name, factor=1.01, **place):
    def change(metrics):
        metrics[name] = metrics[name].copy()
        metrics[name].loc[place] *= factor
        return metrics

    return change


def attribute(name, value):
    return lambda metrics: metrics.assign_attrs({name: value})


def config(change):
    def changed(metrics):
        inner = json.loads(metrics.attrs["config"])
        change(inner)
        return metrics.assign_attrs(config=json.dumps(inner))

    return changed


def field_of_other_particles(metrics):
    rows = json.loads(metrics.attrs["fields"])
    rows["gas"]["particles"] = ["gas", "black_holes"]
    return metrics.assign_attrs(fields=json.dumps(rows))


REFUSED = {
    "a simulation less": (
        lambda m: m.sel(simulation=["CV_0", "CV_1", "CV_2"]),
        ("metrics.nc:simulation", "the same held-out simulations", "got no CV_3"),
    ),
    "another simulation": (
        lambda m: m.assign_coords(simulation=["CV_0", "CV_1", "CV_2", "CV_9"]),
        ("metrics.nc:simulation", "got no CV_3 but also CV_9"),
    ),
    "other runs": (
        lambda m: m.assign_coords(run=("simulation", ["CV0", "CV1", "CV2", "CV2"])),
        ("metrics.nc:run", "others of CV_3", "suite.phases"),
    ),
    "no response set": (
        lambda m: m.drop_dims(["response", "parameter"]),
        ("metrics.nc:response", "simulations of a response set", "got no 1P_p1_0, 1P_p1_1"),
    ),
    "a field less": (
        lambda m: m.sel(channel=["dm_hydro", "gas"]),
        ("metrics.nc:channel", "got no stars"),
    ),
    "a field of other particles": (
        field_of_other_particles,
        ("metrics.nc:fields", "others of gas"),
    ),
    "fewer windows": (
        lambda m: m.isel(sample=[0, 1]),
        ("metrics.nc:windows", "windows a simulation 3", "got 2"),
    ),
    "another pixel": (
        attribute("pixel_mpch", 0.4),
        ("metrics.nc:windows", "pixel_mpch 0.2", "got 0.4"),
    ),
    "another depth": (attribute("depth_mpch", 1.0), ("depth_mpch 12.8", "got 1.0")),
    "another bar": (
        config(lambda c: c["bars"].update(crps_gain=0.5)),
        ("metrics.nc:config", "the same bars", "bars.crps_gain 0.02", "got 0.5"),
    ),
    "another range of k": (config(lambda c: c.update(k_min_hmpc=1.0)), ("k_min_hmpc 2.0", "got 1")),
    "windows elsewhere": (
        scaled("power_dmo", simulation="CV_1"),
        ("metrics.nc:power_dmo", "the same windows", "others of CV_1"),
    ),
    "another truth": (
        scaled("power_truth", simulation="CV_2"),
        ("metrics.nc:power_truth", "the same truths", "others of CV_2", "Draw from the same maps"),
    ),
    "another truth of one mass": (
        scaled("mass_truth", 1 + 1e-5, simulation="CV_2"),
        ("metrics.nc:mass_truth", "others of CV_2"),
    ),
    "other re-draws": (
        scaled("score_oracle", simulation="CV_0"),
        ("metrics.nc:score_oracle", "the same re-drawn truths", "others of CV_0"),
    ),
    "no re-draws": (
        scaled("score_oracle", np.nan),
        ("metrics.nc:score_oracle", "others of CV_0, CV_1, CV_2, CV_3"),
    ),
    "another response set": (
        scaled("response_moments_truth", response="1P_p2_1"),
        ("metrics.nc:response_moments_truth", "others of 1P_p2_1"),
    ),
    "no scores": (lambda m: m.drop_vars("score"), ("metrics.nc:score", "`validate`")),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_compared_is_one_message(fault, folders, tmp_path, monkeypatch, capsys):
    change, parts = REFUSED[fault]
    write_dataset(change(read_dataset(folders["wrong"] / "metrics.nc")), tmp_path / "metrics.nc")
    code, out, err = called(monkeypatch, capsys, folders["right"], tmp_path)
    assert (code, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    for part in ("error: ", str(tmp_path), "expected", *parts):
        assert part in err
    if fault != "no scores":
        assert str(folders["right"]) in err


def test_rounding_of_another_machine_is_no_difference(folders, tmp_path, monkeypatch, capsys):
    rounded = scaled("power_truth", 1 + 1e-9, simulation="CV_2")
    other = trained.changed(tmp_path / "rounded", folders["wrong"], rounded)
    assert called(monkeypatch, capsys, folders["right"], other)[0] == 0


def test_files_that_are_missing_are_named(folders, tmp_path, monkeypatch, capsys):
    code, _, err = called(monkeypatch, capsys, folders["right"], tmp_path / "nothing")
    assert code == 1
    assert "nothing/metrics.nc: expected" in err
    other = trained.changed(tmp_path / "other", folders["wrong"], lambda metrics: metrics)
    (other / "model/seed_0/model.json").rename(tmp_path / "away")
    code, _, err = called(monkeypatch, capsys, folders["right"], other)
    assert code == 1
    assert "other/model: expected a bundle" in err
    write_json(other / "acceptance.json", {"met": 1})
    (tmp_path / "away").rename(other / "model/seed_0/model.json")
    code, _, err = called(monkeypatch, capsys, folders["right"], other)
    assert code == 1
    assert "acceptance.json: expected a table of bars, got none" in err


def test_a_model_that_was_trained_since_is_refused(folders, tmp_path, monkeypatch, capsys):
    other = trained.changed(tmp_path / "other", folders["wrong"], lambda metrics: metrics)
    drawn = ensemble_file(other, "test", "CV_0")
    write_dataset(xr.Dataset(attrs={"provenance": '{"weights": ["feed"]}'}), drawn)
    code, _, err = called(monkeypatch, capsys, folders["right"], other)
    assert code == 1
    assert f"{other}/model: expected the models that drew the ensembles" in err
    (other / "model/seed_0/model.json").write_text('{"name": "x"}')
    code, _, err = called(monkeypatch, capsys, folders["right"], other)
    assert code == 1
    assert "model.json: expected a model card with grid, network" in err


def test_one_folder_is_refused(folders, monkeypatch, capsys):
    code, _, err = called(monkeypatch, capsys, folders["right"])
    assert code == 1
    assert "two folders of results or more, got 1" in err


def test_the_command_prints_and_writes(folders, comparison, tmp_path, monkeypatch, capsys):
    page, table = tmp_path / "compare.html", tmp_path / "compare.csv"
    code, out, err = called(
        monkeypatch, capsys, folders["right"], folders["wrong"], "--output", page, "--csv", table
    )
    assert (code, err) == (0, "")
    assert out.startswith("wrong against right: CRPS ")
    assert str(page) in out
    assert str(table) in out
    assert Page(page.read_text()).text
    bars = read_json(folders["right"] / "acceptance.json")["bars"]
    assert len(list(csv.reader(table.open()))) == 1 + 2 * len(bars)


@pytest.fixture(scope="module")
def html(comparison, tmp_path_factory):
    output = tmp_path_factory.mktemp("page") / "compare.html"
    write_comparison(comparison, output)
    return output.read_text(encoding="utf-8")


def test_the_page_needs_no_network_and_is_small(html):
    page = require_self_contained(html)
    (contents,) = re.findall("<nav.*?</nav>", html, re.DOTALL)
    linked = re.findall('href="#(.*?)"', contents)
    assert linked == [section["id"] for section in page.all("section")]
    assert len(html) < 1e6


def test_what_limits_the_verdict_stands_beside_it(html, comparison):
    assert comparison.seeds is None
    assert html.count(UNSEEN) == 1
    assert html.index('id="verdict"') < html.index(UNSEEN) < html.index('id="scores"')
    assert 'id="seeds"' not in html


def test_every_picture_has_an_alternative_text_and_a_caption(html):
    page = Page(html)
    pictures = page.all("img")
    assert len(pictures) == len(page.all("figcaption")) == 2
    assert all(len(image["alt"]) > 40 for image in pictures)


def test_the_page_says_who_is_better_first_and_all_bars(html, comparison, folders):
    page = Page(html)
    (verdict,) = verdicts(comparison)
    assert verdict.short in page.text
    assert html.index(verdict.short) < html.index("<figure ")
    cells = [cell for cell in page.all("td") if cell.get("data-name") in ("right", "wrong")]
    bars = [read_json(folders[name] / "acceptance.json")["bars"] for name in ("right", "wrong")]
    judged = [bar["verdict"] for pair in zip(*bars, strict=True) for bar in pair]
    by_name = {row.name: row for rows in comparison.bars.values() for row in rows}
    assert len(cells) == len(judged) == 2 * len(by_name)
    for kind in ("met", "missed"):
        assert sum(kind in cell["class"].split() for cell in cells) == judged.count(kind)
    assert all(name in page.text for name in by_name)
    assert "fabricated fields for tests" in page.text
    assert page.text.count("4 simulations of 4 runs.") >= 4


def test_the_figure_of_ratios_draws_the_numbers(comparison):
    (found,) = comparison.ratios
    figure = plot_ratios([(found.label, found.ratios)], comparison.labels)
    panels = {ax.get_title(): ax for ax in figure.axes}
    assert list(panels) == ["dark matter", "gas", "stars", "all fields"]
    drawn = panels["gas"].containers[0].lines[0].get_ydata()
    assert drawn == pytest.approx(found.ratios.sel(channel="gas", estimate="value").values)
    assert panels["gas"].get_ylabel() == "CRPS / CRPS of reference"


def test_the_figure_of_slopes_shows_what_lies_beyond_its_axis(comparison):
    slopes = comparison.slopes.copy()
    slopes.loc[{"model": "wrong", "field": "stars", "parameter": "A_SN1"}] = [9.0, 8.0, 10.0]
    figure = plot_slopes(slopes, comparison.labels)
    (panel,) = (ax for ax in figure.axes if ax.get_title() == "stars")
    right, wrong = (each.lines[0].get_xdata() for each in panel.containers)
    row = slopes["parameter"].values.tolist().index("A_SN1")
    assert wrong[row] == MOST
    assert LEAST < right[row] < MOST
    assert right[row] == float(slopes.sel(field="stars", parameter="A_SN1")[0, 0])
    assert len(panel.texts) == 1  # its arrow
