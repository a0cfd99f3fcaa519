"""Whole boxes and audits on the page: numbers of the file, honest about what is missing."""

import base64
import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
import xarray as xr
from pages import Page, require_self_contained
from untrained import build_emulator

from emulator.config import AuditsConfig, SamplingConfig
from emulator.io import read_dataset, write_dataset
from emulator.report.build import build_report
from emulator.report.sections.audits import audits_section
from emulator.report.sections.box_tables import box_tables, over_boxes
from emulator.validation.audits.stage import audit

SPLITS = {"train": ["SB_0", "SB_1", "SB_2", "SB_3"], "test": ["CV_0", "CV_1", "CV_2", "SB_4"]}


@pytest.fixture(scope="module")
def audits(results):
    """Of a network that was never trained, on fabricated maps."""
    maps_dir = results[1]
    config = AuditsConfig(boxes=2, windows=16)
    sampling = SamplingConfig(n_members=2, n_steps=3)
    model = build_emulator(maps_dir)
    return audit(model, SPLITS, ["CV_0", "CV_1", "CV_2", "SB_4"], maps_dir, config, sampling)


def page_of(results, audits, tmp_path):
    folder, maps_dir = results
    copy = tmp_path / "results"
    shutil.copytree(folder, copy)
    if audits is not None:
        write_dataset(audits, copy / "audits.nc")
    build_report(copy, copy / "report.html", maps_dir=maps_dir)
    return (copy / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(results, audits, tmp_path_factory):
    return page_of(results, audits, tmp_path_factory.mktemp("page"))


def section(html, anchor):
    return next(p for p in html.split("<section ") if p.startswith(f'id="{anchor}"'))


def rows_of(part):
    """Cells of all rows of the tables of a section."""
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", part)]


def test_the_page_has_both_sections_and_needs_no_network(html):
    require_self_contained(html)
    boxes = section(html, "whole-boxes")
    assert boxes.count("<figure ") == 3
    assert "2 boxes (CV_0 and CV_1), each of another run, 2 members of each" in boxes
    assert "the longest wave of the box, 12.8 Mpc/h" in boxes
    assert len(html) < 6e6


def test_numbers_behind_the_boxes_are_those_of_the_file(html, audits):
    links = re.findall(r'href="data:text/csv;base64,(.*?)"', section(html, "whole-boxes"))
    tables = [list(csv.DictReader(io.StringIO(base64.b64decode(link).decode()))) for link in links]
    assert len(tables) == 2
    summed = [float(row["value"]) for row in tables[0]
              if row["variable"] == "box_power_ratio_summed" and row["field"] == "gas"]  # fmt: skip
    expected = audits["box_power_ratio_summed"].sel(field="gas")
    np.testing.assert_allclose(summed, expected, rtol=1e-5)
    names = {row["variable"] for row in tables[1]}
    assert {"box_correlation_dmo_summed", "box_correlation_members"} <= names


def test_masses_are_means_over_members(html, audits):
    rows = {row[0]: row[1:] for row in rows_of(section(html, "whole-boxes"))}
    gas = audits["box_mass_ratio"].sel(field="gas").mean("box_member")
    found = [float(cell.split(" ")[0]) for cell in rows["gas, members / truth"]]
    np.testing.assert_allclose(found, [*gas.values, gas.mean()], rtol=0.01)
    truth = audits["box_total_over_dmo_truth"].values
    assert rows["all matter / DMO mass, truth"][:2] == [f"{value:.4g}" for value in truth]


def test_errors_over_boxes_are_those_of_independent_runs(audits):
    values = xr.DataArray([1.0, 1.4], dims="box", coords={"box": ["a", "b"]})
    # two boxes, one degree of freedom: 0.2 times the 84.13 % quantile of Student's t
    assert over_boxes(values) == pytest.approx((1.2, 0.2 * 1.8373), rel=1e-4)
    value, half = over_boxes(values[:1])
    assert value == 1.0
    assert np.isnan(half)
    masses, power, lacking = box_tables(audits, (2.0, 8.0))
    assert masses.header == ["mass", "CV_0", "CV_1", "all boxes"]
    assert [row[0] for row in power.rows] == [row[0] for row in lacking.rows]
    band = audits["box_power_ratio"].sel(k=slice(2.0, 4.0), field="gas")
    column = next(i for i, name in enumerate(power.header) if name.startswith("k = 2 to 4"))
    gas = next(row for row in power.rows if row[0] == "gas")
    assert float(gas[column].split(" ")[0]) == pytest.approx(float(band.mean()), rel=0.05)


def test_many_boxes_have_one_column_and_a_single_box_no_error(audits):
    names = [f"CV_{i}" for i in range(6)]
    many = audits.isel(box=[0, 1] * 3).assign_coords(box=names)
    masses, *_ = box_tables(many, (2.0, 8.0))
    assert masses.header == ["mass", "all boxes"]
    (only,) = box_tables(audits.isel(box=[0]), (2.0, 8.0))
    assert only.header == ["mass", "CV_0"]


def test_changes_are_a_table_with_a_sentence_each(html, audits):
    part = section(html, "audits")
    rows = {row[0]: row[1:] for row in rows_of(part)}
    names = {"context_ratio": "other surroundings", "params_ratio": "other parameters"}
    for name, what in names.items():
        for scored in ("pixels", "window means"):
            value = float(audits[name].sel(scored=scored, estimate="value", channel="gas"))
            shown = rows[f"{what}, {scored}"][1].split(" ")[0]
            assert float(shown) == pytest.approx(value, abs=6e-4)
    assert re.findall("<dt>(.*?)</dt>", part) == [
        "Surroundings", "Parameters", "Turns and mirrors", "Splits",
    ]  # fmt: skip
    assert "16 windows of 4 simulations, 2 members of each" in part
    assert "No run is in two splits, and no map of one is found in another." in part


def with_values(value, low, high, **more):
    """Audits of one field whose every ratio has this value and interval."""
    ratio = xr.DataArray(
        np.broadcast_to(np.array([value, low, high])[:, None, None], (3, 1, 1)),
        dims=("estimate", "scored", "channel"),
    )
    return xr.Dataset(
        {
            "context_ratio": ratio,
            "turn_difference": ratio.isel(scored=0) - 1.0,
            "leak_runs": ("pair", [more.get("runs", 0)]),
            "leak_maps": ("pair", [0]),
            "leak_correlation": ("pair", [more.get("correlation", 0.1)]),
            "leak_chance": ("pair", [0.12]),
            "leak_closest": ("pair", ["A_0 and B_1"]),
        },
        coords={
            "estimate": ["value", "low", "high"], "scored": ["pixels"], "channel": ["gas"],
            "pair": ["train, test"],
        },
        attrs={
            "left_out": json.dumps({"params_ratio": "The model has no parameters."}),
            "n_windows": 8, "n_simulations": 4, "n_members": 2, "n_runs": 3,
            "mass_difference": 0.02,
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "said", "turns"),
    [
        ((1.3, 1.2, 1.4), "by more than two errors for gas (pixels) 1.30 ± 0.10: they are used",
         "have other means: the square of the difference is gas 0.30 ± 0.10"),
        ((1.3, 1.1, 1.5), "by one to two errors for gas (pixels) 1.30 ± 0.20: a hint",
         "have the means of members of the windows"),
        ((1.1, 0.9, 1.3), "no use of them is seen", "to within two errors"),
        ((1.1, np.nan, np.nan), "of one run there is no error", "of one run there is no error"),
    ],
)  # fmt: skip
def test_sentences_follow_the_errors(values, said, turns):
    found = dict(audits_section(with_values(*values)).said)
    assert said in found["Surroundings"]
    assert turns in found["Turns and mirrors"]


def test_a_leak_is_said_and_what_is_left_out_as_well():
    clean = audits_section(with_values(1.0, 0.9, 1.1))
    assert "any shift is 0.10, where chance gives 0.12" in dict(clean.said)["Splits"]
    assert clean.missing == ["Other parameters: The model has no parameters."]
    leaking = audits_section(with_values(1.0, 0.9, 1.1, runs=2, correlation=0.6))
    said = dict(leaking.said)["Splits"]
    assert said.startswith("LEAK: train and test share 2 runs and maps of A_0 and B_1, one univ")


def test_a_page_without_audits_says_so(results, tmp_path):
    text = Page(page_of(results, None, tmp_path)).text
    assert "audits.nc was not found: run `emulator audit CONFIG`" in text


def test_a_box_that_was_not_painted_leaves_a_sentence(results, audits, tmp_path):
    kept = audits.drop_dims(["box", "box_member", "k", "box_x", "box_y"])
    kept.attrs["left_out"] = json.dumps({"boxes": "The suite is of ready windows."})
    html = page_of(results, kept, tmp_path)
    assert "The suite is of ready windows." in section(html, "whole-boxes")
    assert "other surroundings, pixels" in section(html, "audits")


def test_audits_of_other_weights_are_not_shown(results, audits, tmp_path):
    """The bundle that drew the ensembles is trained anew; the audits are those of before."""
    folder = tmp_path / "with_model"
    shutil.copytree(results[0], folder)
    (path, *_) = (folder / "ensembles/test").glob("*.nc")
    (seed,) = np.unique(read_dataset(path)["model_seed"].values)
    (folder / f"model/seed_{seed}").mkdir(parents=True)
    card = {"weights_sha256": "others", "training": {"objective": "diffusion"}}
    (folder / f"model/seed_{seed}/model.json").write_text(json.dumps(card))
    html = page_of((folder, results[1]), audits, tmp_path)
    assert "audits.nc is of other weights" in section(html, "audits")
    assert 'id="whole-boxes"' not in html
