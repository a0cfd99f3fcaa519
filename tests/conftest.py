"""Shapes are checked at test time; and which tests share a process.

Those of one file do, and all of the workflow, which share one run of it. (Marks of groups, which
pytest-xdist has for that, are not seen with pytest 9.2.)
"""

from pathlib import PurePosixPath

import pytest
from jaxtyping import install_import_hook
from xdist.scheduler import LoadScopeScheduling

install_import_hook(["emulator.diffusion", "emulator.networks"], "beartype.beartype")


class ByFile(LoadScopeScheduling):
    """Sends the tests of a file to one process, the largest files first."""

    def _split_scope(self, nodeid):
        path = PurePosixPath(nodeid.split("::")[0])
        return "workflow" if path.parent.name == "workflow" else str(path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)
