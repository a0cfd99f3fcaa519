"""What Sphinx is given in place of the pages as they lie in the repository."""

from pathlib import Path

from sphinx.application import Sphinx

from analysis.site.config_page import MARKER, config_reference
from analysis.site.links import COPIES, copy_pages, pages_elsewhere, relink
from analysis.site.notebooks import notebook_page


def read_source(app: Sphinx, name: str, source: list[str]) -> None:
    """Turn a notebook into a page, fill in the config reference, and set links right."""
    root, path = Path(app.srcdir).parent, Path(app.env.doc2path(name, base=False))
    if path.suffix == ".ipynb":
        source[0] = notebook_page(source[0], path.name)
    source[0] = source[0].replace(MARKER, config_reference() if MARKER in source[0] else "")
    copied = path.is_relative_to(COPIES)
    page = path.relative_to(COPIES) if copied else Path("docs") / path
    source[0] = relink(source[0], str(page), root, pages_elsewhere(root))


def connect(app: Sphinx) -> None:
    """Copy pages from elsewhere, and read all of them through :func:`read_source`."""
    copy_pages(Path(app.srcdir).parent)
    app.connect("source-read", read_source)
