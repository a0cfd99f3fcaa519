"""Shapes are checked at test time; and which tests share a process.

Those of one file do, and all of the workflow, which share one run of it.
"""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook(["emulator.diffusion", "emulator.networks"], "beartype.beartype")


def pytest_collection_modifyitems(items):
    for item in items:
        path = Path(str(item.fspath))
        group = "workflow" if path.parent.name == "workflow" else path.stem
        item.add_marker(pytest.mark.xdist_group(group))
