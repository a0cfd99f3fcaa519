"""SWIFT files: headers. Lengths and masses are comoving *without* 1/h, in units that the file says.

References
----------
SWIFT documentation, "Snapshots" (https://swift.strw.leidenuniv.nl/docs/Snapshots/).
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.config import HeaderFacts
from emulator.io import DataError, names_in
from emulator.readers.headers import (
    Header,
    Stated,
    box_side,
    merged_attributes,
    settle,
    total_counts,
)
from emulator.readers.numbers import number, numbers

if TYPE_CHECKING:
    import h5py

_MPC_IN_CM, _MSUN_IN_G = 3.08567758149e24, 1.98841e33
_LENGTH, _MASS = "Unit length in cgs (U_L)", "Unit mass in cgs (U_M)"
_ATTRIBUTES = {
    "box_size_mpch": "BoxSize",
    "redshift": "Redshift",
    "omega_m": "Omega_m",
    "omega_b": "Omega_b",
    "hubble_h": "h",
}


def is_swift(handle: "h5py.File") -> bool:
    """Whether SWIFT wrote this file: it says so, or keeps its units as SWIFT does."""
    code = handle["Code"].attrs.get("Code", "") if "Code" in handle else ""
    name = code.decode(errors="replace") if isinstance(code, bytes) else str(code)
    return name == "SWIFT" or ("Units" in handle and _LENGTH in handle["Units"].attrs)


def read_swift_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of one file; ``facts`` fill in what it lacks.

    Raises
    ------
    DataError
        As :func:`~emulator.readers.headers.settle`, or units that are not stated, a box that is no
        cube, or positions that are stored as physical.
    """
    counts = ("NumPart_Total", "NumPart_Total_HighWord")
    alike = (*_ATTRIBUTES.values(), _LENGTH, _MASS)
    groups = ("Header", "Cosmology", "Units")
    attrs = merged_attributes(handle, groups, (*alike, *counts), path, alike=alike)
    where = f"{path}:Header"
    _require_comoving(handle, path)
    stated = Stated(
        box_size=box_side(attrs, where),
        redshift=number(attrs, "Redshift", where),
        omega_m=number(attrs, "Omega_m", where),
        omega_b=number(attrs, "Omega_b", where),
        hubble_h=number(attrs, "h", where),
        counts=total_counts(attrs, where),
        # SWIFT stores every mass; its table of initial masses is not the masses of today
        mass_table=(),
        length=(_cgs(attrs, _LENGTH, path) / _MPC_IN_CM, 1),
        mass=(_cgs(attrs, _MASS, path) / _MSUN_IN_G, 1),
        attributes=_ATTRIBUTES,
        present=tuple(attrs),
    )
    return settle(stated, facts, where)


def _cgs(attrs: dict[str, Any], name: str, path: Path) -> float:
    value = number(attrs, name, f"{path}:Units")
    if value is None or not 0 < value < math.inf:
        got = f"only {', '.join(names_in(attrs))}" if value is None else f"{value:g}"
        raise DataError(f"{path}:Units", f"a positive attribute {name!r}", got)
    return value


def _require_comoving(handle: "h5py.File", path: Path) -> None:
    for name in (key for key in names_in(handle) if key.startswith("PartType")):
        if "Coordinates" not in handle[name]:
            continue
        where = f"{path}:{name}/Coordinates"
        physical = numbers(handle[name]["Coordinates"].attrs, "Value stored as physical", where)
        if physical is not None and physical.any():
            raise DataError(where, "comoving positions", "physical ones (SWIFT says so)")
