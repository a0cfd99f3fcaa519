"""A deep box as slabs of the depth of the training, painted at once: fields ``(slab, y, x)``.

Each slab is a map of its own, with noise of its own: number ``n`` has the noise named
``"{noise} slab {n}"``, where ``noise`` is what the user calls it, or a hash of all slabs. So a box
that is repeated along a line of sight is not painted alike twice.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from emulator.config.suites.redshifts import PARAMETER
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError
from emulator.model.card import Grid
from emulator.progress import Progress
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.grids import require_same_grid
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.labelled import is_periodic
from emulator.sampling.painting.painter import Painter, Paints
from emulator.sampling.painting.scores import summarise_scores
from emulator.sampling.painting.source import Source, read_source

if TYPE_CHECKING:
    import xarray as xr


class Slabs(NamedTuple):
    """Maps one behind the other, and the parameters that came with them."""

    fields: np.ndarray
    """``(slab, y, x)`` [Msun/h per pixel]."""
    labels: tuple[str, ...]
    params: Mapping[str, float] | None
    periodic: bool = True
    """Whether opposite edges touch, as far as the source says."""


def read_slabs(
    source: "np.ndarray | xr.DataArray | str | Path",
    grid: Grid,
    axis: str | None = None,
    *,
    drop_remainder: bool = False,
) -> Slabs:
    """All slabs of a source along one axis.

    Parameters
    ----------
    source
        Of :func:`~emulator.sampling.painting.source.read_source`, where arrays are
        ``(slab, y, x)``: a maps file with slabs, or a snapshot, gives those along ``axis``.
    grid
        Of the model.
    axis
        ``x``, ``y`` or ``z``; default: the first.
    drop_remainder
        Whether to leave out the end of a snapshot's box that is no whole slab.

    Raises
    ------
    DataError
        For what ``read_source`` refuses, an axis that is none, or an array of one map.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix == ".hdf5":
            from emulator.readers.snapshots import open_snapshot
            from emulator.sampling.painting.snapshot import project_slabs

            labels, maps = project_slabs(path, grid, axis, drop_remainder=drop_remainder)
            own = {PARAMETER: open_snapshot(path).header.redshift}
            return Slabs(maps, labels, own if grid.redshift is None else None)
        if path.suffix == ".h5":
            held = read_maps(path, lazy=True).projections
            labels = _along(held, axis, str(path))
            read = [read_source(path, grid, label) for label in labels]
            return Slabs(np.stack([each.field for each in read]), labels, read[0].params)
    elif not isinstance(source, np.ndarray):
        require_same_grid(source.attrs, grid, str(source.name or "map"))
    fields = read_source(source, grid).field if isinstance(source, str | Path) else source
    values = plain_array(fields, "map")
    if values.ndim != 3 or not len(values):
        raise DataError("slabs", "maps (slab, y, x)", f"shape {values.shape}")
    closed = is_periodic(getattr(source, "attrs", {}))
    return Slabs(values, tuple(str(n) for n in range(len(values))), None, closed)


def _along(held: tuple[str, ...], axis: str | None, where: str) -> tuple[str, ...]:
    """Labels of the slabs along an axis: ``z`` alone, or ``z0, z1, ...``."""
    wanted = held[0][0] if axis is None else axis
    labels = [each for each in held if each[:1] == wanted and (each[1:] or "0").isdigit()]
    if len(wanted) != 1 or not labels:
        raise DataError(f"{where}:projection", f"an axis of {', '.join(held)}", repr(axis))
    return tuple(sorted(labels, key=lambda label: int(label[1:] or 0)))


class SlabPainter(AnyPainter):
    """A :class:`~emulator.sampling.painting.painter.Painter` of all slabs of a box.

    Parameters
    ----------
    model
        Trained.
    source, projection, drop_remainder
        See :func:`read_slabs`.
    params, noise_of, options
        See :meth:`emulator.sampling.base.BaseEmulator.paint`.

    Raises
    ------
    EmulatorError
        See there.
    """

    def __init__(
        self,
        model: Paints,
        source: Any,
        params: Any = None,
        *,
        projection: str | None = None,
        drop_remainder: bool = False,
        noise_of: str | None = None,
        **options: Any,
    ) -> None:
        slabs = read_slabs(
            source, model.card.matter_grid, projection, drop_remainder=drop_remainder
        )
        self.labels, fields = slabs.labels, slabs.fields
        digest = hashlib.sha256(np.ascontiguousarray(fields, dtype="<f4").tobytes()).hexdigest()
        self.noise_of = f"slabs {digest}" if noise_of is None else noise_of
        self.painters = [
            Painter(
                model, Source(field, slabs.params, slabs.periodic), params,
                noise_of=f"{self.noise_of} slab {number}", **options,
            )
            for number, field in enumerate(fields)
        ]  # fmt: skip

    @property
    def passes(self) -> int:
        """Windows that the network sees for a member."""
        return sum(painter.passes for painter in self.painters)

    def draw(self, member: int, progress: Progress | None = None) -> np.ndarray:
        """One member, ``(slab, channel, y, x)``."""
        return np.stack([painter.draw(member, progress) for painter in self.painters])

    @property
    def nothing(self) -> np.ndarray:
        """A member that is zero everywhere, ``(1, slab, channel, y, x)``, for labels alone."""
        return np.stack([painter.nothing for painter in self.painters], axis=1)

    def label(self, values: np.ndarray, members: list[int]) -> "xr.Dataset":
        """Dataset of members ``(member, slab, channel, y, x)``."""
        import xarray as xr

        parts = [
            painter.label(values[:, number], members)
            for number, painter in enumerate(self.painters)
        ]
        same = [name for name in parts[0] if name in ("params", "seed")]
        slabs = xr.concat(
            [part.drop_vars(same) for part in parts], "slab", combine_attrs="override"
        )
        for name in slabs.data_vars:
            slabs[name].attrs = dict(parts[0][name].attrs)
        order = [dim for dim in ("member", "slab", "channel", "y", "x") if dim in slabs.dims]
        labelled = (
            slabs.assign({name: parts[0][name] for name in same})
            .assign_coords(slab=list(self.labels))
            .transpose(*order, ...)
            .assign_attrs(
                noise_of=f"name {self.noise_of}",
                mass_dmo_msunh=sum(part.attrs["mass_dmo_msunh"] for part in parts),
            )
        )
        return summarise_scores(labelled)


def require_no_slabs(slabs: bool, mode: str) -> None:
    """Refuse slabs where halos are pasted into one map.

    Raises
    ------
    EmulatorError
        With what to do instead.
    """
    if slabs and mode != "blend":
        raise EmulatorError(
            f"paint: mode {mode} is of one map: paint slabs one by one (projection='z0', 'z1', ...)"
        )
