r"""Small-scale chaos: where the particles of a hydro run are, and those of its twin are not.

Between a hydrodynamic run and its dark-matter-only twin orbits decorrelate: even where baryons do
nothing, matter lies elsewhere on small scales. Here, with random numbers of the baryon seed:

clumps
    A particle of no halo goes, with probability :data:`GATHERING`, to the place of that one of its
    six neighbours on the initial lattice, or of itself, which drew the largest number. By symmetry
    each place receives one particle on average: the mean density is that of the twin, so that power
    is added at small scales and none is smoothed away.
halos
    The particles that a halo owns turn about its centre by an angle that is a sum of plane waves,
    which keeps every radius; then the halo moves as a whole, small ones further.

All displacements scale with ``strength``, the probability aside; their sum over the box is zero.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emulator.jit import njit
from emulator.simulate.neighbourhood import DarkMatterRun

Floats = NDArray[np.float64]

GATHERING = 0.6
"""Probability that a particle goes."""

NEAREST = 2.0
"""Particles go to a neighbour that is nearer than this [mean separations]."""

TURN = 0.2
"""Standard deviation of each component of the turn [rad]."""

N_WAVES = 8
WAVELENGTHS = (0.3, 1.2)
"""Shortest and longest wave of the turn [R200c]."""

SHIFT_MPCH = 0.033
"""Standard deviation along each axis of the shift of a halo of 10^12 Msun/h [Mpc/h]."""

SHIFT_SLOPE = -0.67
"""Slope of the shift with mass."""

_LATTICE = 1
"""Key of this module's random numbers among those of a baryon seed."""


def displace(run: DarkMatterRun, strength: float, seeds: tuple[int, int]) -> DarkMatterRun:
    """Another outcome of the same run on small scales.

    Parameters
    ----------
    run
        The dark-matter-only run; particles in the order of the initial lattice.
    strength
        0 gives ``run`` itself, 1 the scatter of a hydrodynamic run of CAMELS-TNG.
    seeds
        ``(ic_seed, baryon_seed)``.

    Returns
    -------
    Positions [Mpc/h], not wrapped, halo centres, and offsets of members, displaced. Masses, radii
    of halos and what they own stay; distances of members from their centre stay to rounding.
    """
    if strength == 0.0:
        return run
    rng = np.random.default_rng(np.random.SeedSequence(seeds, spawn_key=(_LATTICE,)))
    members, halos, box = run.members, run.halos, run.box_size_mpch
    positions = run.positions + _gather(rng, run.positions, run.free, box, strength)
    shift = SHIFT_MPCH * (halos.m200c / 1.0e12) ** SHIFT_SLOPE
    centres = halos.positions + strength * shift[:, None] * rng.standard_normal((len(shift), 3))
    offsets = members.offsets.copy()
    for halo, r200c in enumerate(halos.r200c):
        own = members.of(halo)
        offsets[own] = _turn(rng, offsets[own], r200c, strength)
        positions[members.particles[own]] = centres[halo] + offsets[own]
    drift = _mean_displacement(positions - run.positions, box)
    return replace(
        run,
        positions=positions - drift,
        halos=replace(halos, positions=centres - drift),
        members=replace(members, offsets=offsets),
    )


def _mean_displacement(moved: Floats, box: float) -> Floats:
    # members are placed about their centre, perhaps on the other side of the box
    mean: Floats = (moved - box * np.round(moved / box)).mean(axis=0)
    return mean


def _gather(
    rng: np.random.Generator,
    positions: Floats,
    free: NDArray[np.bool_],
    box: float,
    strength: float,
) -> Floats:
    """Displacements ``(particle, 3)`` towards the neighbour of the largest number."""
    n = round(len(positions) ** (1.0 / 3.0))
    if n**3 != len(positions):
        raise ValueError(f"expected the particles of a cubic lattice, got {len(positions)}")
    draws = rng.uniform(size=len(positions))
    goes = free & (rng.uniform(size=len(positions)) < GATHERING)
    target = np.zeros_like(positions)
    _towards_largest(positions, draws, free, goes, n, box, NEAREST * box / n, target)
    return strength * target


@njit()
def _towards_largest(
    positions: Floats,
    draws: Floats,
    free: NDArray[np.bool_],
    goes: NDArray[np.bool_],
    n: int,
    box: float,
    nearest: float,
    target: Floats,
) -> None:
    """Vector from each particle that goes to the free neighbour with the largest draw, if any."""
    steps = (n * n, n, 1)
    for i in range(n**3):
        if not goes[i]:
            continue
        best = draws[i]
        for axis in range(3):
            here = i // steps[axis] % n
            for side in (-1, 1):
                other = i + ((here + side) % n - here) * steps[axis]
                if not free[other] or draws[other] <= best:
                    continue
                distance = 0.0
                for dim in range(3):
                    d = positions[other, dim] - positions[i, dim]
                    d -= box * np.round(d / box)
                    distance += d * d
                if distance < nearest * nearest:
                    best = draws[other]
                    for dim in range(3):
                        d = positions[other, dim] - positions[i, dim]
                        target[i, dim] = d - box * np.round(d / box)


def _turn(rng: np.random.Generator, offsets: Floats, r200c: float, strength: float) -> Floats:
    r"""Rotate each offset about the centre by a vector of angles that varies in space.

    .. math:: \Omega(x) = s \sum_j e_j \cos(k_j x + \varphi_j)
    """
    directions = rng.standard_normal((N_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shortest, longest = np.log(WAVELENGTHS)
    wavelengths = r200c * np.exp(rng.uniform(shortest, longest, size=N_WAVES))
    axes = rng.standard_normal((N_WAVES, 3))
    phases = rng.uniform(0.0, 2.0 * np.pi, size=N_WAVES)
    angles = offsets @ (directions * (2.0 * np.pi / wavelengths)[:, None]).T + phases
    turn = strength * TURN * np.sqrt(2.0 / N_WAVES) * np.cos(angles) @ axes
    angle = np.linalg.norm(turn, axis=1, keepdims=True)
    axis = np.divide(turn, angle, out=np.zeros_like(turn), where=angle > 0)
    along = np.einsum("ij,ij->i", axis, offsets)[:, None] * axis
    # Rodrigues' formula
    turned: Floats = (
        offsets * np.cos(angle)
        + np.cross(axis, offsets) * np.sin(angle)
        + along * (1.0 - np.cos(angle))
    )
    return turned
