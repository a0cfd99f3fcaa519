"""What makes the gas of a halo uneven: random flows, clumps and bubbles.

Random fields are sums of a few plane waves about the halo's centre, so that they can be evaluated
at any particle. They are not periodic in the box: halos are far smaller.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_MODES = 12
WAVELENGTHS = (0.8, 3.0)
"""Shortest and longest wave [R200c]."""

TURBULENCE = 0.1
"""Standard deviation of the displacement along each axis [R200c]."""

CLUMPING = 0.5
"""Standard deviation of the natural logarithm of the clumping."""


def random_fields(rng: np.random.Generator, offsets: Floats, r200c: float) -> tuple[Floats, Floats]:
    r"""Solenoidal displacement [Mpc/h] and log clumping at ``offsets``, from a few plane waves.

    .. math::
        \psi(x) = s \sum_j e_j \cos(k_j x + \varphi_j), \quad e_j \perp k_j, \qquad
        g(x) = t \sum_j \cos(k_j x + \chi_j)

    with wavelengths uniform in the logarithm between :data:`WAVELENGTHS`. The displacement has no
    divergence; averages over phases have standard deviations :data:`TURBULENCE` and
    :data:`CLUMPING`.
    """
    directions = rng.standard_normal((N_MODES, 3))
    sideways = np.cross(directions, rng.standard_normal((N_MODES, 3)))
    shortest, longest = np.log(WAVELENGTHS)
    wavelengths = r200c * np.exp(rng.uniform(shortest, longest, size=N_MODES))
    phases = rng.uniform(0.0, 2.0 * np.pi, size=(2, N_MODES))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)

    angles = offsets @ (directions * (2.0 * np.pi / wavelengths)[:, None]).T
    # A unit vector has a variance of 1/3 along each axis, a cosine one of 1/2.
    strength = TURBULENCE * r200c * np.sqrt(6.0 / N_MODES)
    displacement = strength * np.cos(angles + phases[0]) @ sideways
    clumping = CLUMPING * np.sqrt(2.0 / N_MODES) * np.cos(angles + phases[1]).sum(axis=1)
    return displacement, clumping


def blow_bubbles(offsets: Floats, bubbles: Floats, radius: float) -> Floats:
    r"""Push gas out of spheres, keeping the order and the direction of particles about each.

    .. math:: r'^3 = R^3 + r^3 \, (1 - 1.5^{-3}) \qquad (r < 1.5 R)

    Parameters
    ----------
    offsets
        ``(particle, 3)`` [Mpc/h].
    bubbles
        ``(bubble, 3)`` centres [Mpc/h], emptied one after the other.
    radius
        Radius R of the empty spheres [Mpc/h].

    Returns
    -------
    New offsets; particles beyond 1.5 R of all centres stay.
    """
    outer = 1.5 * radius
    moved = offsets.copy()
    for centre in bubbles:
        relative = moved - centre
        r = np.sqrt(np.einsum("ij,ij->i", relative, relative))
        near = (r < outer) & (r > 0)
        pushed = np.cbrt(radius**3 + r[near] ** 3 * (1.0 - (radius / outer) ** 3))
        moved[near] = centre + relative[near] * (pushed / r[near])[:, None]
    return moved
