"""Notebooks as pages: text as it is, code as blocks, and the file to take away.

Outputs are not shown: the notebooks of the repository have none.
"""

import json
from typing import Any


def notebook_page(text: str, name: str) -> str:
    """Markdown of a notebook.

    Parameters
    ----------
    text
        The file, in the format of Jupyter (nbformat 4).
    name
        Name of the file, which the page offers for download.

    Returns
    -------
    Markdown (MyST): cells in their order, with a link to the file below the title.

    Raises
    ------
    ValueError
        If the first cell has no title (``# ...``), or is not text.
    """
    first, *rest = (_cell(cell) for cell in json.loads(text)["cells"])
    title, _, body = first.partition("\n")
    if not title.startswith("# "):
        raise ValueError(f"{name}: expected a first cell that starts with '# TITLE', got {title!r}")
    offer = f"Download this notebook: {{download}}`{name}`. It has no outputs: run it."
    return "\n\n".join([title, offer, body.strip(), *rest]) + "\n"


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    return source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"
