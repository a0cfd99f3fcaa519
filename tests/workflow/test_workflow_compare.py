"""A run beside an earlier one: on its page, by the target `compare`, or refused before any job."""

import csv
import re
import shutil

import pytest
from pages import Page, require_self_contained

from emulator.io import read_json, write_json

pytestmark = pytest.mark.workflow

EARLIER = "results/earlier"
CONFIG = ["--config", f"report={{previous: [{EARLIER}]}}", "--"]


@pytest.fixture(scope="module")
def beside(finished, tmp_path_factory):
    """The finished run, and a copy of its results under another name."""
    folder = tmp_path_factory.mktemp("beside") / "run"
    shutil.copytree(finished[0], folder)
    shutil.copytree(folder / "results/test", folder / EARLIER)
    return folder


def jobs_of(done):
    """Rules that were planned, from the table before the first job."""
    table = re.findall(r"^([a-z_]+) +\d+$", done.stdout + done.stderr, flags=re.MULTILINE)
    return set(table) - {"all", "total"}


def refused(done, *words):
    """Nothing was planned, and the message says why."""
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout + done.stderr
    assert "Job stats" not in done.stdout + done.stderr


def test_the_page_and_the_target_compare_show_both(beside, snakemake):
    results = beside / "results/test"
    before = (results / "metrics.nc").stat().st_mtime_ns
    assert 'id="previous"' not in (results / "report.html").read_text()
    done = snakemake(beside, *CONFIG, "all", "compare")
    assert "Job stats" in done.stdout + done.stderr
    assert jobs_of(done) == {"report", "compare"}
    assert (results / "metrics.nc").stat().st_mtime_ns == before

    page = (results / "report.html").read_text()
    (section,) = re.findall(r'<section id="previous">.*?</section>', page, re.DOTALL)
    said = Page(section).text
    assert "Beside earlier runs" in said
    assert f"This run is test; the reference is earlier ({EARLIER})." in said
    assert "test against earlier: CRPS equal" in said
    assert "test and earlier were drawn from the same weights." in said
    n_bars = len(read_json(results / "acceptance.json")["bars"])
    assert f"{n_bars} of {n_bars} bars have the same verdict" in said

    side_by_side = require_self_contained((results / "compare.html").read_text())
    assert "test against earlier: CRPS equal" in side_by_side.text
    rows = list(csv.DictReader((results / "compare.csv").open()))
    assert [row["model"] for row in rows] == n_bars * ["earlier"] + n_bars * ["test"]
    assert "test against earlier: CRPS equal" in (results / "logs/compare.log").read_text()

    again = snakemake(beside, *CONFIG, "all", "compare")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_other_held_out_simulations_are_refused_before_any_job(beside, snakemake):
    path = beside / EARLIER / "splits.json"
    kept = path.read_bytes()
    splits = read_json(path)
    moved = splits["test"].pop()
    write_json(path, splits | {"train": [*splits["train"], moved]})
    try:
        done = snakemake(beside, *CONFIG, "compare", check=False)
    finally:
        path.write_bytes(kept)
    refused(done, f"report.previous {EARLIER}: expected the held-out simulations of this config",
            f"without {moved}; beside them none", "Only runs that were judged by")  # fmt: skip


def test_the_target_compare_asks_for_earlier_runs(beside, snakemake):
    refused(snakemake(beside, "--", "compare", check=False),
            "expected folders of results for the target `compare`, got none")  # fmt: skip
