"""Painted members in one file: kept one by one while they are drawn, and then gathered.

Members lie in ``NAME.parts`` beside the file until all that were asked for are there; then the file
is written anew, of those that it had and the new ones, in the order of their numbers, and the parts
are removed. Until then nothing finished is lost, and the file is as it was.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.io import locked
from emulator.sampling.painting import fits, netcdf
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.folder import member_file, paint_folder
from emulator.sampling.painting.resume import ReadLabels, members_there, missing_members
from emulator.sampling.sums import FACTOR

if TYPE_CHECKING:
    import xarray as xr


class Container(NamedTuple):
    """How one format is read and written."""

    read_labels: ReadLabels
    read_plane: Callable[..., np.ndarray]
    """One plane ``(y, x)`` of a file, by its row, slab (where there are slabs) and channel."""
    read_factors: Callable[[Path], np.ndarray]
    """Factors ``(sum, member)`` of a file whose members hold sums."""
    write: "Callable[[xr.Dataset, Path, Callable[..., np.ndarray]], None]"


CONTAINERS = {
    ".nc": Container(
        netcdf.read_labels, netcdf.read_plane, netcdf.read_factors, netcdf.write_netcdf
    ),
    ".fits": Container(fits.read_labels, fits.read_plane, fits.read_factors, fits.write_fits),
}
"""By suffix."""


def parts_of(path: Path) -> Path:
    """Folder of the members that are finished and not yet gathered."""
    return path.with_name(f"{path.name}.parts")


def paint_file(painter: AnyPainter, members: Iterable[int], path: Path) -> int:
    """Paint members that neither the file nor its parts hold yet.

    Parameters
    ----------
    painter
        Model and box.
    members
        Their numbers.
    path
        The file; its suffix is one of :data:`CONTAINERS`.

    Returns
    -------
    How many were painted.

    Raises
    ------
    DataError
        If the file, or a part, is of another model, box, seed or setting, or damaged.
    """
    missing = missing_members(painter, members, path, CONTAINERS[path.suffix].read_labels)
    painted = paint_folder(painter, missing, parts_of(path))
    if missing:
        with locked(path):
            _gather(painter, missing, path)
    return painted


def _gather(painter: AnyPainter, new: list[int], path: Path) -> None:
    kind, parts = CONTAINERS[path.suffix], parts_of(path)
    there = members_there(painter, path, kind.read_labels)
    numbers = sorted({*there, *new})

    def plane(*place: int) -> np.ndarray:
        member, rest = numbers[place[0]], place[1:]
        if member in there:
            return kind.read_plane(path, there.index(member), *rest)
        return netcdf.read_plane(member_file(parts, member), 0, *rest)

    labels = painter.describe(numbers)
    if FACTOR in labels:  # of members that others have drawn, too
        known = dict(zip(there, kind.read_factors(path).T, strict=True)) if there else {}
        for member in new:
            known[member] = netcdf.read_factors(member_file(parts, member))[:, 0]
        labels[FACTOR].values = np.stack([known[member] for member in numbers], axis=1)
    kind.write(labels, path, plane)
    for member in new:
        member_file(parts, member).unlink(missing_ok=True)  # another job may have gathered it
    with suppress(OSError):  # others may have parts there
        parts.rmdir()
