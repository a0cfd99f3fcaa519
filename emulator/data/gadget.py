"""GADGET and AREPO files (GADGET-2/3/4, AREPO, GIZMO): families of files, headers, units.

Lengths are comoving, and lengths and masses carry 1/h. Units are those that the file gives in cgs
(``UnitLength_in_cm``, ``UnitMass_in_g``; GIZMO spells them ``_In_CGS``), otherwise GADGET's:
kpc/h and 1e10 Msun/h.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import HeaderFacts
from emulator.data.headers import Header, checked_box, chosen_units, require, settle
from emulator.io import DataError
from emulator.units import GADGET_MASS_MSUNH, KPCH_PER_MPCH

if TYPE_CHECKING:
    import h5py

_CHUNK_NAME = re.compile(r"^(?P<stem>.+)\.\d+(?P<suffix>\.(?:hdf5|h5))$")
_GROUPS = ("Header", "Parameters", "Units", "Cosmology")
_MPC_IN_CM, _MSUN_IN_G = 3.085678e24, 1.989e33


def first_chunk(path: str | Path) -> Path:
    """``path`` itself or, where only the family exists, its file number 0."""
    path = Path(path)
    family = path.with_name(f"{path.stem}.0{path.suffix}")
    return family if not path.is_file() and family.is_file() else path


def chunk_paths(path: Path, n_files: int) -> list[Path]:
    """Files of the family that ``path`` belongs to; a missing one is a DataError that names it."""
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
    missing = [chunk for chunk in paths if not chunk.is_file()]
    if missing:
        names = ", ".join(chunk.name for chunk in missing[:5])
        raise DataError(
            missing[0],
            f"all {n_files} files that the header of {path.name} announces",
            f"{len(missing)} missing ({names}{', ...' if len(missing) > 5 else ''})",
            "Download or restore them: maps of an incomplete snapshot would lack mass.",
        )
    return paths


def attributes(handle: "h5py.File") -> dict[str, Any]:
    """Attributes of ``/Header``, and of the groups where newer codes keep what it lacks."""
    found: dict[str, Any] = {}
    for group in _GROUPS:
        if group in handle:
            found = {**handle[group].attrs, **found}
    return found


def header_value(handle: "h5py.File", path: Path, name: str, *, default: Any = None) -> Any:
    """One of :func:`attributes`; without it ``default``, or an error that lists what is there."""
    found = attributes(handle)
    value = found.get(name, default)
    if value is None:
        raise DataError(
            f"{path}:Header",
            f"attribute {name!r}",
            f"only {', '.join(sorted(found)) or 'none'}",
            "Is this a whole GADGET or AREPO file? Cut-outs often drop the header; copy it over.",
        )
    return value


def file_units(attrs: dict[str, Any]) -> tuple[float, float]:
    """Units of length and mass [Mpc/h, Msun/h]; a value near kpc or Mpc means exactly that."""
    length = _unit(attrs, ("UnitLength_in_cm", "UnitLength_In_CGS"), _MPC_IN_CM, 1 / KPCH_PER_MPCH)
    mass = _unit(attrs, ("UnitMass_in_g", "UnitMass_In_CGS"), _MSUN_IN_G, GADGET_MASS_MSUNH)
    return length, mass


def _unit(attrs: dict[str, Any], names: tuple[str, ...], in_cgs: float, default: float) -> float:
    given = [float(attrs[name]) / in_cgs for name in names if name in attrs]
    if not given or given[0] <= 0:
        return default
    # files round the parsec and the sun to four digits or so
    return next((unit for unit in (default, 1.0) if abs(given[0] / unit - 1) < 2e-3), given[0])


def read_gadget_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of one file; ``facts`` fill in what it lacks.

    Raises
    ------
    DataError
        An attribute that is missing in file and config, or on which the two disagree.
    """
    attrs, where = attributes(handle), f"{path}:Header"

    def number(name: str) -> float | None:
        return float(attrs[name]) if name in attrs else None

    def needed(key: str, found: float | None, name: str) -> float:
        return require(settle(found, key, facts, where), key, where, name, sorted(attrs))

    hubble_h = needed("hubble_h", number("HubbleParam"), "HubbleParam")
    length, mass = chosen_units(facts, hubble_h, *file_units(attrs))
    box = number("BoxSize")
    table = np.atleast_1d(attrs.get("MassTable", ())) * mass
    return Header(
        box_size_mpch=checked_box(
            needed("box_size_mpch", None if box is None else box * length, "BoxSize"), where
        ),
        redshift=needed("redshift", _redshift(attrs), "Redshift"),
        omega_m=needed("omega_m", number("Omega0"), "Omega0"),
        omega_b=settle(number("OmegaBaryon") or None, "omega_b", facts, where),
        hubble_h=hubble_h,
        counts=_counts(attrs),
        mass_table_msunh=facts.mass_table_msunh or tuple(float(entry) for entry in table),
        length_mpch=length,
        mass_msunh=mass,
    )


def _redshift(attrs: dict[str, Any]) -> float | None:
    if "Redshift" in attrs:
        return float(attrs["Redshift"])
    # cosmological runs write the scale factor as their time
    time = float(attrs.get("Time", 0.0))
    return 1.0 / time - 1.0 if 0.0 < time <= 1.0 else None


def _counts(attrs: dict[str, Any]) -> tuple[int, ...] | None:
    if "NumPart_Total" not in attrs:
        return None
    low = np.atleast_1d(attrs["NumPart_Total"]).astype(np.int64)
    high = np.atleast_1d(attrs.get("NumPart_Total_HighWord", np.zeros_like(low))).astype(np.int64)
    return tuple(int(count) for count in low + (high << 32))
