r"""Halos: friends of friends (FoF), their deepest point, and spherical overdensity (SO) masses.

A halo is a set of at least ``min_particles`` particles linked by distances below
``linking_length`` mean separations. Its centre is the particle with the lowest potential of the
group's own mass, softened by the linking length; its mass and radius are those of the sphere in
which the mean density falls to 200 times critical, counting *all* particles:
:math:`M_{200c} = \tfrac{4}{3}\pi R_{200c}^3\, 200 \rho_c`.

Particles are not unbound, and there are no subhalos: a halo inside a larger one's radius stays.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from emulator.jit import njit
from emulator.units import CRITICAL_DENSITY

OVERDENSITY = 200.0
MAX_SOURCES = 512

Positions = NDArray[np.float64]


@dataclass(frozen=True)
class HaloTable:
    """Halos in order of falling FoF size.

    ``positions`` ``(halo, 3)`` [Mpc/h], ``m200c`` ``(halo,)`` [Msun/h], ``r200c`` ``(halo,)``
    [Mpc/h], ``n_fof`` particles of the FoF group.
    """

    positions: NDArray[np.float64]
    m200c: NDArray[np.float64]
    r200c: NDArray[np.float64]
    n_fof: NDArray[np.int64]


def build_tree(positions: Positions, box_size_mpch: float) -> cKDTree:
    """Periodic KD-tree of positions in [0, box)."""
    return cKDTree(positions, boxsize=box_size_mpch, balanced_tree=False, compact_nodes=False)


def find_halos(
    tree: cKDTree,
    particle_mass_msunh: float,
    *,
    linking_length: float = 0.2,
    min_particles: int = 20,
    critical_density: float = CRITICAL_DENSITY,
) -> HaloTable:
    """FoF groups with their centres and SO masses.

    Parameters
    ----------
    tree
        Periodic tree of all particles.
    particle_mass_msunh
        Mass of each particle.
    linking_length
        In units of the mean separation.
    min_particles
        Smallest FoF group.
    critical_density
        Of the time of the snapshot, in comoving volumes [Msun/h per (Mpc/h)^3].

    Returns
    -------
    Halos with a defined R200c; groups that are nowhere 200 times critical are left
    out.
    """
    separation = float(tree.boxsize[0]) / tree.n ** (1.0 / 3.0)
    radius = linking_length * separation
    pairs = tree.query_pairs(radius, output_type="ndarray")
    labels = friends_of_friends(pairs, tree.n)
    members, sizes = _large_groups(labels, min_particles)
    data, box = np.asarray(tree.data), float(tree.boxsize[0])
    groups = np.split(members, np.cumsum(sizes)[:-1]) if len(sizes) else []
    centres = np.array([_deepest(data, group, box, radius) for group in groups], dtype=np.int64)
    positions = data[centres]
    m200c, r200c = spherical_overdensity(
        tree, positions, particle_mass_msunh, sizes, critical_density=critical_density
    )
    keep = m200c > 0
    return HaloTable(positions[keep], m200c[keep], r200c[keep], sizes[keep])


def friends_of_friends(pairs: NDArray[np.int64], n_particles: int) -> NDArray[np.int32]:
    """Label the connected components of the graph of ``pairs`` ``(pair, 2)``: ``(particle,)``."""
    links = np.ones(len(pairs), dtype=np.int8)
    graph = coo_matrix((links, (pairs[:, 0], pairs[:, 1])), shape=(n_particles, n_particles))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def _large_groups(
    labels: NDArray[np.int32], min_particles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Particles of the large groups, group after group by falling size, and the sizes.

    Equal sizes are ordered by their first particle, so that the order of halos is a function of the
    particles alone.
    """
    sizes = np.bincount(labels)
    order = np.argsort(labels, kind="stable")
    first = np.full(len(sizes), len(labels))
    np.minimum.at(first, labels[order], order)
    groups = np.flatnonzero(sizes >= min_particles)
    groups = groups[np.lexsort((first[groups], -sizes[groups]))]
    starts = np.cumsum(sizes) - sizes
    chosen = [order[starts[group] : starts[group] + sizes[group]] for group in groups]
    members = np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)
    return members, sizes[groups]


@njit()
def _deepest(positions: Positions, members: NDArray[np.int64], box: float, soft: float) -> int:
    """Member with the lowest potential of its group; at most about ``MAX_SOURCES`` act on each."""
    stride = 1 + (len(members) - 1) // MAX_SOURCES
    sources = positions[members[::stride]]
    lowest = 0.0
    deepest: int = members[0]
    for i in members:
        potential = 0.0
        for j in range(sources.shape[0]):
            r2 = soft * soft
            for axis in range(3):
                d = abs(positions[i, axis] - sources[j, axis])
                d = min(d, box - d)
                r2 += d * d
            potential -= 1.0 / np.sqrt(r2)
        if potential < lowest:
            lowest, deepest = potential, i
    return deepest


def spherical_overdensity(
    tree: cKDTree,
    centres: Positions,
    particle_mass_msunh: float,
    n_guess: NDArray[np.int64],
    *,
    min_count: int = 8,
    critical_density: float = CRITICAL_DENSITY,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""M200c and R200c about given centres.

    With particles sorted by distance, ``n`` is the smallest count >= ``min_count`` for which the
    sphere that reaches particle ``n + 1`` is below the overdensity; then :math:`M = n m`, and R is
    the radius at which this mass has exactly 200 times the critical density.

    Parameters
    ----------
    tree
        Periodic tree of all particles.
    centres
        ``(halo, 3)`` [Mpc/h].
    n_guess
        ``(halo,)`` rough number of particles; sets the radius of the first search.
    min_count
        Fewer particles are noise; a centre whose sphere is below the threshold from the start gets
        M = R = 0.
    critical_density
        As :func:`find_halos`.

    Returns
    -------
    m200c [Msun/h], r200c [Mpc/h], each ``(halo,)``.
    """
    threshold = OVERDENSITY * critical_density * 4.0 / 3.0 * np.pi / particle_mass_msunh
    positions, box = np.asarray(tree.data), float(tree.boxsize[0])
    counts = np.zeros(len(centres), dtype=np.int64)
    search = 1.3 * np.cbrt(n_guess / threshold)
    pending = np.arange(len(centres))
    while len(pending):
        open_ended = []
        found = tree.query_ball_point(centres[pending], search[pending])
        for halo, near in zip(pending, found, strict=True):
            offset = np.abs(positions[near] - centres[halo])
            offset = np.minimum(offset, box - offset)
            r = np.sort(np.sqrt(np.einsum("ij,ij->i", offset, offset)))
            # Count n before each particle: the sphere out to it holds n particles inside.
            below = np.arange(len(r)) < threshold * r**3
            below[:min_count] = False
            if below.any():
                counts[halo] = np.argmax(below)
            elif len(r) < threshold * search[halo] ** 3 and len(r) >= min_count:
                counts[halo] = len(r)
            elif len(r) >= min_count:
                open_ended.append(halo)
        pending = np.array(open_ended, dtype=np.int64)
        search[pending] *= 1.5
    counts[counts <= min_count] = 0
    kept = counts.astype(np.float64)
    return kept * particle_mass_msunh, np.cbrt(kept / threshold)
