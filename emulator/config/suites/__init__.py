"""The section ``suite``: where simulations come from, one model a kind."""

from typing import Annotated

from pydantic import Field

from emulator.config.suites.arrays import ArrayParameter, ArraysSuite
from emulator.config.suites.embedded import DesignConfig, EmbeddedSuite
from emulator.config.suites.headers import HeaderFacts
from emulator.config.suites.layout import Layout, set_of
from emulator.config.suites.multifield import MultifieldSuite
from emulator.config.suites.snapshots import SnapshotsSuite
from emulator.config.suites.windows import WindowsSuite

__all__ = [
    "OLD_KINDS",
    "ArrayParameter",
    "ArraysSuite",
    "DesignConfig",
    "EmbeddedSuite",
    "HeaderFacts",
    "Layout",
    "MultifieldSuite",
    "SnapshotsSuite",
    "SuiteConfig",
    "WindowsSuite",
    "set_of",
]

SuiteConfig = Annotated[
    EmbeddedSuite | SnapshotsSuite | MultifieldSuite | WindowsSuite | ArraysSuite,
    Field(discriminator="kind"),
]
"""A suite, told apart by ``kind``."""

OLD_KINDS = {"files": "snapshots", "samples": "windows"}
"""Names that kinds had once, and that configs may still use."""
