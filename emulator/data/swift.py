"""SWIFT files: headers. Lengths and masses are comoving *without* 1/h, in units that the file says.

References
----------
SWIFT documentation, "Snapshots" (https://swift.strw.leidenuniv.nl/docs/Snapshots/).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import HeaderFacts
from emulator.data.headers import Header, Stated, box_side, number, settle, total_counts
from emulator.io import DataError

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
    name = code.decode() if isinstance(code, bytes) else str(code)
    return name == "SWIFT" or ("Units" in handle and _LENGTH in handle["Units"].attrs)


def read_swift_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of one file; ``facts`` fill in what it lacks.

    Raises
    ------
    DataError
        As :func:`~emulator.data.headers.settle`, or units that are not stated, a box that is no
        cube, or positions that are stored as physical.
    """
    attrs: dict[str, Any] = {}
    for group in ("Header", "Cosmology", "Units"):
        if group in handle:
            attrs |= dict(handle[group].attrs)
    where = f"{path}:Header"
    _require_comoving(handle, path)
    stated = Stated(
        box_size=box_side(attrs, where),
        redshift=number(attrs, "Redshift", where),
        omega_m=number(attrs, "Omega_m", where),
        omega_b=number(attrs, "Omega_b", where),
        hubble_h=number(attrs, "h", where),
        counts=total_counts(attrs),
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
    if value is None:
        raise DataError(f"{path}:Units", f"attribute {name!r}", f"only {', '.join(sorted(attrs))}")
    return value


def _require_comoving(handle: "h5py.File", path: Path) -> None:
    for name in (key for key in handle if key.startswith("PartType")):
        if "Coordinates" not in handle[name]:
            continue
        physical = handle[name]["Coordinates"].attrs.get("Value stored as physical", 0)
        if np.ravel(physical)[0]:
            raise DataError(
                f"{path}:{name}/Coordinates", "comoving positions", "physical ones (SWIFT says so)"
            )
