"""From a dark-matter-only snapshot to a map as those that a model was trained on."""

from pathlib import Path

import numpy as np

from emulator.config import DataConfig
from emulator.fields import CONDITION
from emulator.io import DataError
from emulator.model.card import Grid
from emulator.projection.blocks import parts_of
from emulator.projection.pair import project_field, projection_labels
from emulator.readers.snapshots import DARK_MATTER, GAS, open_snapshot
from emulator.sampling.grids import require_same_grid

_WHOLE = 1.0e-6


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
    snapshot = open_snapshot(path)
    header, where = snapshot.header, str(snapshot.paths[0])
    if snapshot.count(GAS):
        raise DataError(
            where, "dark matter alone", f"{snapshot.count(GAS)} particles of gas as well",
            "Paint the dark-matter-only twin: that is what the model was trained on.",
        )  # fmt: skip
    require_same_grid({"redshift": header.redshift}, grid, where)
    if grid.deposit is None:
        raise DataError(
            where, "a model that knows the kernel of its maps",
            "a bundle of a format before 6, or one of ready maps",
            "Project the snapshot as those maps were made, and paint the map.",
        )  # fmt: skip
    n_pixels = _whole(header.box_size_mpch, grid.pixel_mpch, "pixel_mpch", where)
    slabs = _whole(header.box_size_mpch, grid.depth_mpch, "depth_mpch", where)
    labels = projection_labels(slabs)
    label = labels[0] if projection is None else projection
    if label not in labels:
        raise DataError(f"{where}:projection", repr(label), f"only {', '.join(labels)}")
    found = project_field(
        CONDITION, parts_of(snapshot, DARK_MATTER), where,
        n_pixels=n_pixels, slabs=slabs, kernel=grid.deposit,
        block_particles=DataConfig().block_particles,
    )  # fmt: skip
    field: np.ndarray = found.maps[labels.index(label)].astype(np.float32)
    return field, header.redshift


def _whole(box_mpch: float, part_mpch: float, name: str, where: str) -> int:
    """How often a length fits into the box, which it must do exactly."""
    number = round(box_mpch / part_mpch)
    if number < 1 or abs(number * part_mpch - box_mpch) > _WHOLE * box_mpch:
        raise DataError(
            f"{where}:{name}",
            f"a box of a multiple of {part_mpch:g} Mpc/h, as the model was trained",
            f"{box_mpch:g} Mpc/h",
        )
    return number
