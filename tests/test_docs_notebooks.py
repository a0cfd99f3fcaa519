"""The notebooks of the documentation run from nothing, and are stored without outputs."""

import json
import os
from pathlib import Path

import pytest

from analysis.site.notebooks import notebook_page

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["draw_and_look", "paint_and_respond"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_but_the_source_is_stored(path):
    book = json.loads(path.read_text())
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_without_prior_data(path, tmp_path, monkeypatch):
    """From the folder that Jupyter starts it in, with the reference or a toy that it trains."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.delenv("EMULATOR_MODEL", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    )
    client.execute()
    counts = [cell["execution_count"] for cell in book.cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not list(ROOT.glob("docs/notebooks/*.h5"))


def test_the_page_has_all_cells_and_offers_the_file():
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Words."]},
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": [{"text": "1"}]},
    ]
    page = notebook_page(json.dumps({"cells": cells}), "x.ipynb")
    assert page.startswith("# Title\n\nDownload")
    assert "{download}`x.ipynb`" in page
    assert page.endswith("Words.\n\n```python\na = 1\na\n```\n")
    with pytest.raises(ValueError, match=r"x\.ipynb: expected a first cell .* got '```python'"):
        notebook_page(json.dumps({"cells": cells[::-1]}), "x.ipynb")
