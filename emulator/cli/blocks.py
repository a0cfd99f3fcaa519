"""What commands share that work on one name after the other: which names, and faults of some."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from emulator.io import EmulatorError

Name = TypeVar("Name")


def each(names: Iterable[Name], work: Callable[[Name], None]) -> None:
    """Do all of a block even where some fails: one bad file costs one file, not the block."""
    faults = []
    for name in names:
        try:
            work(name)
        except EmulatorError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        lines = "\n".join(f"  {error}" for error in faults)
        raise EmulatorError(f"{len(faults)} of them failed, the others are done:\n{lines}")


def selected(chosen: list[str] | None, names: list[str], what: str) -> list[str]:
    """Names that were chosen, or all; one that does not exist is an error with those that do."""
    unknown = [name for name in chosen or [] if name not in names]
    if unknown:
        raise EmulatorError(f"no such {what}: {unknown}; there are {', '.join(names)}")
    return chosen or names
