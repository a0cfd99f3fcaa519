"""Blocks: particles of a snapshot, streamed through a reused buffer.

A block is what the file holds: its precision and its units, unchecked but for shapes. The deposit
(:mod:`~emulator.projection.deposit`) converts, wraps and checks each particle as it reads it, so
that a particle passes through memory once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError, dataset_of, h5py_errors, names_in, open_hdf5
from emulator.readers.compton import compton_areas
from emulator.readers.properties import read_property
from emulator.readers.snapshots import Snapshot

if TYPE_CHECKING:
    import h5py

Selection = Literal["all", "stars", "wind"]

_BLOCK = 1_048_576
_FORMATION_TIME = "GFM_StellarFormationTime"


class Block(NamedTuple):
    """Particles as the file holds them.

    ``position`` ``(n, 3)`` in units of which ``box_size`` make the box, ``mass`` ``(n,)`` in units
    of ``mass_msunh``; ``where`` names file and group, ``start`` is the first particle's number.
    ``weight`` ``(n,)`` is deposited in place of the mass, which still sets how wide a cloud is.
    """

    position: NDArray[Any]
    mass: NDArray[Any]
    box_size: float
    mass_msunh: float
    where: str
    start: int = 0
    weight: NDArray[np.float64] | None = None

    def place(self, dataset: str) -> str:
        """Name a dataset of this block in a message."""
        return f"{self.where}/{dataset} (block from particle {self.start})"


@dataclass(frozen=True)
class Part:
    """Particles of one type in one file: ``start <= index < stop``.

    ``select``: ``stars`` keeps formation times above zero, ``wind`` the others (AREPO stores gas
    that travels in a galactic wind with the stars). Without ``GFM_StellarFormationTime`` all
    particles are stars.
    """

    snapshot: Snapshot
    chunk: int
    particle_type: int
    start: int
    stop: int
    select: Selection = "all"

    def __len__(self) -> int:
        return self.stop - self.start

    def split_at(self, count: int) -> "tuple[Part, Part | None]":
        """First ``count`` particles, and the rest if there is one."""
        if count >= len(self):
            return self, None
        cut = self.start + count
        return replace(self, stop=cut), replace(self, start=cut)


def parts_of(snapshot: Snapshot, particle_type: int, select: Selection = "all") -> list[Part]:
    """One part a file that holds particles of the type."""
    counts = (snapshot.chunk_count(i, particle_type) for i in range(len(snapshot.paths)))
    return [
        Part(snapshot, chunk, particle_type, 0, count, select)
        for chunk, count in enumerate(counts)
        if count
    ]


def read_blocks(
    part: Part,
    block_particles: int,
    *,
    mean_of: str | None = None,
    sum_of: Literal["compton_y"] | None = None,
) -> Iterator[Block]:
    """Yield the particles of a part, at most ``block_particles`` at a time.

    With ``mean_of`` their weight is the mass times that property
    (:mod:`~emulator.readers.properties`); with ``sum_of`` what they add of that property
    (:mod:`~emulator.readers.compton` [Mpc^2]), over ``mass_msunh``, which deposits multiply with.

    Raises
    ------
    DataError
        Missing or damaged datasets, or lengths that differ from the header.

    Notes
    -----
    Arrays are views of buffers that the next block overwrites.
    """
    path, header = part.snapshot.paths[part.chunk], part.snapshot.header
    group_name = f"PartType{part.particle_type}"
    where = f"{path}:{group_name}"
    count = part.snapshot.chunk_count(part.chunk, part.particle_type)
    table = header.mass_table_msunh
    fixed = table[part.particle_type] if part.particle_type < len(table) else 0.0
    size = min(block_particles, len(part))
    with open_hdf5(path) as handle:
        group = handle.get(group_name)
        if group is None:
            raise DataError(where, f"a group with {count} particles (header)", "no such group")
        position = _Reader(group, where, "Coordinates", (count, 3), size)
        mass: _Reader | _Constant
        if fixed > 0:
            mass, unit = _Constant(fixed, size), 1.0
        else:
            # SWIFT's black holes have no "Masses"
            name = "DynamicalMasses" if "DynamicalMasses" in group else "Masses"
            mass, unit = _Reader(group, where, name, (count,), size), header.mass_msunh
        time = None
        if part.select != "all" and _FORMATION_TIME in group:
            time = _Reader(group, where, _FORMATION_TIME, (count,), size)
        elif part.select == "wind":
            return
        for start in range(part.start, part.stop, block_particles):
            stop = min(start + block_particles, part.stop)
            x, m, weight = position.read(start, stop), mass.read(start, stop), None
            if mean_of is not None:
                rows = np.s_[start:stop]
                weight = m * read_property(group, mean_of, rows, count, where)
            elif sum_of is not None:
                h = header.hubble_h
                masses = m.astype(np.float64) * (unit / h)
                rows, length = np.s_[start:stop], header.length_mpch / h
                weight = compton_areas(group, masses, rows, count, where, length_mpc=length) / unit
            if time is not None:
                is_star = time.read(start, stop) > 0
                chosen = is_star if part.select == "stars" else ~is_star
                # copies: equal masses share one buffer
                x, m = x[chosen], m[chosen]
                weight = None if weight is None else weight[chosen]
            yield Block(
                x,
                m,
                header.box_size_mpch / header.length_mpch,
                unit,
                where,
                start,
                weight,
            )


def mass_of(snapshot: Snapshot, particle_type: int) -> float:
    """Mass of all particles of a type [Msun/h]; raises as :func:`read_blocks`."""
    return mass_of_parts(parts_of(snapshot, particle_type))


def mass_of_parts(parts: Iterable[Part]) -> float:
    """Mass of the particles of some parts [Msun/h]; raises as :func:`read_blocks`."""
    return sum(
        float(block.mass.sum(dtype=np.float64)) * block.mass_msunh
        for part in parts
        for block in read_blocks(part, _BLOCK)
    )


class _Reader:
    """One dataset, read into a buffer of its own precision, in the byte order of this machine."""

    def __init__(
        self, group: "h5py.Group", where: str, name: str, shape: tuple[int, ...], size: int
    ) -> None:
        self.where = f"{where}/{name}"
        if name == "Masses" and name not in group:
            raise DataError(
                self.where,
                "a dataset",
                f"only {', '.join(names_in(group)) or 'none'}",
                "MassTable holds no mass for this type either; suite.header.mass_table_msunh can.",
            )
        self.dataset = dataset_of(group, name, where)
        if self.dataset.shape != shape:
            raise DataError(
                self.where, f"shape {shape} (NumPart_ThisFile)", f"{self.dataset.shape}"
            )
        # the kernels take float32 and float64
        is_single = self.dataset.dtype.kind == "f" and self.dataset.dtype.itemsize <= 4
        self.buffer = np.empty((size, *shape[1:]), np.float32 if is_single else np.float64)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        values = self.buffer[: stop - start]
        with h5py_errors(self.where):
            self.dataset.read_direct(values, np.s_[start:stop])
        return values


class _Constant:
    """Equal masses, as ``MassTable`` gives them."""

    def __init__(self, value: float, size: int) -> None:
        self.values = np.full(size, value)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.values[: stop - start]
