"""Findings: what is wrong, in which simulation, and how bad it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from emulator.io import EmulatorError

Result = TypeVar("Result")


class Level(StrEnum):
    """An error stops the pipeline sooner or later; a warning is for the user to judge."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; ``subject`` groups findings of the same kind."""

    level: Level
    subject: str
    simulation: str
    message: str


@dataclass
class Inspection:
    """What is known of one simulation: facts by name (JSON-able), and findings."""

    simulation: str
    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def attempt(self, subject: str, work: Callable[[], Result]) -> Result | None:
        """Do some work; what the readers or the system refuse is a finding, the result ``None``."""
        try:
            return work()
        except (EmulatorError, OSError) as error:
            self.add(Level.ERROR, subject, str(error))
            return None

    def require_file(self, path: Path) -> None:
        """Add a finding if a file is not there."""
        if not path.is_file():
            self.add(Level.ERROR, "files", f"{path}: expected a file, got no such file")

    def add(self, level: Level, subject: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, subject, self.simulation, message))
