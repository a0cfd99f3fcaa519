"""Group catalogues: halos of a FoF/SUBFIND HDF5 output, a Rockstar list, or a CSV table.

The format follows from the name: ``.hdf5`` and ``.h5`` are SUBFIND, ``.csv`` is CSV, all others are
Rockstar lists. Groups without a spherical-overdensity mass (``Group_M_Crit200 = 0``) are no halos
and are left out.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.data.gadget import attributes, chunk_paths, file_units, first_chunk, header_value
from emulator.data.halo_tables import read_csv, read_rockstar
from emulator.data.headers import Header
from emulator.io import DataError, open_hdf5

if TYPE_CHECKING:
    import h5py

_FIELDS = {"GroupPos": 3, "Group_M_Crit200": 1, "Group_R_Crit200": 1}
_AGREEMENT = 1.0e-4


class Halos(NamedTuple):
    """Halos in the order of the catalogue.

    Positions ``(n, 3)`` in ``[0, box)``, masses and radii ``(n,)``. Units: Mpc/h,
    Msun/h, Mpc/h (comoving); mass and radius are those of 200 times the critical density.
    """

    position_mpch: NDArray[np.float64]
    m200c_msunh: NDArray[np.float64]
    r200c_mpch: NDArray[np.float64]


def read_halos(path: str | Path, header: Header | None = None) -> Halos:
    """Read all halos of a catalogue.

    Parameters
    ----------
    path
        A text table, a single HDF5 file, any file ``name.{i}.hdf5`` of a family, or ``name.hdf5``
        for a family.
    header
        Of the snapshot that the halos are of. Text tables need it (box, and cosmology for radii
        that they do not list); an HDF5 catalogue must agree with its box.

    Returns
    -------
    Halos
        Possibly none.

    Raises
    ------
    DataError
        A missing or damaged file (of the family: named), a missing attribute, dataset or column,
        another number of groups than ``Ngroups_Total``, values that are not finite, or the
        catalogue of another box.
    """
    path = Path(path)
    if path.suffix in (".hdf5", ".h5"):
        box, values = _read_subfind(first_chunk(path))
        if header is not None:
            _require_box(box, header, path)
    else:
        if header is None:
            raise DataError(path, "the header of its snapshot beside a text table", "none")
        read = read_csv if path.suffix == ".csv" else read_rockstar
        stated_box, values = read(path, header)
        _require_box(stated_box, header, path)
        box = header.box_size_mpch
    return Halos(_wrapped(values[0], box), *values[1:])


def _require_box(box_mpch: float | None, header: Header, path: Path) -> None:
    if box_mpch is not None and not (
        abs(box_mpch - header.box_size_mpch) <= _AGREEMENT * header.box_size_mpch
    ):
        raise DataError(
            path,
            f"a catalogue of the box of its snapshot, {header.box_size_mpch:g} Mpc/h",
            f"one of {box_mpch:g} Mpc/h",
        )


def _wrapped(position: NDArray[np.float64], box: float) -> NDArray[np.float64]:
    position = position - box * np.floor(position / box)
    # a tiny negative coordinate rounds to exactly the box size
    position[position >= box] = 0.0
    return position


def _read_subfind(path: Path) -> tuple[float, tuple[NDArray[np.float64], ...]]:
    with open_hdf5(path) as handle:
        length, mass_unit = file_units(attributes(handle))
        box = float(header_value(handle, path, "BoxSize")) * length
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
    return box, (position[keep] * length, mass[keep] * mass_unit, radius[keep] * length)


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
