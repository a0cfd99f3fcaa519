"""Halo finding against brute force and against spheres of known mass."""

import numpy as np
import pytest

from emulator.simulate.halos import (
    build_tree,
    find_halos,
    friends_of_friends,
    spherical_overdensity,
)
from emulator.units import CRITICAL_DENSITY

BOX = 10.0


def separations(points: np.ndarray) -> np.ndarray:
    d = np.abs(points[:, None] - points[None])
    return np.sqrt((np.minimum(d, BOX - d) ** 2).sum(axis=-1))


def brute_force_groups(points: np.ndarray, radius: float) -> set[frozenset[int]]:
    close = separations(points) <= radius
    left, groups = set(range(len(points))), set()
    while left:
        group, front = set(), {left.pop()}
        while front:
            group |= front
            front = set(np.flatnonzero(close[list(front)].any(axis=0)).tolist()) - group
        groups.add(frozenset(group))
        left -= group
    return groups


def clustered(rng: np.random.Generator) -> np.ndarray:
    # One clump sits on the corner of the box.
    clumps = [rng.normal(c, 0.15, size=(m, 3)) for c, m in ((0.0, 60), (4.0, 40), (6.5, 25))]
    return np.concatenate([*clumps, rng.uniform(0, BOX, size=(100, 3))]) % BOX


@pytest.mark.parametrize("seed", range(4))
def test_groups_agree_with_brute_force(seed: int) -> None:
    points = clustered(np.random.default_rng(seed))
    tree = build_tree(points, BOX)
    labels = friends_of_friends(tree.query_pairs(0.4, output_type="ndarray"), len(points))
    found = {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}
    assert found == brute_force_groups(points, 0.4)


def test_halos_are_ordered_and_centred_on_the_deepest_particle() -> None:
    points = clustered(np.random.default_rng(9))
    tree = build_tree(points, BOX)
    linking = 0.2
    radius = linking * BOX / len(points) ** (1 / 3)
    halos = find_halos(tree, 1e12, linking_length=linking, min_particles=20)
    groups = [g for g in brute_force_groups(points, radius) if len(g) >= 20]
    groups.sort(key=len, reverse=True)
    assert halos.n_fof.tolist() == [len(g) for g in groups]
    assert len(groups) >= 2
    for centre, group in zip(halos.positions, groups, strict=True):
        members = np.array(sorted(group))
        r = np.sqrt(separations(points[members]) ** 2 + radius**2)
        np.testing.assert_array_equal(centre, points[members[np.argmax((1 / r).sum(axis=1))]])


def test_uniform_sphere_has_its_closed_form() -> None:
    rng = np.random.default_rng(1)
    n, radius, contrast = 4000, 0.5, 1000.0
    directions = rng.standard_normal((n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centre = np.array([0.1, 9.95, 5.0])
    points = (centre + radius * np.cbrt(rng.uniform(size=(n, 1))) * directions) % BOX
    mass = contrast * CRITICAL_DENSITY * 4 / 3 * np.pi * radius**3 / n
    m200c, r200c = spherical_overdensity(
        build_tree(points, BOX), centre[None], mass, np.array([n // 10])
    )
    # All mass lies inside, and 200 is reached outside the sphere.
    assert m200c[0] == pytest.approx(n * mass, rel=1e-12)
    assert r200c[0] == pytest.approx(radius * np.cbrt(contrast / 200.0), rel=1e-9)


def test_nfw_sphere_has_its_mass() -> None:
    rng = np.random.default_rng(2)
    m200, c = 1e14, 5.0
    r200 = np.cbrt(3 * m200 / (800 * np.pi * CRITICAL_DENSITY))
    x = np.linspace(1e-4, 3.0, 4000)
    enclosed = np.log1p(c * x) - c * x / (1 + c * x)
    total = m200 * enclosed[-1] / (np.log1p(c) - c / (1 + c))
    n = 30000
    radii = r200 * np.interp(rng.uniform(0, enclosed[-1], n), enclosed, x)
    directions = rng.standard_normal((n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = (5.0 + radii[:, None] * directions) % BOX
    found, radius = spherical_overdensity(
        build_tree(points, BOX), np.full((1, 3), 5.0), total / n, np.array([n])
    )
    assert found[0] == pytest.approx(m200, rel=0.02)
    assert radius[0] == pytest.approx(r200, rel=0.01)


def test_a_universe_without_halos_gives_an_empty_table() -> None:
    side = np.arange(8) * BOX / 8
    points = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3)
    halos = find_halos(build_tree(points, BOX), 1e10)
    assert halos.positions.shape == (0, 3)
    assert halos.m200c.shape == halos.r200c.shape == halos.n_fof.shape == (0,)
