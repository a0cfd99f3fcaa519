"""Suites: where simulations come from, a kind each.

A kind is a section of the config (:mod:`emulator.config.suites`) and a module here of the same
name, whose ``SUITE`` is its class.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.config import ExperimentConfig, SuiteConfig
    from emulator.suites.base import Suite


def build_suite(config: "SuiteConfig", root: str | Path) -> "Suite":
    """Suite of a section of the config, whose files lie below ``root``."""
    suite: Suite = import_module(f"emulator.suites.{config.kind}").SUITE(config, root)
    return suite


def suite_of(experiment: "ExperimentConfig", root: str | Path | None = None) -> "Suite":
    """Suite of an experiment, at ``root`` or where its config says."""
    return build_suite(experiment.suite, root or experiment.suite.folder(experiment.name))
