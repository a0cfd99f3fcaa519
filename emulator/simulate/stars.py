"""Stars of a halo: a central galaxy and satellites, as extra particles.

The central galaxy has a Hernquist profile; satellites sit on randomly chosen dark-matter particles
of the halo. Only the total mass, the number and the places are meant to be realistic: galaxies are
far smaller than a pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CENTRAL_SCALE, SATELLITE_SCALE = 0.012, 0.006
"""Hernquist scale radii [R200c of the host]."""

SATELLITE_MASS_MSUNH = 4.0e11
"""Mass of a halo that has one satellite on average; their number grows as its power 0.8."""


@dataclass(frozen=True)
class HaloStars:
    """Offsets from the centre ``(star, 3)`` [Mpc/h], masses [Msun/h], scale factors of birth."""

    offsets: Floats
    masses: Floats
    formation_times: Floats


def place_stars(
    rng: np.random.Generator,
    mass_msunh: float,
    halo_mass_msunh: float,
    r200c_mpch: float,
    dark_matter: Floats,
    star_mass_msunh: float,
) -> HaloStars:
    """Put ``mass_msunh`` of stars into a halo.

    Parameters
    ----------
    rng
        Generator of this halo.
    mass_msunh
        Mass of all stars; the particles sum up to it.
    halo_mass_msunh, r200c_mpch
        M200c and R200c of the host.
    dark_matter
        ``(particle, 3)`` offsets of the halo's dark matter [Mpc/h], where satellites may sit.
    star_mass_msunh
        Wanted mass of a star particle; at least 8 and at most 1024 are made.
    """
    count = int(np.clip(round(mass_msunh / star_mass_msunh), 8, 1024))
    n_satellites = min(
        int(rng.poisson((halo_mass_msunh / SATELLITE_MASS_MSUNH) ** 0.8)), count // 4
    )
    share = 0.85 / (1.0 + np.sqrt(halo_mass_msunh / 3.0e13)) if n_satellites else 1.0
    n_central = max(count - 2 * n_satellites, round(share * count)) if n_satellites else count
    n_central = min(n_central, count - n_satellites)

    weights = rng.exponential(size=n_satellites)
    hosts = dark_matter[rng.integers(len(dark_matter), size=n_satellites)]
    # Star i of the satellites belongs to satellite i modulo their number.
    owner = np.arange(count - n_central) % max(n_satellites, 1)
    shares = weights / weights.sum() if n_satellites else weights
    satellite = (1.0 - share) * shares[owner] / np.bincount(owner, minlength=1)[owner]

    offsets = _hernquist(rng, count)
    offsets[:n_central] *= CENTRAL_SCALE * r200c_mpch
    offsets[n_central:] *= SATELLITE_SCALE * r200c_mpch
    offsets[n_central:] += hosts[owner]
    fractions = np.concatenate((np.full(n_central, share / n_central), satellite))
    return HaloStars(offsets, mass_msunh * fractions, rng.uniform(0.2, 0.95, size=count))


def _hernquist(rng: np.random.Generator, count: int) -> Floats:
    """Isotropic points of a Hernquist profile of scale 1, cut where 90 % of its mass is inside."""
    root = np.sqrt(rng.uniform(0.0, 0.9, size=count))
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * (root / (1.0 - root))[:, None]
