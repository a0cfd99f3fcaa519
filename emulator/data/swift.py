"""SWIFT files: headers. Lengths and masses are comoving *without* 1/h, in units that the file says.

References
----------
SWIFT documentation, "Snapshots" (https://swift.strw.leidenuniv.nl/docs/Snapshots/).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import HeaderFacts
from emulator.data.headers import Header, checked_box, chosen_units, require, settle
from emulator.io import DataError

if TYPE_CHECKING:
    import h5py

_MPC_IN_CM, _MSUN_IN_G = 3.08567758149e24, 1.98841e33
_LENGTH, _MASS = "Unit length in cgs (U_L)", "Unit mass in cgs (U_M)"


def is_swift(handle: "h5py.File") -> bool:
    """Whether SWIFT wrote this file: it keeps its units in a group of their own."""
    return "Units" in handle and _LENGTH in handle["Units"].attrs


def read_swift_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Header of one file; ``facts`` fill in what it lacks.

    Raises
    ------
    DataError
        As :func:`~emulator.data.gadget.read_gadget_header`, or a box that is no cube.
    """
    attrs: dict[str, Any] = {}
    for group in ("Header", "Cosmology", "Units"):
        if group in handle:
            attrs |= dict(handle[group].attrs)
    where = f"{path}:Header"

    def needed(key: str, name: str) -> float:
        found = float(np.ravel(attrs[name])[0]) if name in attrs else None
        return require(settle(found, key, facts, where), key, where, name, sorted(attrs))

    hubble_h = needed("hubble_h", "h")
    length, mass = chosen_units(
        facts,
        hubble_h,
        _number(attrs, _LENGTH, path) / _MPC_IN_CM * hubble_h,
        _number(attrs, _MASS, path) / _MSUN_IN_G * hubble_h,
    )
    sides = np.ravel(attrs.get("BoxSize", ())) * length
    if len(sides) and not np.allclose(sides, sides[0], rtol=1e-6):
        raise DataError(f"{where}/BoxSize", "a cube", f"sides {sides} Mpc/h")
    box = settle(float(sides[0]) if len(sides) else None, "box_size_mpch", facts, where)
    omega_b = attrs.get("Omega_b")
    low = np.ravel(attrs.get("NumPart_Total", ())).astype(np.int64)
    high = np.ravel(attrs.get("NumPart_Total_HighWord", np.zeros_like(low))).astype(np.int64)
    return Header(
        box_size_mpch=checked_box(
            require(box, "box_size_mpch", where, "BoxSize", sorted(attrs)), where
        ),
        redshift=needed("redshift", "Redshift"),
        omega_m=needed("omega_m", "Omega_m"),
        omega_b=settle(
            float(np.ravel(omega_b)[0]) if omega_b is not None else None, "omega_b", facts, where
        ),
        hubble_h=hubble_h,
        counts=tuple(int(count) for count in low + (high << 32)) if len(low) else None,
        # SWIFT stores every mass; its table of initial masses is not the masses of today
        mass_table_msunh=facts.mass_table_msunh or (),
        length_mpch=length,
        mass_msunh=mass,
    )


def _number(attrs: dict[str, Any], name: str, path: Path) -> float:
    if name not in attrs:
        raise DataError(f"{path}:Units", f"attribute {name!r}", f"only {', '.join(sorted(attrs))}")
    return float(np.ravel(attrs[name])[0])
