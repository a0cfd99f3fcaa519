"""The site of the documentation: it builds without warnings, and everything is found on it."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.site.config_page import config_reference
from analysis.site.links import COPIES, pages_elsewhere, relink
from analysis.site.pipeline_picture import BOXES, picture
from emulator.config import ExperimentConfig, json_schema

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


class Site(HTMLParser):
    """Tags of a page with their attributes; how they nest is the business of Sphinx."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)
        self.ids = {attrs["id"] for _, attrs in self.tags if attrs.get("id")}

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def toctree(page):
    """Pages that the toctrees of a page name; globs are expanded."""
    found = []
    for body in re.findall(r"```{toctree}\n(.*?)```", page.read_text(), re.DOTALL):
        names = [line for line in body.splitlines() if line and not line.startswith(":")]
        found += [page.parent / name for name in names]
    return found


def test_every_page_is_reachable_from_the_index():
    waiting, seen = [DOCS / "index"], set()
    while waiting:
        page = waiting.pop()
        files = [path for end in (".md", ".ipynb") if (path := Path(f"{page}{end}")).is_file()]
        if COPIES not in page.parts:
            assert len(files) == 1, page
        seen.update(files)
        waiting += [entry for path in files if path.suffix == ".md" for entry in toctree(path)]
    assert {*DOCS.glob("*.md"), *DOCS.glob("notebooks/*.ipynb")} <= seen


def test_pages_from_elsewhere_have_an_entry():
    """Those of the benchmarks by a glob; a page outside of it would be lost."""
    entries = [str(path.relative_to(DOCS / COPIES)) for path in toctree(DOCS / "measured.md")]
    assert entries == ["analysis/benchmarks/*", "data/README"]
    for name in pages_elsewhere(ROOT):
        assert Path(name).parent.as_posix() in ("analysis/benchmarks", "data")
        assert f"](../{name})" in (DOCS / "measured.md").read_text()


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("docs/a.md", "[x](painting.md#how)", "[x](painting.md#how)"),
        ("docs/a.md", "[painting.md](painting.md#how)", "[](painting.md#how)"),
        (
            "docs/a.md",
            "[analysis/benchmarks/data.md](../analysis/benchmarks/data.md)",
            "[](repository/analysis/benchmarks/data.md)",
        ),
        ("docs/a.md", "[ing.md](painting.md)", "[ing.md](painting.md)"),
        ("docs/a.md", "[x](../data/README.md#y)", "[x](repository/data/README.md#y)"),
        ("docs/a.md", "[x](../configs/demo.yaml)", "[x](../configs/demo.yaml)"),
        ("docs/a.md", "[the `x`](../emulator/config)", "the `x`"),
        ("docs/a.md", "[x](https://example.org/a.md)", "[x](https://example.org/a.md)"),
        ("docs/a.md", "f[x](not_there)", "f[x](not_there)"),
        ("docs/notebooks/a.ipynb", "[x](../painting.md)", "[x](../painting.md)"),
        ("data/README.md", "[x](../docs/fields.md#a)", "[x](../../fields.md#a)"),
        (
            "analysis/benchmarks/scaling.md",
            "![x](scaling.png)",
            "![x](../../../../analysis/benchmarks/scaling.png)",
        ),
    ],
)
def test_links_lead_to_the_same_place(page, text, expected):
    assert relink(text, page, ROOT, pages_elsewhere(ROOT)) == expected


def sections(schema):
    """Sections of the JSON schema: name of the model, and its keys."""
    named = {"ExperimentConfig": schema, **schema["$defs"]}
    return {name: entry["properties"] for name, entry in named.items() if "properties" in entry}


def test_every_key_of_the_schema_stands_in_the_reference_with_a_description():
    """The schema is written by pydantic, the reference by us: they must tell the same keys."""
    rows = {}
    for row in re.findall(r"^\| `(\w+)` \|(.*)\|$", config_reference(), re.MULTILINE):
        rows.setdefault(row[0], []).append(re.sub(r"\s+", " ", row[1].replace("\\|", "|")))
    wanted = 0
    for name, keys in sections(json_schema()).items():
        for key, entry in keys.items():
            if name == "ExperimentConfig" and key != "name":
                continue  # a heading
            said = re.sub(r"\s+", " ", entry.get("description", "")).replace("``", "`")
            assert any(said in row for row in rows[key]), (name, key)
            wanted += 1
    assert sum(map(len, rows.values())) == wanted
    assert all(row.rsplit(" | ", 1)[1].strip() for found in rows.values() for row in found)


def test_every_section_has_an_anchor_of_its_own():
    heads = re.findall(r"^##+ (.*)$", config_reference(), re.MULTILINE)
    assert len(heads) == len(set(heads))
    assert heads[0] == "Top level"
    assert {*ExperimentConfig.model_fields} - {"name"} <= {*heads}


def test_types_and_defaults_are_said_as_a_config_has_them():
    reference = config_reference()
    for row in (
        "| `n_members` | integer ≥\N{NO-BREAK SPACE}2 | `8` |",
        "| `context_factors` | list of",
        "| `solver` | `ancestral` \\| `ddim` \\|",
        "| `spread_skill` | [number >\N{NO-BREAK SPACE}0, number >\N{NO-BREAK SPACE}0] | `[0.7,",
        "| `enabled` | true \\| false | `false` |",
        "| `name` | text | required | names the folders of the results |",
    ):
        assert row in reference, row


def test_the_picture_is_what_its_script_draws():
    path = DOCS / "images/pipeline.svg"
    assert path.read_text() == picture(), "run `python -m analysis.site.pipeline_picture`"
    for box in BOXES:
        assert max(map(len, box.lines)) * 9 < box.width + 18, box  # 9 pixels: a wide letter
        assert len(box.lines) * 20 < box.height, box


@pytest.mark.slow
def test_the_site_builds_without_warnings_and_its_links_lead_somewhere(tmp_path):
    for package in ("sphinx", "myst_parser", "furo", "sphinx_copybutton"):
        pytest.importorskip(package)
    output = tmp_path / "html"
    command = [sys.executable, "-m", "sphinx", *["-W", "--keep-going", "-q", "-d"]]
    built = subprocess.run(
        [*command, tmp_path / "trees", DOCS, output], cwd=ROOT, capture_output=True, text=True
    )
    assert (built.returncode, built.stderr) == (0, "")
    written = [path for path in output.rglob("*.html") if "_downloads" not in path.parts]
    pages = {path: Site(path.read_text()) for path in written}
    names = {path.relative_to(output).as_posix() for path in pages}
    assert {"config.html", "suite.html", "repository/analysis/benchmarks/suite.html"} <= names
    assert {"notebooks/draw_and_look.html", "api/emulator.Emulator.html"} <= names
    assert {"sampling", "suite-embedded", "validation-bars"} <= pages[output / "config.html"].ids
    for path, page in pages.items():
        for target in (a["href"] for a in page.all("a") if a.get("href")):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            assert file.is_file(), (path, target)
            assert not anchor or anchor in pages[file].ids, (path, target)
        for image in page.all("img"):
            assert image["alt"].strip(), path
            assert (path.parent / image["src"]).is_file(), (path, image)
