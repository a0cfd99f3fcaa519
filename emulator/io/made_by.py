"""Which command writes a file that is not there: what to do, for messages."""

from pathlib import Path

MADE_BY = {
    "splits.json": "fit",
    "normalisation.json": "fit",
    "metrics.nc": "validate",
    "acceptance.json": "validate",
}
"""Files of results by name, and the stage that writes them."""


def how_to_make(path: Path) -> str:
    """What to run first for a missing file of the pipeline; empty for a file of anybody else."""
    maps = path.parent.name == "maps" and path.suffix == ".h5"
    stage = "project" if maps else MADE_BY.get(path.name)
    return f"Run `emulator {stage} CONFIG` first, or the workflow: it writes it." if stage else ""
