r"""Temperature of the gas: a polytropic surrogate, drawn after everything else.

Nothing here solves for the energy of gas: temperatures are assigned, once positions and masses are
there, and change neither. Gas between the halos is that of an equation of state; what a halo owns
is a polytrope in its potential,

.. math::
    T_{IGM} = T_0\, \Delta^{\gamma - 1} F_w, \qquad
    T_{halo} = T_{IGM} + T_{200} \left[\frac{\rho(x)}{\rho(1)}\right]^{\Gamma - 1} F_h\, e^{s_h},
    \qquad
    T_{200} = \frac{\mu m_p}{2 k_B} \frac{G M_{200c}}{R_{200c}},

times :math:`e^{s}` for each particle, with

* :math:`\Delta` the density of gas particles about a particle over the mean, by cloud in cell on a
  mesh of one cell a particle, between 0.1 and 1000; :math:`T_0 = 10^4` K, :math:`\gamma = 1.6`;
* :math:`\rho(x) \propto (1 + c x)^{-1} (1 + x^2)^{-2}`, the bound gas of
  :mod:`~emulator.simulate.profiles` at its mean concentration, ``x`` the distance to the centre in
  :math:`R_{200c}` after all displacements, at most 8; :math:`\Gamma = 1.2`;
* feedback :math:`F_h = A_{AGN1}^{0.10} A_{AGN2}^{0.15}`,
  :math:`F_w = A_{SN1}^{0.10} A_{SN2}^{0.15}`: AGN heat halos, winds what is between them;
* scatter :math:`s_h` of a halo, 0.25 in the natural logarithm, and :math:`s` of a particle, 0.2.

Files hold ``InternalEnergy`` and ``ElectronAbundance`` of fully ionised hydrogen and helium
(:math:`x_e = 1 + (1 - X_H) / 2 X_H = 1.158`, so :math:`\mu = 0.588`), from which
:mod:`emulator.readers.properties` gets T back. Gas does not cool here: no star-forming or neutral
gas, no cool cores.

References
----------
Universal gas density and temperature profile (Komatsu & Seljak 2001), equation 5 (polytropes),
https://arxiv.org/abs/astro-ph/0106151
Equation of state of the photoionized intergalactic medium (Hui & Gnedin 1997),
https://arxiv.org/abs/astro-ph/9612232
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulator.simulate.baryons import MIN_MEMBERS, HydroParticles
from emulator.simulate.neighbourhood import DarkMatterRun
from emulator.simulate.particle_mesh import deposit
from emulator.simulate.profiles import EDGE, concentration

Floats = NDArray[np.float64]

VERSION = 1
"""Raised with every change of a formula or constant here."""

IGM_KELVIN, IGM_SLOPE, IGM_DENSITIES = 1.0e4, 0.6, (0.1, 1000.0)
POLYTROPIC_SLOPE = 0.2
HALO_HEAT = {"A_AGN1": 0.10, "A_AGN2": 0.15}
WIND_HEAT = {"A_SN1": 0.10, "A_SN2": 0.15}
HALO_SCATTER, PARTICLE_SCATTER = 0.25, 0.2

HYDROGEN = 0.76
ELECTRONS = 1.0 + (1.0 - HYDROGEN) / (2.0 * HYDROGEN)
"""Free electrons per hydrogen, all ionised."""
MEAN_WEIGHT = 4.0 / (1.0 + 3.0 * HYDROGEN + 4.0 * HYDROGEN * ELECTRONS)
GAMMA = 5.0 / 3.0
PROTON_OVER_BOLTZMANN = 1.67262192e-27 / 1.380649e-23 * 1.0e6
"""m_p / k_B [K / (km/s)^2]."""
GRAVITY = 4.30091e-9
"""G [Mpc (km/s)^2 / Msun]."""

_KEY = 3
"""Key of this module's random numbers among those of a baryon seed."""


@dataclass(frozen=True)
class Thermodynamics:
    """Of gas particles, ``(particle,)``: internal energy [(km/s)^2], electrons per hydrogen."""

    internal_energy: Floats
    electron_abundance: Floats


def heat(
    run: DarkMatterRun,
    particles: HydroParticles,
    params: Mapping[str, float],
    seeds: tuple[int, int],
) -> Thermodynamics:
    """Assign temperatures to the gas of one hydro outcome.

    Parameters
    ----------
    run
        The dark-matter-only run, whose particles own the gas particles of the same number.
    particles
        What :func:`~emulator.simulate.baryons.baryonify` made of it.
    params
        A_SN1, A_AGN1, A_SN2, A_AGN2.
    seeds
        ``(ic_seed, baryon_seed)``.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seeds, spawn_key=(_KEY,)))
    halos, members = run.halos, run.members
    grains = PARTICLE_SCATTER * rng.standard_normal(len(particles.gas))
    scatter = HALO_SCATTER * rng.standard_normal(len(halos.m200c))
    low, high = IGM_DENSITIES
    density = np.clip(relative_density(particles.gas, run.box_size_mpch), low, high)
    a = 1.0 / (1.0 + run.redshift)
    kelvin = IGM_KELVIN * density**IGM_SLOPE * _product(params, WIND_HEAT)
    strength = _product(params, HALO_HEAT) * np.exp(scatter)
    for halo, (mass, r200c) in enumerate(zip(halos.m200c, halos.r200c, strict=True)):
        own = members.particles[members.of(halo)]
        if len(own) < MIN_MEMBERS:
            continue
        offsets = particles.gas[own] - halos.positions[halo]
        x = np.minimum(np.sqrt(np.einsum("ij,ij->i", offsets, offsets)) / r200c, EDGE)
        profile = polytrope(x, concentration(mass, run.redshift))
        kelvin[own] += virial_temperature(mass, a * r200c) * profile * strength[halo]
    kelvin *= np.exp(grains)
    energy = kelvin / ((GAMMA - 1.0) * MEAN_WEIGHT * PROTON_OVER_BOLTZMANN)
    return Thermodynamics(energy, np.full(len(energy), ELECTRONS))


def virial_temperature(mass_msunh: float, radius_mpch: float) -> float:
    """T_200 [K] for a physical radius; 1/h cancels."""
    return 0.5 * MEAN_WEIGHT * PROTON_OVER_BOLTZMANN * GRAVITY * mass_msunh / radius_mpch


def polytrope(x: Floats, halo_concentration: float) -> Floats:
    """Temperature at ``x`` = r / R200c over that at 1."""
    c = halo_concentration
    density: Floats = (1.0 + c) * 4.0 / ((1.0 + c * x) * (1.0 + x**2) ** 2)
    return density**POLYTROPIC_SLOPE


def relative_density(positions: Floats, box_size_mpch: float) -> Floats:
    """Number density of particles in the cell of each, over the mean, ``(particle,)``."""
    side = max(1, round(len(positions) ** (1.0 / 3.0)))
    mesh = np.zeros((side,) * 3, dtype=np.float32)
    cells_per_mpch = side / box_size_mpch
    # displacements of a halo can leave the box
    wrapped = np.mod(positions, box_size_mpch)
    deposit(wrapped.astype(np.float32), np.float32(cells_per_mpch), mesh)
    cells = np.floor(wrapped * cells_per_mpch).astype(np.int64) % side
    found = mesh[cells[:, 0], cells[:, 1], cells[:, 2]]
    density: Floats = found.astype(np.float64) * (mesh.size / len(positions))
    return density


def _product(params: Mapping[str, float], slopes: Mapping[str, float]) -> float:
    return float(np.prod([params[name] ** slope for name, slope in slopes.items()]))
