"""Snapshots for measurements, written with h5py: contiguous datasets, float32."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from analysis.benchmarks.data.particles import BOX_MPCH, displaced_lattice, snapshot_like
from emulator.units import CRITICAL_DENSITY

OMEGA_M, OMEGA_B = 0.3, 0.049


def write_pair(folder: Path, side: int, *, star_share: float = 0.05) -> tuple[Path, Path]:
    """A DMO snapshot of ``side^3`` particles, and its twin with as much gas, and stars."""
    position = snapshot_like(displaced_lattice(side)) * np.float32(1e3)
    matter = OMEGA_M * CRITICAL_DENSITY * BOX_MPCH**3 / 1e10
    share = OMEGA_B / OMEGA_M
    n = len(position)
    dmo, hydro = folder / "dmo.hdf5", folder / "hydro.hdf5"
    _write(dmo, {1: {"Coordinates": position}}, [0, matter / n, 0, 0, 0, 0])
    n_stars = int(star_share * n)
    times = np.where(np.arange(n_stars) % 50 == 0, -1.0, 0.5).astype(np.float32)
    groups = {
        0: {"Coordinates": position[::-1], "Masses": _masses(n, 0.95 * share * matter)},
        1: {"Coordinates": position},
        4: {
            "Coordinates": position[:n_stars],
            "Masses": _masses(n_stars, 0.05 * share * matter),
            "GFM_StellarFormationTime": times,
        },
    }
    _write(hydro, groups, [0, (1 - share) * matter / n, 0, 0, 0, 0])
    return dmo, hydro


def _masses(count: int, total: float) -> np.ndarray:
    return np.full(count, total / count, np.float32)


def _write(path: Path, groups: dict[int, dict[str, np.ndarray]], masses: list[float]) -> None:
    counts = [len(groups[kind]["Coordinates"]) if kind in groups else 0 for kind in range(6)]
    attrs: dict[str, Any] = {
        "BoxSize": BOX_MPCH * 1e3,
        "MassTable": masses,
        "NumPart_ThisFile": counts,
        "NumPart_Total": counts,
        "NumFilesPerSnapshot": 1,
        "Redshift": 0.0,
        "Omega0": OMEGA_M,
        "OmegaBaryon": OMEGA_B,
        "HubbleParam": 0.6711,
    }
    with h5py.File(path, "w") as handle:
        handle.create_group("Header").attrs.update(attrs)
        for kind, datasets in groups.items():
            for name, values in datasets.items():
                handle[f"PartType{kind}/{name}"] = values
