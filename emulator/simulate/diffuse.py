r"""Gas between the halos: pushed about and unevenly heavy.

Winds of galaxies that the run does not resolve, and the pressure of the gas, leave it smoother than
dark matter and stir it. Particles of no halo move by independent Gaussian steps of
:data:`REACH_MPCH` along each axis, and their masses are multiplied by a log-normal. Their total
mass stays, and the sum of their steps, weighted by mass, is zero. Filaments lose gas to the voids
beside them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH_MPCH = 0.14
UNEVENNESS = 1.15
"""Standard deviation of the natural logarithm of the masses."""

_KEY = 2
"""Key of this module's random numbers among those of a baryon seed."""


@dataclass(frozen=True)
class DiffuseGas:
    """Displacements ``(particle, 3)`` [Mpc/h] and shares of the total mass ``(particle,)``."""

    displacements: Floats
    shares: Floats


def stir(n_particles: int, strength: float, seeds: tuple[int, int]) -> DiffuseGas:
    """Draw what happens to ``n_particles`` of equal mass.

    Parameters
    ----------
    strength
        Factor of both standard deviations; 0: nothing happens.
    seeds
        ``(ic_seed, baryon_seed)``.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seeds, spawn_key=(_KEY,)))
    steps = strength * REACH_MPCH * rng.standard_normal((n_particles, 3))
    weights = np.exp(strength * UNEVENNESS * rng.standard_normal(n_particles))
    shares = weights / weights.sum()
    return DiffuseGas(steps - shares @ steps, shares)
