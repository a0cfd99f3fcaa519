r"""Snapshots: the files of one output and what they hold, in every format that is read.

A snapshot is one file or a numbered family ``name.0.hdf5 ... name.{N-1}.hdf5`` whose headers agree.
Particles are read by :mod:`~emulator.data.blocks`. Not guaranteed: that the particles fill the box
(those of a sub-box do not; :func:`~emulator.data.twins.require_pair` refuses them).

References
----------
GADGET-2 user guide (Springel 2005), section 6; IllustrisTNG data release (Nelson et al. 2019),
https://www.tng-project.org/data/docs/specifications/
"""

import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.config import HeaderFacts
from emulator.data.gadget import chunk_paths, first_chunk, header_value, read_gadget_header
from emulator.data.headers import Header
from emulator.data.swift import is_swift, read_swift_header
from emulator.io import DataError, open_hdf5

if TYPE_CHECKING:
    import h5py

GAS, DARK_MATTER, STARS, BLACK_HOLES = 0, 1, 4, 5
"""Numbers of the particle groups ``PartType{n}``."""


@dataclass(frozen=True)
class Snapshot:
    """A checked snapshot: its files, how many particles each holds, and the header's facts."""

    paths: tuple[Path, ...]
    chunk_counts: tuple[tuple[int, ...], ...]
    header: Header
    notice: str | None

    def count(self, particle_type: int) -> int:
        """Number of particles of one type in the whole snapshot; 0 for a type it does not know."""
        return _entry(self.header.counts or (), particle_type)

    def chunk_count(self, chunk: int, particle_type: int) -> int:
        """Number of particles of one type in file ``chunk``."""
        return _entry(self.chunk_counts[chunk], particle_type)


def _entry(counts: tuple[int, ...], particle_type: int) -> int:
    return counts[particle_type] if particle_type < len(counts) else 0


def open_snapshot(path: str | Path, facts: HeaderFacts | None = None) -> Snapshot:
    """Find the files of a snapshot and check their headers.

    Parameters
    ----------
    path
        A single file, any file ``name.{i}.hdf5`` of a family, or ``name.hdf5`` for a family of that
        name; of GADGET, AREPO, GIZMO or SWIFT.
    facts
        What the headers lack.

    Returns
    -------
    Snapshot
        Nothing but headers has been read.

    Raises
    ------
    DataError
        A missing file of the family (named), a header attribute that neither file nor config has,
        files of a family that disagree, or totals that are not the sum over the files.
    """
    path, facts = first_chunk(path), facts or HeaderFacts()
    with open_hdf5(path) as handle:
        n_files = int(np.ravel(header_value(handle, path, "NumFilesPerSnapshot", default=1))[0])
        header = read_header(handle, path, facts)
        notice = handle.attrs.get("notice")
    paths = chunk_paths(path, n_files)
    chunk_counts = []
    for chunk in paths:
        with open_hdf5(chunk) as handle:
            _require_same(read_header(handle, chunk, facts), header, chunk, path)
            chunk_counts.append(_counts_of_file(handle))
            _require_no_masses(handle, chunk, facts)
    found = tuple(sum(counts) for counts in zip_longest(*chunk_counts, fillvalue=0))
    if header.counts is not None and not _same_counts(found, header.counts):
        raise DataError(
            f"{path}:Header/NumPart_Total",
            f"the sum of NumPart_ThisFile over {n_files} file(s), {list(found)}",
            f"{list(header.counts)}",
            "A file of another snapshot may lie among these, or one is incomplete.",
        )
    return Snapshot(
        tuple(paths),
        tuple(chunk_counts),
        replace(header, counts=found),
        None if notice is None else str(notice),
    )


def read_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of an open file of any format."""
    read = read_swift_header if is_swift(handle) else read_gadget_header
    return read(handle, path, facts)


def _counts_of_file(handle: "h5py.File") -> tuple[int, ...]:
    """Particles by type; cut-outs that dropped the header are asked for their datasets."""
    if "Header" in handle and "NumPart_ThisFile" in handle["Header"].attrs:
        return tuple(int(count) for count in np.ravel(handle["Header"].attrs["NumPart_ThisFile"]))
    matches = (re.fullmatch(r"PartType(\d+)", name) for name in handle)
    n_types = max((int(match[1]) + 1 for match in matches if match), default=0)
    names = (f"PartType{number}/Coordinates" for number in range(n_types))
    return tuple(len(handle[name]) if name in handle else 0 for name in names)


def _same_counts(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two headers count the same, one of them perhaps fewer types."""
    return all(a == b for a, b in zip_longest(one, other, fillvalue=0))


def _require_no_masses(handle: "h5py.File", path: Path, facts: HeaderFacts) -> None:
    for kind, mass in enumerate(facts.mass_table_msunh or ()):
        if mass > 0 and f"PartType{kind}/Masses" in handle:
            raise DataError(
                f"{path}:PartType{kind}/Masses",
                f"no masses one by one, as suite.header.mass_table_msunh says {mass:g} Msun/h",
                "a dataset",
                "Set that entry of suite.header.mass_table_msunh to 0.",
            )


def _require_same(header: Header, first: Header, chunk: Path, path: Path) -> None:
    for name in ("box_size_mpch", "redshift", "omega_m", "hubble_h", "counts"):
        if getattr(header, name) != getattr(first, name):
            raise DataError(
                f"{chunk}:Header",
                f"{name} = {getattr(first, name)} as in {path.name}",
                f"{getattr(header, name)}",
                "The files of a family must be of one snapshot.",
            )
