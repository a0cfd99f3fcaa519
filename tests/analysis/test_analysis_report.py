"""The report: self-contained, honest about what is missing, and true to the files it reads."""

import base64
import csv
import hashlib
import io
import json
import math
import re
import shutil

import numpy as np
import pytest
from pages import Page, require_self_contained

from emulator.config import SamplingConfig, Setting
from emulator.domain import Domain
from emulator.io import DataError, read_dataset, read_json, write_dataset
from emulator.model.calibration import Calibration, Occupied, Spread
from emulator.model.found_solver import FoundSolver, Measured
from emulator.report.build import build_report
from emulator.report.figures.found_solver import plot_found_solver
from emulator.report.figures.noise_scale import plot_noise_scale
from emulator.report.figures.style import fields_of
from emulator.report.groups import group_bars
from emulator.report.inputs import read_benchmarks, read_history


@pytest.fixture(scope="module")
def html(results, tmp_path_factory):
    folder, maps_dir = results
    output = tmp_path_factory.mktemp("page") / "report.html"
    build_report(folder, output, maps_dir=maps_dir)
    return output.read_text(encoding="utf-8")


def test_page_needs_no_network_and_is_small(html):
    require_self_contained(html)
    assert len(html) < 6e6


def test_every_picture_has_an_alternative_text_and_a_caption(html):
    page = Page(html)
    pictures, figures = page.all("img"), re.findall("<figure .*?</figure>", html, re.DOTALL)
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(figures) >= 13
    assert all("<img" in figure for figure in figures)
    assert all(len(image["alt"]) > 20 for image in pictures)


def test_verdicts_come_first_and_are_those_of_the_file(html, results):
    table = read_json(results[0] / "acceptance.json")
    text = Page(html).text
    missed = table["missed"]
    assert missed >= 3
    assert f"{table['met']} of {len(table['bars'])} bars are met; {missed} are missed" in text
    assert text.count("✗ missed") == missed
    assert text.count("✓ met") == table["met"]
    assert all(bar["text"] in text for bar in table["bars"])
    assert html.index('id="verdict"') < html.index("<figure ")
    assert "fabricated fields for tests" in text


def test_captions_quote_the_bars(html):
    text = Page(html).text
    assert "dark matter 10%, gas 25%, stars 50%, total matter 10%" in text
    assert "Bar: 1.9 to 2" in text


def test_every_caption_of_measured_numbers_says_of_how_many_runs(html):
    sections = {part.split('"')[0]: part for part in html.split('<section id="')[1:]}
    for name in ("spectra", "calibration", "masses", "crps"):
        captions = re.findall(
            r"<(?:fig)?caption>(.*?)</(?:fig)?caption>", sections[name], re.DOTALL
        )
        assert captions
        assert all(caption.endswith(" 3 simulations of 3 runs.") for caption in captions)
    assert " runs" not in sections["training"]


def test_a_number_by_field_and_class_is_a_table_of_both(html, results):
    (part,) = (part for part in html.split("<section ") if part.startswith('id="variance"'))
    table = part.split("<table")[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    ratio = read_dataset(results[0] / "metrics.nc")["variance_ratio"]
    assert cells[0] == ["field", *ratio["dmo_density"].values]
    assert [row[0] for row in cells[1:]] == ["dark matter", "gas", "stars"]
    for row, channel in zip(cells[1:], ratio["channel"].values, strict=True):
        values = ratio.sel(channel=channel, estimate="value").values
        assert [float(cell.split(" ")[0]) for cell in row[1:]] == pytest.approx(values, abs=0.005)
    assert "times that of the truth; the worst class" in table


def test_the_page_says_whose_it_is_and_from_what(html, results):
    page = Page(html)
    assert "Emulator report: results (suite " in page.text  # the folder's name, without a config
    for name in ("metrics.nc", "acceptance.json"):
        digest = hashlib.sha256((results[0] / name).read_bytes()).hexdigest()
        assert digest in page.text
        assert f"{name} {digest[:12]}" in page.text


def test_contents_come_first_and_lead_to_every_section(html):
    (contents,) = re.findall("<nav.*?</nav>", html, re.DOTALL)
    assert html.index(contents) < html.index('id="verdict"')
    sections = re.findall('<section id="(.*?)"', html)
    assert re.findall('href="#(.*?)"', contents) == sections
    assert re.findall("<span>(.*?)</span>", contents) == [
        str(place) for place in range(1, len(sections) - 1)
    ]


def test_figures_and_tables_count_from_one(html):
    for kind, element in (("Figure", "figure"), ("Table", "table")):
        numbers = [int(number) for number in re.findall(rf">{kind} (\d+)\.</a>", html)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(f'id="{element}-{number}"' in html for number in numbers)


def test_verdicts_by_group_count_every_bar_once(html, results):
    bars = read_json(results[0] / "acceptance.json")["bars"]
    groups = group_bars(bars, Domain())
    assert [group.name for group in groups] == ["Mass", "Power", "Calibration", "Images"]
    assert sorted(bar["name"] for group in groups for bar in group.bars) == sorted(
        bar["name"] for bar in bars
    )
    text = " ".join(Page(html).text.split())
    for group in groups:
        assert f"{group.name} {group.met} of {len(group.bars)} {group.asks}" in text
    strange = group_bars([{"statistic": "of another package", "verdict": "met"}], Domain())
    assert [(group.name, group.met) for group in strange] == [("Others", 1)]


def test_numbers_behind_the_figures_are_those_of_the_file(html, results):
    links = [link for link in Page(html).all("a") if link["href"].startswith("data:")]
    tables = [
        list(csv.DictReader(io.StringIO(base64.b64decode(link["href"].split(",")[1]).decode())))
        for link in links
    ]
    assert all(tables)
    assert len({link["download"] for link in links}) == len(links)
    # all figures but those of maps, whose pixels are too many
    assert len(links) == html.count("<figure ") - 5
    (power,) = (rows for rows in tables if rows[0]["variable"] == "power_ratio_summed")
    metrics = read_dataset(results[0] / "metrics.nc")
    for row in power:
        at = {"field": row["field"], "k": float(row["k"])}
        values = metrics[row["variable"]].sel(field=at["field"]).sel(k=at["k"], method="nearest")
        for estimate in ("value", "low", "high"):
            assert float(row[estimate]) == pytest.approx(
                float(values.sel(estimate=estimate)), rel=1e-5
            )


def test_missing_optional_inputs_are_said(html):
    text = Page(html).text
    for words in ("No benchmark tables", "No model/seed_*/history.csv",
                  "No model/seed_*/model.json", "One model was trained",
                  "splits.json was not found", "there is no oracle"):  # fmt: skip
        assert words in text


def test_optional_inputs_are_shown_when_they_exist(results, tmp_path):
    folder = tmp_path / "results"
    shutil.copytree(results[0], folder)
    bundle = folder / "model/seed_0"
    bundle.mkdir(parents=True)
    (bundle / "model.json").write_text(json.dumps({"channels": ["a <b>"]}))
    history = "step,train_loss,val_loss,val_bits_per_dimension\n50,1.0,,\n100,0.5,0.6,3.1\n"
    (bundle / "history.csv").write_text(history)
    benchmark = folder / "benchmarks" / "train" / "model.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\tmax_rss\n90.0\t0:01:30\t2048.0\n")
    build_report(folder, tmp_path / "a.html", maps_dir=tmp_path / "no_maps")
    html = (tmp_path / "a.html").read_text()
    text = Page(html).text
    assert "No benchmark tables" not in text
    assert "1.5 min in all" in text
    assert '"a <b>"' in text
    assert "maps file of BE" in text or "maps file of CV_0 was not found" in text


def write_solver(bundle, weights, *, within_budget):
    """What was found: 12 evaluations of unipc3, beside 8, which draw no field, and those of ab2."""
    errors = {("unipc3", 12): 0.0075, ("unipc3", 16): 0.002, ("ab2", 12): 0.5, ("ab2", 16): 0.25}
    rows = [
        Measured(
            setting=Setting(solver=solver, n_steps=steps), ms_per_member=2.5,
            spectrum_error={"gas": error, "stars": error / 3}, crps_change={"gas": -error / 5},
            spectrum_noise={"gas": error / 5},
        )
        for (solver, steps), error in errors.items()
    ]  # fmt: skip
    bad = Measured(setting=Setting(solver="unipc3", n_steps=8), ms_per_member=2.5, fault="no field")
    found = FoundSolver(
        weights_sha256=weights, sampling=SamplingConfig(**dict(rows[0].setting)),
        within_budget=within_budget, spectrum_budget=0.01, crps_budget=0.02, k_min_hmpc=1.0,
        k_max_hmpc=8.0, reference=Setting(solver="unipc3", n_steps=128), simulations=("SB_1",),
        windows=4, members=2, device="cpu, 2 threads", table=(bad, *rows),
    )  # fmt: skip
    found.write(bundle)
    return found


@pytest.mark.parametrize("within_budget", [True, False])
def test_the_solver_that_was_found_is_shown(results, tmp_path, within_budget):
    folder = shutil.copytree(results[0], tmp_path / "results")
    bundle = folder / "model/seed_0"
    bundle.mkdir(parents=True)
    (bundle / "model.json").write_text(json.dumps({"weights_sha256": "w"}))
    found = write_solver(bundle, "w", within_budget=within_budget)
    build_report(folder, tmp_path / "a.html", maps_dir=tmp_path / "no_maps")
    html = (tmp_path / "a.html").read_text()
    (part,) = (part for part in html.split("<section ") if part.startswith('id="solver"'))
    assert ("NO setting is within the budget" in part) is not within_budget
    rows = re.findall(r"<tr>(.*?)</tr>", part.split("<table")[1])
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    assert cells[0] == ["solver", "evaluations", "P, gas [%]", "P, stars [%]", "CRPS [%]",
                        "ms a member"]  # fmt: skip
    assert cells[1] == ["unipc3", "8", "–", "–", "–", "2.5"]
    assert cells[2] == ["→ unipc3", "12", "0.75 ± 0.15", "0.25", "0.15", "2.5"]
    assert part.count("→") == 2  # the row, and the caption that explains it
    left, right = plot_found_solver(found).axes
    drawn = {line.get_label(): line.get_ydata() for line in left.get_lines()}
    np.testing.assert_allclose(drawn["unipc3"], [np.nan, 0.75, 0.2])
    np.testing.assert_allclose(drawn["ab2"], [50.0, 25.0])
    assert drawn["found"] == pytest.approx([0.75])
    scores = {line.get_label(): line.get_ydata() for line in right.get_lines()}
    np.testing.assert_allclose(scores["ab2"], [10.0, 5.0])
    (bundle / "model.json").write_text(json.dumps({"weights_sha256": "others"}))
    with pytest.raises(DataError, match=r"solver\.json"):
        build_report(folder, tmp_path / "b.html", maps_dir=tmp_path / "no_maps")


def write_calibration(bundle, weights):
    """Gas of two factors, as a one-step ensemble may have them; stars that were empty before."""
    rows = [
        Spread(field=name, side=side, before=before, after=after)
        for name, before, after in (("gas", 0.75, 0.98), ("stars", None, 1.125))
        for side in (1, 2)
    ]
    found = Calibration(
        weights_sha256=weights, fields=("gas", "stars", "stars"),
        noise_scale=(1.25, 0.8, 0.8, 0.95, 1.0, 1.0), shift=(0.0, 0.125, 0.0),
        sampling=SamplingConfig(), spread=rows, simulations=("SB_1",), windows=4, members=2,
        occupied={"stars": Occupied(truth=0.0271, before=0.0313, after=0.0272)},
    )  # fmt: skip
    found.write(bundle)
    return found


def test_the_noise_that_was_calibrated_is_shown(results, tmp_path):
    folder = shutil.copytree(results[0], tmp_path / "results")
    bundle = folder / "model/seed_0"
    bundle.mkdir(parents=True)
    (bundle / "model.json").write_text(json.dumps({"weights_sha256": "w"}))
    found = write_calibration(bundle, "w")
    build_report(folder, tmp_path / "a.html", maps_dir=tmp_path / "no_maps")
    # the file is there, but the members were drawn without it
    assert 'id="noise-scale"' not in (tmp_path / "a.html").read_text()
    for path in (folder / "ensembles/test").glob("*.nc"):
        said = {"0": {"noise_scale": found.noise_scale, "shift": found.shift}}
        write_dataset(read_dataset(path).assign_attrs(calibration=json.dumps(said)), path)
    build_report(folder, tmp_path / "a.html", maps_dir=tmp_path / "no_maps")
    html = (tmp_path / "a.html").read_text()
    (part,) = (part for part in html.split("<section ") if part.startswith('id="noise-scale"'))
    rows = re.findall(r"<tr>(.*?)</tr>", part.split("<table")[1])
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    assert cells == [
        ["field", "noise times", "1 px", "2 px", "occupied [%]"],
        ["gas", "1.250, 0.950", "0.75 → 0.98", "0.75 → 0.98", ""],
        ["stars", "0.800, 1.000", "- → 1.12", "- → 1.12", "3.13 → 2.72; truth 2.71"],
    ]
    known = fields_of(read_dataset(folder / "metrics.nc"))
    (ax,) = plot_noise_scale(found, known).axes
    drawn = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_allclose(drawn["gas"].get_ydata(), [0.98, 0.98])
    np.testing.assert_allclose(drawn["stars"].get_ydata(), [1.125, 1.125])
    assert drawn["gas"].get_color() == known["gas"].color
    assert ax.get_xlabel() == "side of the square  [pixel]"
    (bundle / "model.json").write_text(json.dumps({"weights_sha256": "others"}))
    with pytest.raises(DataError, match=r"calibration\.json"):
        build_report(folder, tmp_path / "b.html", maps_dir=tmp_path / "no_maps")


def test_required_files_are_named_when_they_are_missing(results, tmp_path):
    folder = tmp_path / "results"
    shutil.copytree(results[0], folder)
    shutil.rmtree(folder / "ensembles")
    with pytest.raises(DataError, match="ensembles"):
        build_report(folder, tmp_path / "report.html", maps_dir=results[1])
    (folder / "metrics.nc").unlink()
    with pytest.raises(DataError, match=r"metrics\.nc"):
        build_report(folder, tmp_path / "report.html", maps_dir=results[1])


def test_metrics_of_a_version_with_other_bars_are_refused(results, tmp_path):
    folder, maps_dir = results
    shutil.copytree(folder, tmp_path / "old")
    metrics = read_dataset(folder / "metrics.nc")
    config = json.loads(metrics.attrs["config"])
    config["power_tolerance"] = config.pop("bars")["power"]
    metrics.attrs["config"] = json.dumps(config)
    write_dataset(metrics, tmp_path / "old" / "metrics.nc")
    with pytest.raises(DataError, match=r"`validation\.bars\.power`.*.*run the stage `validate`"):
        build_report(tmp_path / "old", tmp_path / "old.html", maps_dir=maps_dir)


def test_benchmarks_are_summed_by_rule(tmp_path):
    rows = {"sample/a.tsv": ("2.0", "100.0"), "sample/b.tsv": ("3.5", "-"), "fit.tsv": ("9", "NA")}
    for name, (seconds, memory) in rows.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t{memory}\n")
    assert read_benchmarks(tmp_path) == [
        {"rule": "fit", "jobs": 1, "seconds": 9.0, "max_rss_mb": None},
        {"rule": "sample", "jobs": 2, "seconds": 5.5, "max_rss_mb": 100.0},
    ]
    assert read_benchmarks(tmp_path / "none") == []


def test_blank_cells_of_the_history_are_not_zero(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("step,val_loss\n1,\n2,0.5\n")
    history = read_history(path)
    assert math.isnan(history["val_loss"][0])
    assert history["val_loss"][1] == 0.5
    assert read_history(tmp_path / "none.csv") is None
