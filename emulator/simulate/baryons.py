r"""Baryonification: dark matter, gas and stars from a dark-matter-only run, with known randomness.

Every particle of mass ``m`` becomes a dark-matter particle ``(1 - f_b) m`` and a gas particle
``f_b m`` at the same place, which is not that of its twin (:mod:`emulator.simulate.chaos`). Gas of
no halo is stirred (:mod:`emulator.simulate.diffuse`). Then, halo by halo and only for the particles
that a halo owns:

1. gas radii are mapped through the *measured* enclosed mass onto the target profile
   (:mod:`emulator.simulate.profiles`), keeping their order and direction;
2. dark matter relaxes in the changed mass;
3. stars are made, their mass taken from this halo's gas exactly;
4. gas is stirred by a solenoidal displacement, emptied from AGN bubbles if there are any, and
   clumped by a log-normal field; its total mass stays.

All random numbers of halo ``h`` come from ``SeedSequence([ic_seed, baryon_seed, h])`` in a fixed
order, those that every halo needs first: the same halo at other parameters sees the same numbers.
Before today (``redshift``) lengths are comoving, R200c is that of the critical density of the time,
concentrations are lower by :math:`(1+z)^{0.47}`, and what departs from the twin or stirs diffuse
gas has had less time: both strengths are multiplied by the scale factor. All else is as at z = 0.

This is a surrogate: nothing here solves for the motion of gas.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulator.simulate import profiles
from emulator.simulate.chaos import displace
from emulator.simulate.diffuse import stir
from emulator.simulate.neighbourhood import DarkMatterRun
from emulator.simulate.stars import HaloStars, place_stars
from emulator.simulate.stirring import blow_bubbles, random_fields

Floats = NDArray[np.float64]

MODEL_VERSION = 3
"""Raised with every change of a formula or constant of the suite: older files are made anew."""

MIN_MEMBERS = 8
STAR_MASS = 0.08
"""Wanted mass of a star particle, in units of the dark-matter-only particle."""


@dataclass(frozen=True)
class Strengths:
    """How strong each part of the surrogate is; 0 removes it.

    ``environment`` is alpha in ``M_c *= 10^(-alpha tanh(delta_R))`` [dex]; ``chaos`` and
    ``diffuse`` multiply displacements and unevenness.
    """

    environment: float = 0.2
    chaos: float = 1.0
    diffuse: float = 1.0


@dataclass(frozen=True)
class HydroParticles:
    """One hydro outcome: positions ``(particle, 3)`` [Mpc/h], not wrapped, and masses [Msun/h]."""

    dark_matter: Floats
    dark_matter_mass: float
    gas: Floats
    gas_masses: Floats
    stars: Floats
    star_masses: Floats
    star_formation_times: Floats
    star_halos: NDArray[np.int64]


@dataclass(frozen=True)
class HaloDraw:
    """The state of one halo: its mean relations with their scatter applied."""

    bound: float
    stellar: float
    concentration: float
    ejection_radius: float
    bubbles: Floats
    bubble_radius: float


def draw_halo(
    rng: np.random.Generator,
    mass_msunh: float,
    params: Mapping[str, float],
    environment: float,
    redshift: float = 0.0,
) -> HaloDraw:
    r"""Draw what is random about a halo as a whole.

    Scatter: :math:`M_c` 0.15 + 0.1 A_AGN2 dex, stellar fraction 0.15 dex, concentration 0.25 and
    ejection radius 0.2 in the natural logarithm. Bubbles are on with probability
    :math:`\min(1, 0.3 / A_{AGN2})`.

    Parameters
    ----------
    environment
        :math:`-\alpha \tanh \delta_R` [dex], added to log10 M_c.
    """
    scatter = rng.standard_normal(4)
    axis = rng.standard_normal(3)
    chance, distance, size = rng.uniform(size=3)
    log_mass = (0.15 + 0.1 * params["A_AGN2"]) * scatter[0] + environment
    stellar = profiles.stellar_fraction(mass_msunh, params) * 10.0 ** (0.15 * scatter[1])
    axis *= (0.35 + 0.3 * distance) / np.linalg.norm(axis)
    on = chance < 0.3 / params["A_AGN2"]
    return HaloDraw(
        bound=profiles.bound_fraction(mass_msunh, profiles.bound_mass(params) * 10.0**log_mass),
        stellar=min(stellar, 0.8),
        concentration=profiles.concentration(mass_msunh, redshift) * np.exp(0.25 * scatter[2]),
        ejection_radius=profiles.ejection_radius(params) * np.exp(0.2 * scatter[3]),
        bubbles=np.stack((axis, -axis)) if on else np.empty((0, 3)),
        bubble_radius=(0.2 + 0.15 * size) * params["A_AGN1"] ** (1.0 / 6.0),
    )


def baryonify(
    run: DarkMatterRun,
    params: Mapping[str, float],
    *,
    baryon_fraction: float,
    strengths: Strengths,
    seeds: tuple[int, int],
) -> HydroParticles:
    """Turn a dark-matter-only snapshot into one draw of dark matter, gas and stars.

    Parameters
    ----------
    run
        The dark-matter-only run.
    params
        Omega_m, sigma_8, A_SN1, A_AGN1, A_SN2, A_AGN2.
    strengths
        Of the parts of the surrogate.
    seeds
        ``(ic_seed, baryon_seed)``; ``baryon_seed`` is at least 1.

    Raises
    ------
    ValueError
        If ``baryon_seed`` is below 1.

    Notes
    -----
    The mass that a halo owns is kept to rounding, gas plus stars plus dark matter; that of all gas
    outside halos, too.
    """
    if seeds[1] < 1:
        raise ValueError(f"baryon_seed must be at least 1, got {seeds[1]}: 0 repeats the phases")
    a = 1.0 / (1.0 + run.redshift)
    run = displace(run, a * strengths.chaos, seeds)
    halos, members = run.halos, run.members
    dark_matter, gas = run.positions.copy(), run.positions.copy()
    gas_mass = baryon_fraction * run.particle_mass_msunh
    gas_masses = np.full(len(gas), gas_mass)
    if strengths.diffuse:
        free = np.flatnonzero(run.free)
        diffuse = stir(len(free), a * strengths.diffuse, seeds)
        gas[free] += diffuse.displacements
        gas_masses[free] = gas_mass * len(free) * diffuse.shares
    stars: list[HaloStars] = []
    hosts: list[int] = []
    environment = -strengths.environment * np.tanh(run.shell_overdensity)
    for halo, (mass, r200c) in enumerate(zip(halos.m200c, halos.r200c, strict=True)):
        own = members.of(halo)
        particles, centre = members.particles[own], halos.positions[halo]
        if len(particles) < MIN_MEMBERS:
            continue
        rng = np.random.default_rng(np.random.SeedSequence([*seeds, halo]))
        draw = draw_halo(rng, mass, params, environment[halo], run.redshift)
        halo_dark, halo_gas, shares = _displace(
            rng, draw, members.offsets[own], members.radii[own], r200c, baryon_fraction
        )
        dark_matter[particles], gas[particles] = centre + halo_dark, centre + halo_gas
        star_mass = draw.stellar * gas_mass * len(particles)
        gas_masses[particles] = (gas_mass * len(particles) - star_mass) * shares
        wanted = STAR_MASS * run.particle_mass_msunh
        stars.append(place_stars(rng, star_mass, mass, r200c, halo_dark, wanted))
        hosts.append(halo)
    empty = np.empty(0)
    return HydroParticles(
        dark_matter=dark_matter,
        dark_matter_mass=(1.0 - baryon_fraction) * run.particle_mass_msunh,
        gas=gas,
        gas_masses=gas_masses,
        stars=np.concatenate(
            [empty.reshape(0, 3)]
            + [halos.positions[halo] + s.offsets for halo, s in zip(hosts, stars, strict=True)]
        ),
        star_masses=np.concatenate([empty, *(s.masses for s in stars)]),
        star_formation_times=np.concatenate([empty, *(s.formation_times for s in stars)]),
        star_halos=np.repeat(np.array(hosts, dtype=np.int64), [len(s.masses) for s in stars]),
    )


def _displace(
    rng: np.random.Generator,
    draw: HaloDraw,
    offsets: Floats,
    radii: Floats,
    r200c: float,
    baryon_fraction: float,
) -> tuple[Floats, Floats, Floats]:
    """New offsets of dark matter and gas [Mpc/h], and the share of mass of each gas particle."""
    stretched = _map_gas(draw, radii, r200c)
    dark_factor = _relax_dark_matter(draw, radii, stretched, r200c, baryon_fraction)
    # The particle at the centre has no direction: it stays.
    gas_factor = np.divide(stretched, radii, out=np.ones_like(radii), where=radii > 0)
    gas = offsets * gas_factor[:, None]
    displacement, log_clumping = random_fields(rng, gas, r200c)
    weights = np.exp(log_clumping)
    gas = blow_bubbles(gas + displacement, draw.bubbles * r200c, draw.bubble_radius * r200c)
    return offsets * dark_factor[:, None], gas, weights / weights.sum()


def _map_gas(draw: HaloDraw, radii: Floats, r200c: float) -> Floats:
    """New radius of each gas particle: the target's radius of the same enclosed fraction."""
    enclosed = (np.arange(len(radii)) + 0.5) / len(radii)
    target = profiles.enclosed_gas(draw.bound, draw.concentration, draw.ejection_radius)
    return r200c * np.interp(enclosed, target, profiles.GRID)


def _relax_dark_matter(
    draw: HaloDraw, radii: Floats, gas_radii: Floats, r200c: float, baryon_fraction: float
) -> Floats:
    """Factor of each dark-matter radius; goes to 1 at R200c, beyond which nothing moves."""
    before = np.arange(1, len(radii) + 1, dtype=float)
    gas = np.searchsorted(gas_radii, radii, side="right")
    central = (radii / (radii + 0.02 * r200c)) ** 2 * len(radii)
    baryons = (1.0 - draw.stellar) * gas + draw.stellar * central
    after = (1.0 - baryon_fraction) * before + baryon_fraction * baryons
    taper = np.clip(1.0 - (radii / r200c) ** 4, 0.0, 1.0)
    return 1.0 + taper * (profiles.relax(before, after) - 1.0)
