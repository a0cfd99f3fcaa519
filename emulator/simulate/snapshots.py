"""Snapshots and group catalogues of the embedded suite, in the HDF5 layout of GADGET and AREPO.

Lengths are comoving kpc/h and masses 1e10 Msun/h in the files, Mpc/h and Msun/h in memory. Files
are written atomically, bear their checksum and hold no time stamps: the same inputs give the same
bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from emulator.io import open_hdf5, seal_of, verify, write_bytes
from emulator.simulate.baryons import HydroParticles
from emulator.simulate.cosmology import Cosmology
from emulator.simulate.halos import HaloTable
from emulator.simulate.thermodynamics import Thermodynamics
from emulator.units import GADGET_MASS_MSUNH, KPCH_PER_MPCH

GAS, DARK_MATTER, STARS = 0, 1, 4
N_TYPES = 6


def write_dmo_snapshot(
    path: Path,
    positions: NDArray[np.float32],
    *,
    box_size_mpch: float,
    cosmology: Cosmology,
    attrs: Mapping[str, str],
    redshift: float = 0.0,
) -> None:
    """Write a dark-matter-only snapshot; MassTable holds the total matter."""
    mass = cosmology.mean_density * box_size_mpch**3 / len(positions)
    with _new_file(path, attrs) as handle:
        facts = _box_attributes(box_size_mpch, cosmology, redshift)
        _write_header(handle, {DARK_MATTER: len(positions)}, {DARK_MATTER: mass}, facts)
        group = handle.create_group("PartType1")
        _write(group, "Coordinates", _coordinates(positions, box_size_mpch))
        _write(group, "ParticleIDs", np.arange(len(positions), dtype=np.uint32))


def write_hydro_snapshot(
    path: Path,
    particles: HydroParticles,
    heated: Thermodynamics | None = None,
    *,
    box_size_mpch: float,
    cosmology: Cosmology,
    attrs: Mapping[str, str],
    redshift: float = 0.0,
) -> None:
    """Write gas, dark matter and stars of one hydro outcome; of gas also how hot it is."""
    counts = {
        GAS: len(particles.gas),
        DARK_MATTER: len(particles.dark_matter),
        STARS: len(particles.stars),
    }
    masses = {DARK_MATTER: particles.dark_matter_mass}
    with _new_file(path, attrs) as handle:
        facts = _box_attributes(box_size_mpch, cosmology, redshift)
        _write_header(handle, counts, masses, facts)
        for name, positions in (
            ("PartType0", particles.gas),
            ("PartType1", particles.dark_matter),
            ("PartType4", particles.stars),
        ):
            # Like AREPO: a type without particles has no group.
            if len(positions):
                group = handle.create_group(name)
                _write(group, "Coordinates", _coordinates(positions, box_size_mpch))
        _write(handle["PartType0"], "Masses", _masses(particles.gas_masses))
        if heated is not None:
            for name, values in (
                ("InternalEnergy", heated.internal_energy),
                ("ElectronAbundance", heated.electron_abundance),
            ):
                _write(handle["PartType0"], name, values.astype(np.float32))
        if len(particles.stars):
            stars = handle["PartType4"]
            _write(stars, "Masses", _masses(particles.star_masses))
            formed = particles.star_formation_times.astype(np.float32)
            _write(stars, "GFM_StellarFormationTime", formed)


def write_catalogue(
    path: Path,
    halos: HaloTable,
    *,
    box_size_mpch: float,
    cosmology: Cosmology,
    attrs: Mapping[str, str],
    redshift: float = 0.0,
) -> None:
    """Write a group catalogue."""
    with _new_file(path, attrs) as handle:
        header = handle.create_group("Header").attrs
        header.update(_box_attributes(box_size_mpch, cosmology, redshift))
        header["Ngroups_ThisFile"] = header["Ngroups_Total"] = np.int32(len(halos.m200c))
        header["Nsubgroups_ThisFile"] = header["Nsubgroups_Total"] = np.int32(0)
        header["NumFiles"] = np.int32(1)
        group = handle.create_group("Group")
        _write(group, "GroupPos", _coordinates(halos.positions, box_size_mpch))
        _write(group, "Group_M_Crit200", _masses(halos.m200c))
        _write(group, "Group_R_Crit200", (halos.r200c * KPCH_PER_MPCH).astype(np.float32))
        _write(group, "GroupLen", halos.n_fof.astype(np.int32))


def read_positions(path: Path) -> NDArray[np.float64]:
    """Positions of a dark-matter-only snapshot of this suite, ``(particle, 3)`` [Mpc/h]."""
    verify(path)
    with open_hdf5(path) as handle:
        positions: NDArray[np.float64] = handle["PartType1/Coordinates"][:].astype(np.float64)
        return positions / KPCH_PER_MPCH


def read_catalogue(path: Path) -> HaloTable:
    """Group catalogue of this suite."""
    verify(path)
    with open_hdf5(path) as handle:
        group = handle["Group"]
        return HaloTable(
            positions=group["GroupPos"][:].astype(np.float64) / KPCH_PER_MPCH,
            m200c=group["Group_M_Crit200"][:].astype(np.float64) * GADGET_MASS_MSUNH,
            r200c=group["Group_R_Crit200"][:].astype(np.float64) / KPCH_PER_MPCH,
            n_fof=group["GroupLen"][:].astype(np.int64),
        )


@contextmanager
def _new_file(path: Path, attrs: Mapping[str, str]) -> Iterator[h5py.File]:
    # In memory first: HDF5 itself crashes when the disk fills up, a plain write is an OSError.
    buffer = BytesIO()
    with h5py.File(buffer, "w") as handle:
        handle.attrs.update(attrs)
        yield handle
    content = buffer.getbuffer()
    write_bytes(path, content, seal_of(content))


def _write(group: h5py.Group, name: str, values: NDArray[np.generic]) -> None:
    group.create_dataset(name, data=values, track_times=False)


def _box_attributes(
    box_size_mpch: float, cosmology: Cosmology, redshift: float
) -> dict[str, float]:
    return {
        "BoxSize": box_size_mpch * KPCH_PER_MPCH,
        "Redshift": redshift,
        "Time": 1.0 / (1.0 + redshift),
        "Omega0": cosmology.omega_m,
        "OmegaLambda": 1.0 - cosmology.omega_m,
        "OmegaBaryon": cosmology.omega_b,
        "HubbleParam": cosmology.hubble_h,
    }


def _write_header(
    handle: h5py.File,
    counts: Mapping[int, int],
    masses_msunh: Mapping[int, float],
    facts: Mapping[str, float],
) -> None:
    header = handle.create_group("Header").attrs
    header.update(facts)
    header["MassTable"] = np.array(_by_type(masses_msunh)) / GADGET_MASS_MSUNH
    total = np.array(_by_type(counts), dtype=np.int64)
    header["NumPart_ThisFile"] = total.astype(np.int32)
    header["NumPart_Total"] = (total & 0xFFFFFFFF).astype(np.uint32)
    header["NumPart_Total_HighWord"] = (total >> 32).astype(np.uint32)
    header["NumFilesPerSnapshot"] = np.int32(1)


def _by_type(values: Mapping[int, float]) -> Sequence[float]:
    return [values.get(kind, 0) for kind in range(N_TYPES)]


def _coordinates(positions: NDArray[np.floating], box_size_mpch: float) -> NDArray[np.float32]:
    """Positions [ckpc/h] in [0, BoxSize), also after rounding to float32."""
    box = np.float32(box_size_mpch * KPCH_PER_MPCH)
    wrapped = np.mod(positions, box_size_mpch) * KPCH_PER_MPCH
    coordinates: NDArray[np.float32] = wrapped.astype(np.float32)
    coordinates[coordinates >= box] = 0.0
    return coordinates


def _masses(masses_msunh: NDArray[np.float64]) -> NDArray[np.float32]:
    return (masses_msunh / GADGET_MASS_MSUNH).astype(np.float32)
