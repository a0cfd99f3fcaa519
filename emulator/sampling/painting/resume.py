"""Painting that goes on where it was: members that are there, and those that are missing."""

from collections.abc import Callable, Iterable
from pathlib import Path

from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.folder import identity, require_identity

ReadLabels = Callable[[Path], tuple[list[int], dict[str, object]]]
"""Numbers of the members of an output, in their order, and what they are a function of."""


def members_there(painter: AnyPainter, path: Path, read_labels: ReadLabels) -> list[int]:
    """Numbers of the members of an output, in their order; none where it is not there.

    Raises
    ------
    DataError
        Members of another model, box, seed or setting, or what ``read_labels`` refuses.
    """
    if not path.exists():
        return []
    numbers, found = read_labels(path)
    require_identity(found, identity(painter.describe(numbers)), path)
    return numbers


def missing_members(
    painter: AnyPainter, members: Iterable[int], path: Path, read_labels: ReadLabels
) -> list[int]:
    """Numbers, of those asked for, of the members that an output does not hold; see above."""
    there = members_there(painter, path, read_labels)
    return [member for member in members if member not in there]
