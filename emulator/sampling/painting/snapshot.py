"""From a dark-matter-only snapshot to a map as those that a model was trained on."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from emulator.config import DataConfig
from emulator.fields import CONDITION
from emulator.io import DataError
from emulator.model.card import Grid
from emulator.projection.blocks import parts_of
from emulator.projection.deposit import Kernel
from emulator.projection.pair import project_field, projection_labels
from emulator.readers.snapshots import DARK_MATTER, GAS, Snapshot, open_snapshot
from emulator.sampling.grids import require_same_grid

_WHOLE = 1.0e-6
_MOST_PARTS = 16
"""Parts of a slab at most, where a box is no multiple of it."""
_DROP = "Pass drop_remainder=True (--drop-remainder) to leave out the end of the box."


def project_snapshot(path: Path, grid: Grid, projection: str | None = None) -> np.ndarray:
    """Map of the dark matter, ``(y, x)``; see :func:`project_snapshot_at`."""
    return project_snapshot_at(path, grid, projection)[0]


def project_snapshot_at(
    path: Path, grid: Grid, projection: str | None = None
) -> tuple[np.ndarray, float]:
    """Map of the dark matter, ``(y, x)`` float32 [Msun/h per pixel], and its redshift.

    Parameters
    ----------
    path
        Of GADGET, AREPO, GIZMO or SWIFT; a single file, or any of a family. It need not be of a
        suite, and has no twin.
    grid
        Of the model: pixel, depth, redshift and kernel are taken from it. The box may have another
        size than those of the training; it must hold a whole number of pixels, and of slabs.
    projection
        ``x``, ``y`` or ``z``, with slabs ``x0, x1, ...``; default: the first.

    Raises
    ------
    DataError
        A snapshot that cannot be read, that holds gas, of another redshift, a box that is no
        multiple of pixel and depth, or a bundle that does not know its kernel.
    """
    snapshot, where, kernel = _open(path, grid)
    slabs = _whole(snapshot.header.box_size_mpch, grid.depth_mpch, "depth_mpch", where)
    labels = projection_labels(slabs)
    label = labels[0] if projection is None else projection
    if label not in labels:
        raise DataError(f"{where}:projection", repr(label), f"only {', '.join(labels)}")
    field: np.ndarray = _project(snapshot, where, grid, kernel, slabs)[labels.index(label)]
    return field, snapshot.header.redshift


def project_slabs(
    path: Path, grid: Grid, axis: str | None = None, *, drop_remainder: bool = False
) -> tuple[tuple[str, ...], np.ndarray]:
    """All slabs of the trained depth along one axis.

    Parameters
    ----------
    path, grid
        See :func:`project_snapshot`.
    axis
        ``x``, ``y`` or ``z``; default: the first.
    drop_remainder
        Take the slabs that fit into the box, ``floor(size / depth)``, from its origin on, and leave
        out the rest of a box that is no multiple of the depth.

    Returns
    -------
    Labels, and maps ``(slab, y, x)`` float32 [Msun/h per pixel].

    Raises
    ------
    DataError
        See :func:`project_snapshot`; an axis that is none.
    """
    snapshot, where, kernel = _open(path, grid)
    axis = "x" if axis is None else axis
    if axis not in ("x", "y", "z"):
        raise DataError(f"{where}:projection", repr(axis), "only x, y, z")
    size = snapshot.header.box_size_mpch
    if drop_remainder:
        parts, each = _common_parts(size, grid.depth_mpch, where)
    else:
        parts, each = _whole(size, grid.depth_mpch, "depth_mpch", where, _DROP), 1
    maps = _project(snapshot, where, grid, kernel, parts)
    own = maps.reshape(3, parts, *maps.shape[1:])["xyz".index(axis)]
    n_slabs = parts // each
    slabs = own[: n_slabs * each].reshape(n_slabs, each, *own.shape[1:])
    labels = (axis,) if n_slabs == 1 else tuple(f"{axis}{number}" for number in range(n_slabs))
    return labels, slabs.sum(axis=1, dtype=np.float64).astype(np.float32)


def _open(path: Path, grid: Grid) -> tuple[Snapshot, str, Kernel]:
    """A snapshot that a model of this grid can be painted on, its name, and the kernel."""
    snapshot = open_snapshot(path)
    where = str(snapshot.paths[0])
    if snapshot.count(GAS):
        raise DataError(
            where, "dark matter alone", f"{snapshot.count(GAS)} particles of gas as well",
            "Paint the dark-matter-only twin: that is what the model was trained on.",
        )  # fmt: skip
    require_same_grid({"redshift": snapshot.header.redshift}, grid, where)
    if grid.deposit is None:
        raise DataError(
            where, "a model that knows the kernel of its maps",
            "a bundle of a format before 6, or one of ready maps",
            "Project the snapshot as those maps were made, and paint the map.",
        )  # fmt: skip
    return snapshot, where, grid.deposit


def _project(snapshot: Snapshot, where: str, grid: Grid, kernel: Kernel, slabs: int) -> np.ndarray:
    """Maps of all axes and slabs, ``(axis x slab, y, x)`` float32."""
    found = project_field(
        CONDITION, parts_of(snapshot, DARK_MATTER), where,
        n_pixels=_whole(snapshot.header.box_size_mpch, grid.pixel_mpch, "pixel_mpch", where),
        slabs=slabs, kernel=kernel, block_particles=DataConfig().block_particles,
    )  # fmt: skip
    maps: np.ndarray = found.maps.astype(np.float32)
    return maps


def _common_parts(box_mpch: float, depth_mpch: float, where: str) -> tuple[int, int]:
    """Equal parts of the box of which a whole number is a slab: how many, and how many a slab."""
    ratio = Fraction(box_mpch / depth_mpch).limit_denominator(_MOST_PARTS)
    parts, each = ratio.numerator, ratio.denominator
    agrees = abs(parts * depth_mpch - each * box_mpch) <= _WHOLE * each * box_mpch
    if parts < each or parts > _MOST_PARTS * 4 or not agrees:
        raise DataError(
            f"{where}:depth_mpch",
            f"a box of {depth_mpch:g} Mpc/h or more, that has parts in common with that depth",
            f"{box_mpch:g} Mpc/h",
        )
    return parts, each


def _whole(box_mpch: float, part_mpch: float, name: str, where: str, hint: str = "") -> int:
    """How often a length fits into the box, which it must do exactly."""
    number = round(box_mpch / part_mpch)
    if number < 1 or abs(number * part_mpch - box_mpch) > _WHOLE * box_mpch:
        raise DataError(
            f"{where}:{name}",
            f"a box of a multiple of {part_mpch:g} Mpc/h, as the model was trained",
            f"{box_mpch:g} Mpc/h",
            hint,
        )
    return number
