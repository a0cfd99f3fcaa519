"""Windows about massive halos, pixel by pixel: what a field is beside DMO times its share.

Log-ratios are natural logarithms. Maps are deposited as the pipeline deposits them.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.suite.runs import FIDUCIAL_COSMOLOGY
from emulator.metrics.power_spectrum import Modes, build_shells, fourier_modes, shell_power
from emulator.projection.blocks import Block
from emulator.projection.deposit import (
    deposit_maps,
    deposit_mesh,
    mesh_side,
    padded_shape,
    without_ghosts,
)
from emulator.simulate.baryons import HydroParticles
from emulator.simulate.neighbourhood import DarkMatterRun

WINDOW = 6.25
"""Side of a window [Mpc/h]."""

MASSES = (4.0e12, 2.0e13)
"""M200c of the halos on which windows are centred [Msun/h]."""

EDGES = (0.2, 0.65, 1.0, 2.0, 4.4, 12.0, 41.0, 64.0)
"""Edges of the bins of the DMO pixel over the window's median."""

OCCUPIED = 1.0e9

Floats = NDArray[np.float64]


def project(
    positions: Floats, masses: Floats | float, box: float, n_pixels: int, *, adaptive: bool = True
) -> Floats:
    """Maps ``(3, y, x)`` [Msun/h per pixel], as the pipeline deposits them."""
    mass = np.broadcast_to(np.asarray(masses, dtype=np.float64), len(positions)).copy()
    block = Block(np.mod(positions, box), mass, box, 1.0, "surrogate")
    grids = np.zeros(padded_shape(3, n_pixels))
    if not adaptive:
        deposit_maps(block, grids, "cic")
        return without_ghosts(grids)
    mesh = np.zeros((mesh_side(len(positions)),) * 3, np.float32)
    deposit_mesh(block, mesh)
    deposit_maps(block, grids, "adaptive", mesh=mesh)
    return without_ghosts(grids)


def project_all(
    run: DarkMatterRun, hydro: HydroParticles, box: float, n_pixels: int
) -> dict[str, Floats]:
    """Maps of ``dmo, dm_hydro, gas, stars``."""
    return {
        "dmo": project(run.positions, run.particle_mass_msunh, box, n_pixels),
        "dm_hydro": project(hydro.dark_matter, hydro.dark_matter_mass, box, n_pixels),
        "gas": project(hydro.gas, hydro.gas_masses, box, n_pixels),
        "stars": project(hydro.stars, hydro.star_masses, box, n_pixels, adaptive=False),
    }


def massive_windows(
    run: DarkMatterRun, maps: Mapping[str, Floats], box: float
) -> dict[str, Floats]:
    """Windows ``(window, y, x)`` of every field about halos of :data:`MASSES`, all projections."""
    n = maps["dmo"].shape[-1]
    size = round(n * WINDOW / box)
    low, high = MASSES
    centres = run.halos.positions[(run.halos.m200c >= low) & (run.halos.m200c < high)]
    pixels = np.floor(centres * n / box).astype(int)
    found: dict[str, list[Floats]] = {name: [] for name in maps}
    for pixel in pixels:
        for projection, (row, column) in enumerate(((1, 2), (0, 2), (0, 1))):
            rows = (pixel[row] - size // 2 + np.arange(size)) % n
            columns = (pixel[column] - size // 2 + np.arange(size)) % n
            for name, values in maps.items():
                found[name].append(values[projection][np.ix_(rows, columns)])
    return {name: np.array(values) for name, values in found.items()}


def log_ratio(windows: Mapping[str, Floats], name: str) -> Floats:
    """Ln of a field over DMO times its share."""
    share = FIDUCIAL_COSMOLOGY.baryon_fraction
    return np.log(windows[name] / (windows["dmo"] * {"gas": share, "dm_hydro": 1 - share}[name]))


@dataclass(frozen=True)
class Bin:
    """One bin of the DMO pixel: mean and scatter of log-ratios, share of pixels with stars."""

    n: int
    dark_matter: tuple[float, float]
    gas: tuple[float, float]
    occupied: float
    amplitude: tuple[float, float]


def by_density(windows: Mapping[str, Floats]) -> list[Bin]:
    """The bins of :data:`EDGES`."""
    dmo = windows["dmo"]
    relative = dmo / np.median(dmo, axis=(1, 2), keepdims=True)
    stars, share = windows["stars"], FIDUCIAL_COSMOLOGY.baryon_fraction
    ratios = {name: log_ratio(windows, name) for name in ("dm_hydro", "gas")}
    rows = []
    for low, high in itertools.pairwise(EDGES):
        inside = (relative >= low) & (relative < high)
        occupied = inside & (stars > OCCUPIED)
        amplitude = np.log(stars[occupied] / (share * dmo[occupied]))
        rows.append(
            Bin(
                int(inside.sum()),
                dark_matter=_moments(ratios["dm_hydro"][inside]),
                gas=_moments(ratios["gas"][inside]),
                occupied=float(occupied.sum() / max(inside.sum(), 1)),
                amplitude=_moments(amplitude) if len(amplitude) else (0.0, 0.0),
            )
        )
    return rows


def _moments(values: Floats) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


def kurtosis(values: Floats) -> float:
    """Excess-free kurtosis: 3 for a Gaussian."""
    centred = values - values.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2)


def neighbour_correlation(values: Floats, lag: int = 1) -> float:
    """Correlation of pixels ``lag`` apart along x and y."""
    centred = values - values.mean()
    products = [
        (centred[..., lag:] * centred[..., :-lag]).mean(),
        (centred[..., lag:, :] * centred[..., :-lag, :]).mean(),
    ]
    return float(np.mean(products) / np.mean(centred**2))


def tapered_spectra(windows: Mapping[str, Floats], box: float, n_pixels: int) -> dict[str, Floats]:
    """``k`` [h/Mpc], r(k) with DMO and P over that of DMO, of windows under a Hann taper."""
    size = windows["dmo"].shape[-1]
    taper = np.hanning(size)[:, None] * np.hanning(size)[None, :]
    shells = build_shells(size, box / n_pixels)

    def modes(values: Floats) -> Modes:
        mean = (values * taper).sum(axis=(1, 2), keepdims=True) / taper.sum()
        return fourier_modes((values / mean - 1.0) * taper)

    total = windows["dm_hydro"] + windows["gas"] + windows["stars"]
    fields = {**windows, "total": total}
    found = {name: modes(values) for name, values in fields.items() if name != "stars"}
    power = {n: shell_power(m, m, shells).mean(axis=0) for n, m in found.items()}
    result = {"k": shells.k_hmpc}
    for name in ("dm_hydro", "gas", "total"):
        cross = shell_power(found[name], found["dmo"], shells).mean(axis=0)
        result[f"r_{name}"] = cross / np.sqrt(power[name] * power["dmo"])
        result[f"p_{name}"] = power[name] / power["dmo"]
    return result


def join(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Windows of several runs."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
