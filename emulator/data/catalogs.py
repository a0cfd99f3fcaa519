"""Group catalogues: halos of a FoF/SUBFIND HDF5 output, single or multi-file.

Lengths in the files are comoving kpc/h and masses 1e10 Msun/h. Groups without a spherical
overdensity mass (``Group_M_Crit200 = 0``) are no halos and are left out.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.data.gadget import chunk_paths, first_chunk, header_value
from emulator.io import DataError, open_hdf5
from emulator.units import GADGET_MASS_MSUNH, KPCH_PER_MPCH

if TYPE_CHECKING:
    import h5py

_FIELDS = {"GroupPos": 3, "Group_M_Crit200": 1, "Group_R_Crit200": 1}


class Halos(NamedTuple):
    """Halos in the order of the catalogue.

    Positions ``(n, 3)`` in ``[0, box)``, masses and radii ``(n,)``. Units: Mpc/h,
    Msun/h, Mpc/h (comoving); mass and radius are those of 200 times the critical density.
    """

    position_mpch: NDArray[np.float64]
    m200c_msunh: NDArray[np.float64]
    r200c_mpch: NDArray[np.float64]


def read_halos(path: str | Path, header: "Header | None" = None) -> Halos:
    """Read all halos of a catalogue.

    Parameters
    ----------
    path
        A single file, any file ``name.{i}.hdf5`` of a family, or ``name.hdf5`` for a family.

    Returns
    -------
    Halos
        Possibly none.

    Raises
    ------
    DataError
        A missing or damaged file (of the family: named), a missing ``BoxSize`` or dataset, another
        number of groups than ``Ngroups_Total``, or values that are not finite.
    """
    path = first_chunk(path)
    with open_hdf5(path) as handle:
        box = float(header_value(handle, path, "BoxSize")) / KPCH_PER_MPCH
        n_files = int(header_value(handle, path, "NumFiles", default=1))
        total = int(header_value(handle, path, "Ngroups_Total", default=-1))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _FIELDS}
    for chunk in chunk_paths(path, n_files):
        with open_hdf5(chunk) as handle:
            for name, values in _read_groups(handle, chunk).items():
                parts[name].append(values)
    position, mass, radius = (np.concatenate(parts[name]) for name in _FIELDS)
    if total >= 0 and len(mass) != total:
        raise DataError(f"{path}:Group", f"{total} groups (Ngroups_Total)", f"{len(mass)}")
    keep = mass > 0
    position = position[keep] / KPCH_PER_MPCH
    position -= box * np.floor(position / box)
    # a tiny negative coordinate rounds to exactly the box size
    position[position >= box] = 0.0
    return Halos(position, mass[keep] * GADGET_MASS_MSUNH, radius[keep] / KPCH_PER_MPCH)


def _read_groups(handle: "h5py.File", path: Path) -> dict[str, NDArray[np.float64]]:
    group = handle.get("Group")
    # writers leave the group, or its datasets, out of a file without any halos
    if group is None or len(group) == 0:
        return {name: np.empty((0, 3) if width == 3 else 0) for name, width in _FIELDS.items()}
    values = {}
    for name, width in _FIELDS.items():
        if name not in group:
            present = ", ".join(sorted(group)[:12])
            raise DataError(f"{path}:Group/{name}", "a dataset", f"only {present}")
        try:
            values[name] = group[name][:].astype(np.float64)
        except OSError as error:
            raise DataError(f"{path}:Group/{name}", "readable data", f"{error}") from error
        shape = (len(values["GroupPos"]), 3) if width == 3 else (len(values["GroupPos"]),)
        if values[name].shape != shape or not np.isfinite(values[name]).all():
            raise DataError(
                f"{path}:Group/{name}",
                f"finite values of shape {shape}",
                f"shape {values[name].shape}, "
                f"{np.count_nonzero(~np.isfinite(values[name]))} not finite",
            )
    return values
