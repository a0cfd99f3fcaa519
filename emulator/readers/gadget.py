"""GADGET and AREPO files (GADGET-2/3/4, AREPO, GIZMO): families of files, headers, units.

Lengths are comoving, and lengths and masses carry 1/h. Units are those that the file gives in cgs,
otherwise GADGET's: kpc/h and 1e10 Msun/h. ``UnitLength_in_cm`` and ``UnitMass_in_g`` are per h;
GIZMO's ``UnitLength_In_CGS`` and ``UnitMass_In_CGS`` have been divided by h.

References
----------
GADGET-4 user guide (Springel et al. 2021), "Snapshot format"; GIZMO (Hopkins 2015), ``io.c`` of
https://github.com/pfhopkins/gizmo-public
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.config import HeaderFacts
from emulator.io import DataError, is_file
from emulator.readers.headers import (
    LENGTHS,
    MASSES,
    FileUnit,
    Header,
    Stated,
    box_side,
    merged_attributes,
    require_same_numbers,
    settle,
    stated_number,
    total_counts,
)
from emulator.readers.numbers import number, numbers

if TYPE_CHECKING:
    import h5py

_CHUNK_NAME = re.compile(r"^(?P<stem>.+)\.\d+(?P<suffix>\.(?:hdf5|h5))$")
_GROUPS = ("Header", "Parameters", "Units", "Cosmology")
_MOST_FILES = 100_000
_FACTS = (
    "BoxSize",
    "Redshift",
    "Time",
    "Omega0",
    "Omega_Matter",
    "OmegaBaryon",
    "Omega_Baryon",
    "HubbleParam",
    "UnitLength_in_cm",
    "UnitLength_In_CGS",
    "UnitMass_in_g",
    "UnitMass_In_CGS",
)
_OF_THE_FILE = (
    "MassTable",
    "NumPart_Total",
    "NumPart_Total_HighWord",
    "NumFilesPerSnapshot",
    "NumFiles",
    "Ngroups_ThisFile",
    "Ngroups_Total",
)
_MPC_IN_CM, _MSUN_IN_G = 3.085678e24, 1.989e33
_ATTRIBUTES = {
    "box_size_mpch": "BoxSize",
    "redshift": "Redshift",
    "omega_m": "Omega0",
    "omega_b": "OmegaBaryon",
    "hubble_h": "HubbleParam",
}

KPC, MASS = LENGTHS["kpc/h"], MASSES["1e10 Msun/h"]
"""Units where the file does not say."""


def first_chunk(path: str | Path) -> Path:
    """``path`` itself or, where only the family exists, its file number 0."""
    path = Path(path)
    family = path.with_name(f"{path.stem}.0{path.suffix}")
    return family if not is_file(path) and is_file(family) else path


def chunk_paths(path: Path, n_files: int) -> list[Path]:
    """Files of the family that ``path`` belongs to; a missing one is a DataError that names it."""
    if not 1 <= n_files <= _MOST_FILES:
        raise DataError(f"{path}:Header", "a number of files of the family", f"{n_files}")
    if n_files == 1:
        return [path]
    match = _CHUNK_NAME.match(path.name)
    if match is None:
        raise DataError(
            path,
            f"a name such as {path.stem}.0{path.suffix}, as the header says {n_files} files",
            f"{path.name!r}",
        )
    paths = [path.with_name(f"{match['stem']}.{i}{match['suffix']}") for i in range(n_files)]
    missing = [chunk for chunk in paths if not is_file(chunk)]
    if missing:
        names = ", ".join(chunk.name for chunk in missing[:5])
        raise DataError(
            missing[0],
            f"all {n_files} files that the header of {path.name} announces",
            f"{len(missing)} missing ({names}{', ...' if len(missing) > 5 else ''})",
            "Download or restore them: maps of an incomplete snapshot would lack mass.",
        )
    return paths


def attributes(handle: "h5py.File", path: Path) -> dict[str, Any]:
    """Attributes of ``/Header``, and of the groups where newer codes keep what it lacks."""
    return merged_attributes(handle, _GROUPS, (*_FACTS, *_OF_THE_FILE), path, alike=_FACTS)


def lacking(attrs: Mapping[str, Any], name: str, path: Path) -> DataError:
    """Error of a header that lacks an attribute."""
    return DataError(
        f"{path}:Header",
        f"attribute {name!r}",
        f"only {', '.join(sorted(attrs)) or 'none'}",
        "Is this a whole GADGET or AREPO file? Cut-outs often drop the header; copy it over.",
    )


def stated_units(attrs: Mapping[str, Any], where: str) -> tuple[FileUnit | None, FileUnit | None]:
    """Units of length and mass that a file gives in cgs; ``None`` where it does not."""
    length = _unit(attrs, "UnitLength_in_cm", "UnitLength_In_CGS", _MPC_IN_CM, KPC, where)
    mass = _unit(attrs, "UnitMass_in_g", "UnitMass_In_CGS", _MSUN_IN_G, MASS, where)
    return length, mass


def _unit(
    attrs: Mapping[str, Any], per_h: str, whole: str, in_cgs: float, usual: FileUnit, where: str
) -> FileUnit | None:
    found, in_full = (number(attrs, name, where) or 0.0 for name in (per_h, whole))
    if found > 0:
        # files round the parsec and the sun to four digits or so
        value = found / in_cgs
        return next(
            ((unit, 0) for unit in (usual[0], 1.0) if abs(value / unit - 1) < 2e-3), (value, 0)
        )
    # GIZMO has divided by h already
    return (in_full / in_cgs, 1) if in_full > 0 else None


def read_gadget_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of one file; ``facts`` fill in what it lacks. Raises as :func:`settle`."""
    attrs, where = attributes(handle, path), f"{path}:Header"
    length, mass = stated_units(attrs, where)
    table = numbers(attrs, "MassTable", where)
    stated = Stated(
        box_size=box_side(attrs, where),
        redshift=_redshift(attrs, where),
        omega_m=stated_number(attrs, ("Omega0", "Omega_Matter"), where),
        omega_b=stated_number(attrs, ("OmegaBaryon", "Omega_Baryon"), where) or None,
        hubble_h=number(attrs, "HubbleParam", where),
        counts=total_counts(attrs, where),
        mass_table=() if table is None else tuple(table.tolist()),
        length=length or KPC,
        mass=mass or MASS,
        attributes=_ATTRIBUTES,
        present=tuple(attrs),
    )
    return settle(stated, facts, where)


def _redshift(attrs: Mapping[str, Any], where: str) -> float | None:
    redshift, time = number(attrs, "Redshift", where), number(attrs, "Time", where) or 0.0
    # cosmological runs write the scale factor as their time
    by_time = 1.0 / time - 1.0 if 0.0 < time <= 1.0 else None
    if redshift is None or by_time is None:
        return by_time if redshift is None else redshift
    require_same_numbers(1.0 + redshift, 1.0 + by_time, f"{where}/Redshift (1+z)", "1 / Time")
    return redshift
