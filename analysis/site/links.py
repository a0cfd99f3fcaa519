"""Links that lead out of ``docs/``: right on a page of the repository, and right on the site.

Pages are written for the repository: ``[text](../analysis/benchmarks/suite.md)``. On the site a
page outside ``docs/`` stands below :data:`COPIES`, at its path in the repository, and any other
file is offered for download, which MyST makes of a link to a file by itself. A folder is no page:
its name stays as text. A link that is called after its file bears the title of the page. The site
knows no address of a repository, so that none is made up.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

COPIES = "repository"
"""Folder of ``docs/`` with copies of pages that lie elsewhere; not under version control."""

ELSEWHERE = ("analysis/benchmarks/*.md", "data/README.md")
"""Pages of the repository that the site has, too."""

LINK = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def pages_elsewhere(root: Path) -> list[str]:
    """Paths in the repository of the pages of :data:`ELSEWHERE`, sorted."""
    return sorted(str(p.relative_to(root)) for glob in ELSEWHERE for p in root.glob(glob))


def copy_pages(root: Path) -> None:
    """Copy the pages of :data:`ELSEWHERE` below ``docs/``; copies of pages that are gone go, too.

    Parameters
    ----------
    root
        The repository.
    """
    target = root / "docs" / COPIES
    shutil.rmtree(target, ignore_errors=True)
    for name in pages_elsewhere(root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)


def relink(text: str, page: str, root: Path, elsewhere: Iterable[str]) -> str:
    """A page's text with the links that it has on the site.

    Parameters
    ----------
    text
        Markdown.
    page
        Path of the page in the repository, of a copy that of its original.
    root
        The repository.
    elsewhere
        Paths of the pages that have copies.

    Returns
    -------
    The text; links to pages of ``docs/`` from ``docs/`` are left as they are.
    """
    copied = frozenset(elsewhere)
    here = PurePosixPath(_on_site(page, copied)).parent

    def replaced(link: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(page).parent / link["target"])
        if not (root / target).exists():
            return link[0]
        if (root / target).is_dir():
            return link["text"].lstrip("!")[1:-1]
        path = os.path.relpath(_on_site(target, copied), here)
        is_named = target.endswith(".md") and f"/{target}".endswith(f"/{link['text'][1:-1]}")
        return f"{'[]' if is_named else link['text']}({path}{link['anchor'] or ''})"

    return LINK.sub(replaced, text)


def _on_site(path: str, copied: frozenset[str]) -> str:
    return f"docs/{COPIES}/{path}" if path in copied else path
