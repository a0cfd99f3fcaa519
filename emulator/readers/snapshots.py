r"""Snapshots: the files of one output and what they hold, in every format that is read.

A snapshot is one file or a numbered family ``name.0.hdf5 ... name.{N-1}.hdf5`` whose headers agree.
Particles are read by :mod:`~emulator.projection.blocks`. Not guaranteed: that the particles fill
the box (those of a sub-box do not; :func:`~emulator.projection.twins.require_pair` refuses them).

References
----------
GADGET-2 user guide (Springel 2005), section 6; IllustrisTNG data release (Nelson et al. 2019),
https://www.tng-project.org/data/docs/specifications/
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.config import HeaderFacts
from emulator.io import (
    DataError,
    dataset_of,
    h5py_errors,
    names_in,
    open_hdf5,
    verify_if_sealed,
    verify_own,
)
from emulator.readers.gadget import attributes, chunk_paths, first_chunk, read_gadget_header
from emulator.readers.headers import Header
from emulator.readers.numbers import integer, integers
from emulator.readers.swift import is_swift, read_swift_header

if TYPE_CHECKING:
    import h5py

GAS, DARK_MATTER, STARS, BLACK_HOLES = 0, 1, 4, 5
"""Numbers of the particle groups ``PartType{n}``."""

_MASSES = "Masses"
_AGREEMENT = 1.0e-4
_LOOKED_AT = 100_000


@dataclass(frozen=True)
class Snapshot:
    """A checked snapshot: its files, how many particles each holds, and the header's facts."""

    paths: tuple[Path, ...]
    chunk_counts: tuple[tuple[int, ...], ...]
    header: Header
    notice: str | None
    params: Mapping[str, float] | None = None
    """Parameters that the embedded suite keeps in its files; others keep none there."""

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
        files of a family that disagree, totals that are not the sum over the files, masses in the
        header that contradict those of the particles, or a damaged file of the embedded suite
        (those of others bear no checksum).
    """
    path, facts = first_chunk(path), facts or HeaderFacts()
    verify_if_sealed(path)
    with open_hdf5(path) as handle:
        verify_own(path, handle.attrs)
        n_files = integer(attributes(handle, path), "NumFilesPerSnapshot", f"{path}:Header")
        header = read_header(handle, path, facts)
        notice, params = handle.attrs.get("notice"), _own_parameters(handle)
    paths = chunk_paths(path, 1 if n_files is None else n_files)
    chunk_counts, stored = [], set()
    for chunk in paths:
        if chunk != path:
            verify_if_sealed(chunk)
        with open_hdf5(chunk) as handle:
            _require_same(read_header(handle, chunk, facts), header, chunk, path)
            chunk_counts.append(_counts_of_file(handle, chunk))
            stored |= _stored_masses(handle)
            for kind in stored if facts.masses is None else ():
                _require_same_masses(handle, kind, header, chunk)
    found = tuple(sum(counts) for counts in zip_longest(*chunk_counts, fillvalue=0))
    if header.counts is not None and not _same_counts(found, header.counts):
        raise DataError(
            f"{path}:Header/NumPart_Total",
            f"the sum of NumPart_ThisFile over {n_files} file(s), {list(found)}",
            f"{list(header.counts)}",
            "A file of another snapshot may lie among these, or one is incomplete.",
        )
    table = header.mass_table_msunh
    if facts.masses != "header":
        table = tuple(0.0 if kind in stored else mass for kind, mass in enumerate(table))
    return Snapshot(
        tuple(paths),
        tuple(chunk_counts),
        replace(header, counts=found, mass_table_msunh=table),
        None if notice is None else str(notice),
        params,
    )


def _own_parameters(handle: "h5py.File") -> dict[str, float] | None:
    try:
        facts = json.loads(handle.attrs.get("provenance", "{}"))
    except (TypeError, ValueError):  # an attribute of that name in a file of others
        return None
    return facts.get("params") if isinstance(facts, dict) else None


def read_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of an open file of any format."""
    read = read_swift_header if is_swift(handle) else read_gadget_header
    return read(handle, path, facts)


def _counts_of_file(handle: "h5py.File", path: Path) -> tuple[int, ...]:
    """Particles by type; cut-outs that dropped the header are asked for their datasets."""
    if "Header" in handle:
        stated = integers(handle["Header"].attrs, "NumPart_ThisFile", f"{path}:Header")
        if stated is not None:
            if stated.min(initial=0) < 0:
                raise DataError(f"{path}:Header/NumPart_ThisFile", "counts", f"{stated.tolist()}")
            return tuple(stated.tolist())
    matches = (re.fullmatch(r"PartType(\d{1,2})", name) for name in names_in(handle))
    n_types = max((int(match[1]) + 1 for match in matches if match), default=0)
    names = (f"PartType{number}/Coordinates" for number in range(n_types))
    return tuple(len(handle[name]) if name in handle else 0 for name in names)


def _same_counts(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two headers count the same, one of them perhaps fewer types."""
    return all(a == b for a, b in zip_longest(one, other, fillvalue=0))


def _stored_masses(handle: "h5py.File") -> set[int]:
    """Types whose particles have masses of their own in this file."""
    matches = (re.fullmatch(r"PartType(\d{1,2})", name) for name in names_in(handle))
    kinds = {int(match[1]) for match in matches if match}
    return {kind for kind in kinds if _MASSES in (handle.get(f"PartType{kind}") or ())}


def _require_same_masses(handle: "h5py.File", kind: int, header: Header, path: Path) -> None:
    """Where header and particles both say a mass, the two agree; the first particles are read."""
    table, where = header.mass_table_msunh, f"{path}:PartType{kind}"
    stated = table[kind] if kind < len(table) else 0.0
    if not stated or kind not in _stored_masses(handle):
        return
    dataset = dataset_of(handle[f"PartType{kind}"], _MASSES, where)
    with h5py_errors(f"{where}/{_MASSES}"):
        values = dataset[:_LOOKED_AT].astype(np.float64) * header.mass_msunh
    if not np.allclose(values, stated, rtol=_AGREEMENT, atol=0):
        raise DataError(
            f"{where}/{_MASSES}",
            f"{stated:g} Msun/h each, as the header's MassTable (or suite.header.mass_table_msunh) "
            "says",
            f"{values.min():g} to {values.max():g}",
            "Say which is right: suite.header.masses: particles, or header.",
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
