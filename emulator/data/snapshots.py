r"""Snapshots: particles of a GADGET or AREPO HDF5 output, streamed in blocks.

A snapshot is one file or a numbered family ``name.0.hdf5 ... name.{N-1}.hdf5`` whose headers agree.
Lengths in the files are comoving kpc/h and masses 1e10 Msun/h; everything that leaves this module
is in Mpc/h and Msun/h, with positions wrapped into ``[0, box)``. At most one block of particles is
held in memory. Not guaranteed: that the particles fill the box (those of a sub-box do not).

References
----------
GADGET-2 user guide (Springel 2005), section 6; IllustrisTNG data release (Nelson et al. 2019),
https://www.tng-project.org/data/docs/specifications/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from emulator.data.gadget import chunk_paths, first_chunk, header_value
from emulator.io import DataError, open_hdf5
from emulator.units import GADGET_MASS_MSUNH, KPCH_PER_MPCH

if TYPE_CHECKING:
    import h5py

FloatArray = NDArray[np.float64]
Selection = Literal["all", "stars", "wind"]

GAS, DARK_MATTER, STARS = 0, 1, 4
"""Numbers of the particle groups ``PartType{n}``."""

_FORMATION_TIME = "GFM_StellarFormationTime"
_OUTSIDE, _NOT_FINITE = 1, 2


@dataclass(frozen=True)
class Header:
    """Facts of a snapshot, in Mpc/h and Msun/h.

    ``counts`` and ``mass_table_msunh`` have one entry a particle type; ``counts`` is of the whole
    snapshot. ``omega_b`` is ``None`` where the file does not say (GADGET does not write it).
    """

    box_size_mpch: float
    redshift: float
    omega_m: float
    omega_b: float | None
    hubble_h: float
    counts: tuple[int, ...]
    mass_table_msunh: tuple[float, ...]


@dataclass(frozen=True)
class Snapshot:
    """A checked snapshot: its files, how many particles each holds, and the header's facts.

    No file is kept open; :meth:`blocks` opens one at a time.
    """

    paths: tuple[Path, ...]
    chunk_counts: tuple[tuple[int, ...], ...]
    header: Header
    notice: str | None

    def count(self, particle_type: int) -> int:
        """Number of particles of one type in the whole snapshot; 0 for a type it does not know."""
        counts = self.header.counts
        return counts[particle_type] if particle_type < len(counts) else 0

    def blocks(
        self, particle_type: int, block_particles: int, *, select: Selection = "all"
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield the particles of one type, at most ``block_particles`` at a time.

        Parameters
        ----------
        particle_type
            ``n`` of ``PartType{n}``.
        block_particles
            Particles a block; bounds the memory.
        select
            ``stars`` keeps formation times above zero, ``wind`` the others (AREPO stores gas that
            travels in a galactic wind with the stars). Without ``GFM_StellarFormationTime`` all
            particles are stars.

        Yields
        ------
        Positions ``(n, 3)`` in ``[0, box)`` [Mpc/h] and masses ``(n,)`` [Msun/h]. Both are views of
        buffers that the next block overwrites.

        Raises
        ------
        DataError
            Missing or damaged datasets, lengths that differ from the header, coordinates or masses
            that are not finite, coordinates more than one box length outside the box.
        """
        size = min(block_particles, max(self._chunk_count(i, particle_type) for i in self._chunks))
        buffers = _Buffers(size)
        for chunk in self._chunks:
            if count := self._chunk_count(chunk, particle_type):
                with open_hdf5(self.paths[chunk]) as handle:
                    reader = _ChunkReader(
                        handle, self.paths[chunk], particle_type, count, self.header
                    )
                    for start in range(0, count, block_particles):
                        stop = min(start + block_particles, count)
                        yield reader.read(start, stop, buffers, select)

    @property
    def _chunks(self) -> range:
        return range(len(self.paths))

    def _chunk_count(self, chunk: int, particle_type: int) -> int:
        counts = self.chunk_counts[chunk]
        return counts[particle_type] if particle_type < len(counts) else 0


def open_snapshot(path: str | Path) -> Snapshot:
    """Find the files of a snapshot and check their headers.

    Parameters
    ----------
    path
        A single file, any file ``name.{i}.hdf5`` of a family, or ``name.hdf5`` for a family of that
        name.

    Returns
    -------
    Snapshot
        Nothing but headers has been read.

    Raises
    ------
    DataError
        A missing file of the family (named), a missing header attribute, or totals that are not
        the sum over the files.
    """
    path = first_chunk(path)
    with open_hdf5(path) as handle:
        n_files = int(header_value(handle, path, "NumFilesPerSnapshot", default=1))
        header = _read_header(handle, path)
        notice = handle.attrs.get("notice")
    paths = chunk_paths(path, n_files)
    chunk_counts = []
    for chunk in paths:
        with open_hdf5(chunk) as handle:
            counts = np.atleast_1d(header_value(handle, chunk, "NumPart_ThisFile"))
        chunk_counts.append(tuple(int(count) for count in counts))
    found = tuple(int(total) for total in np.sum(chunk_counts, axis=0))
    if found != header.counts:
        raise DataError(
            f"{path}:Header/NumPart_Total",
            f"the sum of NumPart_ThisFile over {n_files} file(s), {list(found)}",
            f"{list(header.counts)}",
            "A file of another snapshot may lie among these, or one is incomplete.",
        )
    return Snapshot(
        tuple(paths), tuple(chunk_counts), header, None if notice is None else str(notice)
    )


def _read_header(handle: "h5py.File", path: Path) -> Header:
    def number(name: str) -> float:
        return float(header_value(handle, path, name))

    low = np.atleast_1d(header_value(handle, path, "NumPart_Total")).astype(np.int64)
    high = np.atleast_1d(
        header_value(handle, path, "NumPart_Total_HighWord", default=np.zeros_like(low))
    ).astype(np.int64)
    omega_b = header_value(handle, path, "OmegaBaryon", default=np.nan)
    table = np.atleast_1d(header_value(handle, path, "MassTable"))
    header = Header(
        box_size_mpch=number("BoxSize") / KPCH_PER_MPCH,
        redshift=number("Redshift"),
        omega_m=number("Omega0"),
        omega_b=None if np.isnan(omega_b) else float(omega_b),
        hubble_h=number("HubbleParam"),
        counts=tuple(int(count) for count in low + (high << 32)),
        mass_table_msunh=tuple(float(mass) * GADGET_MASS_MSUNH for mass in table),
    )
    if not header.box_size_mpch > 0:
        raise DataError(f"{path}:Header/BoxSize", "a positive box size", f"{header.box_size_mpch}")
    return header


class _Buffers:
    """Arrays that every block of a species reuses; the raw ones take the file's own precision."""

    def __init__(self, size: int) -> None:
        self.position = np.empty((size, 3))
        self.mass = np.empty(size)
        self._raw: dict[str, np.ndarray] = {}

    def raw(self, name: str, count: int, dataset: "h5py.Dataset") -> np.ndarray:
        array = self._raw.get(name)
        if array is None or array.dtype != dataset.dtype:
            array = self._raw[name] = np.empty((len(self.mass), *dataset.shape[1:]), dataset.dtype)
        return array[:count]


class _ChunkReader:
    """Reads blocks of one particle type from one open file."""

    def __init__(
        self, handle: "h5py.File", path: Path, particle_type: int, count: int, header: Header
    ) -> None:
        self.where = f"{path}:PartType{particle_type}"
        self.count, self.box = count, header.box_size_mpch
        group = handle.get(f"PartType{particle_type}")
        if group is None:
            raise DataError(self.where, f"a group with {count} particles (header)", "no such group")
        self.group = group
        table = header.mass_table_msunh
        self.fixed_mass = table[particle_type] if particle_type < len(table) else 0.0
        self.coordinates = self._dataset("Coordinates")
        self.masses = None if self.fixed_mass > 0 else self._dataset("Masses")
        self.times = self._dataset(_FORMATION_TIME) if _FORMATION_TIME in group else None

    def read(
        self, start: int, stop: int, buffers: _Buffers, select: Selection
    ) -> tuple[FloatArray, FloatArray]:
        position, mass = buffers.position[: stop - start], buffers.mass[: stop - start]
        raw = self._read(self.coordinates, start, stop, buffers)
        self._refuse(_wrap_into_box(raw, 1.0 / KPCH_PER_MPCH, self.box, position), start)
        if self.masses is None:
            mass[:] = self.fixed_mass
        else:
            raw = self._read(self.masses, start, stop, buffers)
            np.multiply(raw, GADGET_MASS_MSUNH, out=mass, dtype=np.float64)
            if not (mass.min() >= 0 and np.isfinite(mass.max())):
                raise DataError(
                    f"{self.where}/Masses", "finite masses of zero or more", f"{mass.min()}"
                )
        if select == "all":
            return position, mass
        if self.times is None:
            return (position, mass) if select == "stars" else (position[:0], mass[:0])
        is_star = self._read(self.times, start, stop, buffers) > 0
        keep = np.flatnonzero(is_star if select == "stars" else ~is_star)
        position[: len(keep)] = position[keep]
        mass[: len(keep)] = mass[keep]
        return position[: len(keep)], mass[: len(keep)]

    def _dataset(self, name: str) -> "h5py.Dataset":
        if name not in self.group:
            present = ", ".join(sorted(self.group)) or "none"
            hint = "MassTable holds no mass for this type either." if name == "Masses" else ""
            raise DataError(f"{self.where}/{name}", "a dataset", f"only {present}", hint)
        dataset = self.group[name]
        shape = (self.count, 3) if name == "Coordinates" else (self.count,)
        if dataset.shape != shape:
            raise DataError(
                f"{self.where}/{name}", f"shape {shape} (NumPart_ThisFile)", f"{dataset.shape}"
            )
        return dataset

    def _read(
        self, dataset: "h5py.Dataset", start: int, stop: int, buffers: _Buffers
    ) -> np.ndarray:
        raw = buffers.raw(dataset.name.rsplit("/", 1)[-1], stop - start, dataset)
        try:
            dataset.read_direct(raw, np.s_[start:stop])
        except OSError as error:
            raise DataError(
                f"{self.where}:{dataset.name}", "readable data", f"damaged data ({error})"
            ) from error
        return raw

    def _refuse(self, fault: int, start: int) -> None:
        where = f"{self.where}/Coordinates (block from particle {start})"
        if fault == _NOT_FINITE:
            raise DataError(where, "finite coordinates", "NaN or infinity")
        if fault == _OUTSIDE:
            raise DataError(
                where,
                f"coordinates within one box length of [0, {self.box:g}] Mpc/h",
                "coordinates farther out",
                "Coordinates and BoxSize must both be in comoving kpc/h.",
            )


@njit(cache=True, nogil=True)
def _wrap_into_box(raw: np.ndarray, scale: float, box: float, out: FloatArray) -> int:
    """Scale and wrap coordinates into ``[0, box)``; return the worst fault (0: none)."""
    fault = 0
    for i in range(raw.shape[0]):
        for axis in range(3):
            x = np.float64(raw[i, axis]) * scale
            if not np.isfinite(x):
                fault = _NOT_FINITE
            elif x < -box or x > 2.0 * box:
                fault = max(fault, _OUTSIDE)
            x -= box * np.floor(x / box)
            # a tiny negative x rounds to exactly box
            out[i, axis] = x if x < box else 0.0
    return fault
