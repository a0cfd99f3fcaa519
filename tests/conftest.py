"""Which tests share a process: those of one file, and all of the workflow, which share one run."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        path = Path(str(item.fspath))
        group = "workflow" if path.parent.name == "workflow" else path.stem
        item.add_marker(pytest.mark.xdist_group(group))
