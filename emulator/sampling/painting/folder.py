"""Painted members on disk: a file each, so that jobs share a box and nothing finished is lost."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.io import DataError, is_file, read_dataset, write_dataset
from emulator.progress import Progress
from emulator.sampling.cf import describe
from emulator.sampling.painting.any_painter import AnyPainter

if TYPE_CHECKING:
    import xarray as xr

SUMMARY = "summary.nc"
OTHER = "Choose another --output, or remove what is there."


def member_file(folder: Path, member: int) -> Path:
    """File of one member; the names sort as the numbers do."""
    return Path(folder) / f"member_{member:05d}.nc"


def paint_folder(
    painter: AnyPainter,
    members: Iterable[int],
    folder: Path,
    *,
    replace: bool = False,
) -> int:
    """Paint members that the folder does not hold yet.

    Parameters
    ----------
    painter
        Model and box.
    members
        Their numbers.
    folder
        Where ``member_NNNNN.nc`` are written, one after the other, each at once.
    replace
        Paint a member again whose file is of another model, box, seed or setting, or damaged.

    Returns
    -------
    How many were painted.

    Raises
    ------
    DataError
        Without ``replace``, if such a file is there.
    """
    missing = []
    for member in members:
        path = member_file(folder, member)
        if not is_file(path) or (replace and not _is_same(path, painter, member)):
            missing.append(member)
        elif not replace:
            _require_same(path, painter, member)
    line = Progress("paint", painter.passes * len(missing)) if missing else None
    for member in missing:
        values = painter.draw(member, line)[None]
        write_dataset(painter.label(values, [member]), member_file(folder, member))
    return len(missing)


def _require_same(path: Path, painter: AnyPainter, member: int) -> None:
    require_same(read_dataset(path), painter.label(painter.nothing, [member]), path)


def require_same(found: "xr.Dataset", wanted: "xr.Dataset", where: Path) -> None:
    """What was painted earlier is of this model and box, drawn alike; fields are not compared.

    Raises
    ------
    DataError
        Names what differs, or says that nothing of this project is there.
    """
    if found.attrs.get("stage") != "paint" or "fields" not in found:
        raise DataError(where, "members of a painted box", "something else", OTHER)
    require_identity(identity(found), identity(wanted), where)


def require_identity(found: dict[str, object], wanted: dict[str, object], where: Path) -> None:
    """Compare what :func:`identity` returned; see :func:`require_same`."""
    differing = [name for name, value in wanted.items() if found.get(name) != value]
    if differing:
        raise DataError(
            where,
            "a member of this model and box, drawn alike",
            f"one that differs in {', '.join(differing)}",
            OTHER,
        )


def _is_same(path: Path, painter: AnyPainter, member: int) -> bool:
    try:
        _require_same(path, painter, member)
    except DataError:
        return False
    return True


def identity(painted: "xr.Dataset") -> dict[str, object]:
    """What members are a function of."""
    attrs = painted.attrs
    sampling = json.loads(attrs["sampling"])
    sums = attrs.get("constraints")
    for of_call in ("n_members", "batch_size"):
        sampling.pop(of_call, None)
    return {
        "weights": json.loads(attrs["provenance"])["weights"],
        "calibration": attrs.get("calibration", ""),
        "box or noise": [attrs["noise_of"], int(attrs.get("cells_version", 1))],
        "sampling": sampling,
        "overlap": int(attrs["stride"]),
        "origin": [int(pixel) for pixel in np.atleast_1d(attrs["origin"])],
        "edges": [int(closed) for closed in np.atleast_1d(attrs.get("periodic", [1, 1]))],
        "mode": [attrs.get(k) for k in ("mode", "n_halos", "mass_threshold", "r_in", "r_out")],
        # none, as of what was painted before there were any
        "constraints": None if sums is None else json.loads(sums),
        "params": [None if np.isnan(each) else each for each in painted["params"].values.tolist()],
    }


class RunningSummary:
    """Mean and standard deviation of members that are not kept, by Welford's recurrence."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray = np.zeros(())
        self.square: np.ndarray = np.zeros(())

    def add(self, values: np.ndarray) -> None:
        """Count one member ``(channel, y, x)``."""
        self.count += 1
        change = values.astype(np.float64) - self.mean
        self.mean = self.mean + change / self.count
        self.square = self.square + change * (values - self.mean)

    def dataset(self, painter: AnyPainter) -> "xr.Dataset":
        """``mean`` and ``std (channel, y, x)``; the latter of the members, over ``count - 1``.

        Of a single member the standard deviation is not known: NaN.
        """
        labelled = painter.label(painter.nothing, [0])
        like = labelled["fields"].isel(member=0, drop=True)
        freedom = self.count - 1 if self.count > 1 else np.nan
        std = np.sqrt(self.square / freedom)
        del like.attrs["long_name"]
        summary = labelled.drop_dims(("member", "sum"), errors="ignore").assign(
            mean=like.copy(data=self.mean.astype(np.float32)),
            std=like.copy(data=std.astype(np.float32)),
        )
        return describe(summary.assign_attrs(n_members=self.count))


def summarise(painter: AnyPainter, members: Iterable[int]) -> "xr.Dataset":
    """Paint members and keep their mean and standard deviation."""
    numbers, running = list(members), RunningSummary()
    line = Progress("paint", painter.passes * len(numbers))
    for member in numbers:
        running.add(painter.draw(member, line))
    return running.dataset(painter)


def paint_summary(painter: AnyPainter, members: Iterable[int], folder: Path) -> Path:
    """Paint members, keep their mean and standard deviation, and write ``summary.nc``."""
    path = Path(folder) / SUMMARY
    write_dataset(summarise(painter, members), path)
    return path
