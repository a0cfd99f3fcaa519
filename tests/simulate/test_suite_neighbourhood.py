"""Ownership and surroundings against brute force."""

import numpy as np

from emulator.simulate.halos import HaloTable, build_tree
from emulator.simulate.neighbourhood import assign_members, shell_overdensity

BOX = 20.0


def test_each_particle_belongs_to_the_relatively_nearest_halo() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, BOX, size=(4000, 3))
    centres = np.array([[0.5, 0.5, 0.5], [2.5, 0.5, 19.5], [10.0, 10.0, 10.0]])
    radii = np.array([3.0, 1.5, 2.0])
    halos = HaloTable(centres, np.ones(3), radii, np.ones(3, dtype=np.int64))
    members = assign_members(build_tree(points, BOX), halos)

    d = np.abs(points[:, None] - centres[None])
    r = np.sqrt((np.minimum(d, BOX - d) ** 2).sum(axis=-1))
    scaled = r / radii
    owner = np.where(scaled.min(axis=1) <= 1.0, scaled.argmin(axis=1), -1)
    assert ((scaled < 1).sum(axis=1) > 1).any()
    for halo in range(3):
        own = members.of(halo)
        assert sorted(members.particles[own]) == np.flatnonzero(owner == halo).tolist()
        np.testing.assert_allclose(members.radii[own], r[members.particles[own], halo])
        assert (np.diff(members.radii[own]) >= 0).all()
        back = (centres[halo] + members.offsets[own]) % BOX
        np.testing.assert_allclose(back, points[members.particles[own]], atol=1e-12)


def test_shell_overdensity_agrees_with_counting() -> None:
    rng = np.random.default_rng(1)
    waves = rng.uniform(0, BOX, size=(60000, 3))
    keep = rng.uniform(size=len(waves)) < 0.5 * (1 + np.cos(2 * np.pi * waves[:, 0] / BOX))
    points = waves[keep]
    centres = rng.uniform(0, BOX, size=(20, 3))
    d = np.abs(points[None] - centres[:, None])
    r = np.sqrt((np.minimum(d, BOX - d) ** 2).sum(axis=-1))
    counts = ((r >= 3.0) & (r < 6.0)).sum(axis=1)
    expected = counts / (len(points) / BOX**3 * 4 / 3 * np.pi * (6.0**3 - 3.0**3)) - 1
    assert expected.std() > 0.3
    np.testing.assert_allclose(shell_overdensity(points, centres, BOX), expected, atol=0.08)
