"""Group catalogues: halos of a FoF/SUBFIND HDF5 output, a Rockstar list, or a CSV table.

The format follows from the name: ``.hdf5`` and ``.h5`` are SUBFIND, ``.csv`` is CSV, all others are
Rockstar lists. Groups without a spherical-overdensity mass (``Group_M_Crit200 = 0``) are no halos
and are left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError, dataset_of, h5py_errors, open_hdf5, verify_if_sealed, verify_own
from emulator.readers.gadget import attributes, chunk_paths, first_chunk, lacking, stated_units
from emulator.readers.halo_tables import Listed, radius_200c, read_csv, read_rockstar
from emulator.readers.headers import LENGTHS, MASSES, FileUnit, Header, box_side, scale
from emulator.readers.numbers import integer, number
from emulator.units import CRITICAL_DENSITY

if TYPE_CHECKING:
    import h5py

_FIELDS = {"GroupPos": 3, "Group_M_Crit200": 1, "Group_R_Crit200": 1}
_AGREEMENT = 1.0e-4
_TOLERANCE, _ENOUGH = 0.1, 10


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
        that they do not list); an HDF5 catalogue that does not state its units has those of the
        snapshot. Box and redshift that the catalogue states must be the snapshot's.

    Returns
    -------
    Halos
        Possibly none.

    Raises
    ------
    DataError
        A missing or damaged file (of the family: named), a missing attribute, dataset or column,
        another number of groups than ``Ngroups_Total``, values that are not finite or negative,
        positions outside the box (HDF5: by more than a box), a halo without a radius, the
        catalogue of another box or output, or masses and radii that no halo of this box can have.
    """
    path = Path(path)
    if path.suffix in (".hdf5", ".h5"):
        listed = _read_subfind(first_chunk(path), header)
    elif header is None:
        raise DataError(path, "the header of its snapshot beside a text table", "none")
    else:
        listed = (read_csv if path.suffix == ".csv" else read_rockstar)(path, header)
    if header is not None:
        _require_match(listed, header, path)
    box = listed.box_size_mpch if header is None else header.box_size_mpch
    keep = listed.m200c_msunh > 0
    halos = Halos(
        _wrapped(listed.position_mpch[keep], box),
        listed.m200c_msunh[keep],
        listed.r200c_mpch[keep],
    )
    n_points = int(np.count_nonzero(halos.r200c_mpch == 0))
    if n_points:
        raise DataError(path, "a radius of every halo with a mass", f"{n_points} of zero")
    if header is not None:
        _require_plausible(halos, header, path)
    return halos


def _require_match(listed: Listed, header: Header, path: Path) -> None:
    box, stated = header.box_size_mpch, listed.box_size_mpch
    if not abs(stated - box) <= _AGREEMENT * box:
        raise DataError(
            path,
            f"a catalogue of the box of its snapshot, {box:g} Mpc/h",
            f"one of {stated:g} Mpc/h",
        )
    redshift = header.redshift if listed.redshift is None else listed.redshift
    if not abs(redshift - header.redshift) <= _AGREEMENT * (1.0 + header.redshift):
        raise DataError(
            path,
            f"a catalogue of the output of its snapshot, redshift {header.redshift:.5g}",
            f"one of redshift {redshift:.5g}",
        )


def _wrapped(position: NDArray[np.float64], box: float) -> NDArray[np.float64]:
    position = position - box * np.floor(position / box)
    # a tiny negative coordinate rounds to exactly the box size
    position[position >= box] = 0.0
    return position


def _require_plausible(halos: Halos, header: Header, path: Path) -> None:
    r"""Masses and radii that a wrong unit would break.

    A halo is lighter than the box, and :math:`M = \frac{4\pi}{3}\,200\,\rho_c(z)\,r^3`: to 10 %
    in the median of ten halos or more, to a factor of two in that of fewer.
    """
    mass = halos.m200c_msunh
    if not len(mass):
        return
    matter = header.omega_m * CRITICAL_DENSITY * header.box_size_mpch**3
    if mass.max() >= matter:
        raise DataError(
            f"{path}:M200c",
            f"halos that are lighter than the matter of the box, {matter:.4g} Msun/h",
            f"one of {mass.max():.4g} Msun/h",
            "Masses in another unit? Catalogues are in 1e10 Msun/h (HDF5) or Msun/h (text).",
        )
    expected = radius_200c(mass, header.omega_m, header.redshift)
    ratio = float(np.median((expected / halos.r200c_mpch) ** 3))
    tolerance = _TOLERANCE if len(mass) >= _ENOUGH else 1.0
    if not 1.0 / (1.0 + tolerance) <= ratio <= 1.0 + tolerance:
        raise DataError(
            f"{path}:M200c, R200c",
            "masses and radii of one definition, M = 4/3 pi 200 rho_c r^3 (median over halos)",
            f"masses {ratio:.4g} times as large",
            "Masses or radii in another unit (with h or without?), or of another definition.",
        )


def _read_subfind(path: Path, header: Header | None) -> Listed:
    verify_if_sealed(path)
    with open_hdf5(path) as handle:
        verify_own(path, handle.attrs)
        attrs, where = attributes(handle, path), f"{path}:Header"
        length, mass_unit = _units(attrs, path, header)
        side = box_side(attrs, where)
        if side is None or not side > 0:
            raise lacking(attrs, "BoxSize", path)
        box, redshift = side * length, number(attrs, "Redshift", where)
        n_files = integer(attrs, "NumFiles", where)
        total = integer(attrs, "Ngroups_Total", where)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _FIELDS}
    for chunk in chunk_paths(path, 1 if n_files is None else n_files):
        with open_hdf5(chunk) as handle:
            for name, values in _read_groups(handle, chunk).items():
                parts[name].append(values)
    position, mass, radius = (np.concatenate(parts[name]) for name in _FIELDS)
    if total is not None and len(mass) != total:
        raise DataError(f"{path}:Group", f"{total} groups (Ngroups_Total)", f"{len(mass)}")
    position *= length
    if position.size and (position.min() < -box or position.max() > 2.0 * box):
        raise DataError(
            f"{path}:Group/GroupPos",
            f"positions within one box length of [0, {box:g}] Mpc/h",
            f"{position.min():g} to {position.max():g}",
        )
    return Listed(box, redshift, position, mass * mass_unit, radius * length)


def _units(attrs: Mapping[str, Any], path: Path, header: Header | None) -> tuple[float, float]:
    """Units of length and mass [Mpc/h, Msun/h]: stated here, or the snapshot's, or GADGET's."""
    usual: tuple[FileUnit, FileUnit] = (LENGTHS["kpc/h"], MASSES["1e10 Msun/h"])
    if header is not None:
        usual = ((header.length_mpch, 0), (header.mass_msunh, 0))
    where = f"{path}:Header"
    length, mass = (
        stated or default for stated, default in zip(stated_units(attrs, where), usual, strict=True)
    )
    if not (length[1] or mass[1]):
        return scale(length, 1.0), scale(mass, 1.0)
    hubble_h = number(attrs, "HubbleParam", where)
    if not hubble_h:
        raise lacking(attrs, "HubbleParam", path)
    return scale(length, hubble_h), scale(mass, hubble_h)


def _read_groups(handle: "h5py.File", path: Path) -> dict[str, NDArray[np.float64]]:
    attrs, where = attributes(handle, path), f"{path}:Header"
    stated = integer(attrs, "Ngroups_ThisFile", where)
    group = handle.get("Group")
    if group is None and stated is None and "Ngroups_Total" not in attrs:
        raise DataError(
            f"{path}:Group", "a group of halos, or their number in the header", "neither",
            "Is this a group catalogue? A snapshot holds no halos.",
        )  # fmt: skip
    values = _no_groups()
    # writers leave the group, or its datasets, out of a file without any halos
    if group is not None and len(group):
        values = {name: _read_field(group, name, f"{path}:Group") for name in _FIELDS}
    n_groups = len(values["GroupPos"])
    if stated is not None and stated != n_groups:
        raise DataError(f"{path}:Group", f"{stated} groups (Ngroups_ThisFile)", f"{n_groups}")
    for name, width in _FIELDS.items():
        found = values[name]
        shape = (n_groups, 3) if width == 3 else (n_groups,)
        bad = ~np.isfinite(found) | (found < 0 if width == 1 else False)
        if found.shape != shape or bad.any():
            raise DataError(
                f"{path}:Group/{name}",
                f"finite values of shape {shape}, none negative"
                if width == 1
                else f"finite values of shape {shape}",
                f"shape {found.shape}, {np.count_nonzero(bad)} others",
            )
    return values


def _no_groups() -> dict[str, NDArray[np.float64]]:
    return {name: np.empty((0, 3) if width == 3 else 0) for name, width in _FIELDS.items()}


def _read_field(group: "h5py.Group", name: str, where: str) -> NDArray[np.float64]:
    dataset = dataset_of(group, name, where)
    if dataset.shape is None:  # written without a dataspace where there are no halos
        return _no_groups()[name]
    with h5py_errors(f"{where}/{name}"):
        values: NDArray[np.float64] = dataset[()].astype(np.float64)
    return values
