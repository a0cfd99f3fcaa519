"""Headers: what every format says about a snapshot, in one set of units.

The files themselves keep their own units; ``length_mpch`` and ``mass_msunh`` convert them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.config import HeaderFacts
from emulator.data.gadget import header_value
from emulator.io import DataError
from emulator.units import GADGET_MASS_MSUNH, KPCH_PER_MPCH

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True)
class Header:
    """Facts of a snapshot, in Mpc/h and Msun/h.

    ``counts`` and ``mass_table_msunh`` have one entry a particle type; ``counts`` is of the whole
    snapshot. ``omega_b`` is ``None`` where the file does not say (GADGET does not write it).
    ``length_mpch`` and ``mass_msunh`` are the units of ``Coordinates`` and ``Masses``.
    """

    box_size_mpch: float
    redshift: float
    omega_m: float
    omega_b: float | None
    hubble_h: float
    counts: tuple[int, ...]
    mass_table_msunh: tuple[float, ...]
    length_mpch: float = 1.0 / KPCH_PER_MPCH
    mass_msunh: float = GADGET_MASS_MSUNH


def read_header(handle: "h5py.File", path: Path, facts: HeaderFacts) -> Header:
    """Read the header of an open snapshot; ``facts`` fill in what it lacks."""

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
