"""Blocks of code in the documentation; whose Python is run, whose is not, and why."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]

RUN_WITH_A_MODEL = (
    "README.md",
    "docs/models.md",
    "docs/diffusion.md",
    "docs/painting.md",
    "docs/sampling.md",
    "docs/inference.md",
    "docs/calibration.md",
    "docs/quick_start.md",
    "docs/api.md",
)
"""In this order, one after another with the names of those before: the end-to-end test."""

RUN_ALONE = ("docs/fields.md", "docs/extending.md")
"""By tests of their own, in test_docs.py."""

COMPILED_ONLY = {
    "docs/arrays.md": "needs a model of configs/linear_fields.yaml, which no test trains",
    "docs/volumes.md": "needs a model of configs/volumes.yaml, which no test trains",
}
"""Pages whose names are looked at, and whose code is not run."""


def blocks(page, language):
    """Fenced blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def parts(page, language):
    """The same as (name of the page and number, text)."""
    return [(f"{page.stem}-{i}", text) for i, text in enumerate(blocks(page, language))]
