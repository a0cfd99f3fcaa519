"""Dark-matter-only runs, hydro outcomes and spectra in three dimensions."""

import functools
from collections.abc import Sequence
from typing import cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from emulator.config import EmbeddedSuite
from emulator.simulate.baryons import HydroParticles, Strengths, baryonify
from emulator.simulate.cosmology import Cosmology
from emulator.simulate.design import FIDUCIAL
from emulator.simulate.gravity import run_gravity
from emulator.simulate.halos import build_tree, find_halos
from emulator.simulate.lpt import wave_numbers
from emulator.simulate.neighbourhood import DarkMatterRun, survey
from emulator.simulate.particle_mesh import deposit

FIDUCIAL_COSMOLOGY = Cosmology(FIDUCIAL["Omega_m"], FIDUCIAL["sigma_8"])
STRENGTHS = Strengths()
DEMO = EmbeddedSuite(n_particles=64, mesh=128, n_steps=40)
STANDARD = EmbeddedSuite(n_particles=64, mesh=192, n_steps=80)
REFERENCE = EmbeddedSuite(n_particles=64, mesh=256, n_steps=160)

Floats = NDArray[np.float64]
Particles = Sequence[tuple[NDArray[np.floating], Floats | float]]


def particle_mass(suite: EmbeddedSuite, cosmology: Cosmology = FIDUCIAL_COSMOLOGY) -> float:
    """Mass of a dark-matter-only particle [Msun/h]."""
    return cosmology.mean_density * (suite.box_size_mpch / suite.n_particles) ** 3


def dark_matter_run(
    suite: EmbeddedSuite, ic_seed: int, cosmology: Cosmology = FIDUCIAL_COSMOLOGY
) -> DarkMatterRun:
    """A cosmology with given phases, with its halos; the last runs are remembered."""
    return _dark_matter_run(suite.model_dump_json(), ic_seed, cosmology)


@functools.lru_cache(maxsize=16)
def _dark_matter_run(suite_json: str, ic_seed: int, cosmology: Cosmology) -> DarkMatterRun:
    suite = EmbeddedSuite.model_validate_json(suite_json)
    positions = run_gravity(suite, cosmology, ic_seed).astype(np.float64)
    tree, mass = build_tree(positions, suite.box_size_mpch), particle_mass(suite, cosmology)
    return survey(tree, mass, find_halos(tree, mass))


def draw(
    run: DarkMatterRun,
    seeds: tuple[int, int],
    *,
    strengths: Strengths = STRENGTHS,
    **params: float,
) -> HydroParticles:
    """A hydro outcome at the fiducial point, changed by ``params``."""
    return baryonify(
        run,
        FIDUCIAL | params,
        baryon_fraction=FIDUCIAL_COSMOLOGY.baryon_fraction,
        strengths=strengths,
        seeds=seeds,
    )


def total_matter(hydro: HydroParticles) -> Particles:
    """Positions and masses of everything in a hydro outcome."""
    return (
        (hydro.dark_matter, hydro.dark_matter_mass),
        (hydro.gas, hydro.gas_masses),
        (hydro.stars, hydro.star_masses),
    )


def power(
    particles: Particles, box_size_mpch: float, edges_hmpc: Floats, n_mesh: int = 256
) -> tuple[Floats, Floats]:
    """Mean wave number [h/Mpc] and power [(Mpc/h)^3] of the overdensity in shells of k.

    Cloud in cell, its window divided out; shot noise is not removed.
    """
    mesh = np.zeros((n_mesh,) * 3)
    for positions, masses in particles:
        weights = np.broadcast_to(np.asarray(masses, dtype=float), len(positions))
        _deposit_weighted(positions, weights, n_mesh / box_size_mpch, mesh)
    modes = scipy.fft.rfftn(mesh / mesh.mean(), workers=-1) / mesh.size
    k_axes = wave_numbers(n_mesh, box_size_mpch)
    for k in k_axes:
        modes /= np.sinc(k * box_size_mpch / n_mesh / (2.0 * np.pi)) ** 2
    k = np.sqrt(sum(axis**2 for axis in k_axes))
    weight = np.full(k.shape, 2.0)
    weight[:, :, 0] = weight[:, :, -1] = 1.0
    shell = np.digitize(k.ravel(), edges_hmpc)

    def total(values: NDArray[np.floating]) -> Floats:
        sums = np.bincount(shell, (weight * values).ravel(), len(edges_hmpc) + 1)
        return cast("Floats", sums[1:-1])  # floats, as the weights are

    count = total(np.ones_like(k))
    return total(k) / count, total(np.abs(modes) ** 2) * box_size_mpch**3 / count


def _deposit_weighted(
    positions: NDArray[np.floating], weights: Floats, scale: float, mesh: Floats
) -> None:
    """Cloud in cell with weights; equal weights take the suite's own kernel."""
    if np.all(weights == weights[0]):
        counts = np.zeros(mesh.shape, dtype=np.float32)
        deposit(positions.astype(np.float32), np.float32(scale), counts)
        mesh += weights[0] * counts
        return
    n = mesh.shape[0]
    lower = np.floor(positions * scale - 0.5).astype(int)
    upper = positions * scale - 0.5 - lower
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, upper, 1.0 - upper), axis=1) * weights
        cell = np.ravel_multi_index(((lower + corner) % n).T, mesh.shape)
        mesh += np.bincount(cell, share, mesh.size).reshape(mesh.shape)
