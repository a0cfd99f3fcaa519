"""Small-scale chaos and diffuse gas: what stays exact, and what comes out on average."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.benchmarks.suite.runs import DEMO, dark_matter_run, draw
from emulator.simulate import chaos, diffuse
from emulator.simulate.baryons import HydroParticles, Strengths
from emulator.simulate.neighbourhood import DarkMatterRun

TINY = DEMO.model_copy(update={"n_particles": 32, "mesh": 64, "n_steps": 20})
BOX = TINY.box_size_mpch


@pytest.fixture(scope="module")
def run() -> DarkMatterRun:
    return dark_matter_run(TINY, 1)


def apart(moved: np.ndarray) -> np.ndarray:
    """Displacements, without whole boxes."""
    return moved - BOX * np.round(moved / BOX)


def outcome(run: DarkMatterRun, **strengths: float) -> HydroParticles:
    return draw(run, (1, 1), strengths=Strengths(**strengths))


def test_without_chaos_and_diffuse_gas_nothing_but_halos_changes(run: DarkMatterRun) -> None:
    assert chaos.displace(run, 0.0, (1, 1)) is run
    hydro = outcome(run, chaos=0.0, diffuse=0.0)
    outside = np.setdiff1d(np.arange(len(run.positions)), run.members.particles)
    assert len(outside) > 0
    np.testing.assert_array_equal(hydro.gas[outside], run.positions[outside])
    np.testing.assert_array_equal(hydro.dark_matter[outside], run.positions[outside])
    assert len(set(hydro.gas_masses[outside])) == 1


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_masses_radii_and_the_sum_of_displacements_stay(
    run: DarkMatterRun, strength: float
) -> None:
    moved = chaos.displace(run, strength, (1, 1))
    np.testing.assert_array_equal(moved.halos.m200c, run.halos.m200c)
    np.testing.assert_allclose(
        np.linalg.norm(moved.members.offsets, axis=1), run.members.radii, rtol=1e-10, atol=1e-14
    )
    steps = apart(moved.positions - run.positions)
    assert np.abs(steps).max() > 0.1 * strength
    np.testing.assert_allclose(steps.mean(axis=0), 0.0, atol=1e-12)
    members, halo = moved.members, int(np.argmax(np.diff(moved.members.starts)))
    own = members.of(halo)
    np.testing.assert_allclose(
        apart(moved.positions[members.particles[own]] - moved.halos.positions[halo]),
        members.offsets[own],
        atol=1e-12,
    )


def test_displacements_scale_with_the_strength_where_nothing_turns(run: DarkMatterRun) -> None:
    free = np.setdiff1d(np.arange(len(run.positions)), run.members.particles)
    half, whole = (chaos.displace(run, s, (1, 1)).positions - run.positions for s in (0.5, 1.0))
    half, whole = (apart(steps)[free] for steps in (half, whole))
    # all but the common drift
    np.testing.assert_allclose(2 * (half - half[0]), whole - whole[0], rtol=1e-9, atol=1e-9)


def test_the_baryon_seed_decides_and_parameters_do_not(run: DarkMatterRun) -> None:
    first, again, other = (chaos.displace(run, 1.0, (1, seed)).positions for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    outside = np.setdiff1d(np.arange(len(run.positions)), run.members.particles)
    weak, strong = (draw(run, (1, 1), A_SN1=value) for value in (0.25, 4.0))
    for name in ("dark_matter", "gas", "gas_masses"):
        same = [getattr(hydro, name)[outside] for hydro in (weak, strong)]
        np.testing.assert_array_equal(*same)


def lattice(n: int) -> np.ndarray:
    return np.stack(np.meshgrid(*(np.arange(n) * BOX / n,) * 3, indexing="ij"), -1).reshape(-1, 3)


def test_every_place_receives_one_particle_on_average() -> None:
    n, n_draws = 8, 400
    places, free = lattice(n), np.ones(n**3, dtype=bool)
    received = np.zeros((n_draws, n**3))
    for draw_number in range(n_draws):
        rng = np.random.default_rng(draw_number)
        steps = chaos._gather(rng, places, free, BOX, 1.0)
        index = np.round((places + steps) * n / BOX).astype(int) % n
        received[draw_number] = np.bincount(
            np.ravel_multi_index(index.T, (n, n, n)), minlength=n**3
        )
    assert (received.sum(axis=1) == n**3).all()
    scatter = received.std(axis=0, ddof=1)
    deviation = (received.mean(axis=0) - 1.0) / (scatter / np.sqrt(n_draws))
    # 512 nearly independent standard normals
    assert deviation.std() == pytest.approx(1.0, abs=0.15)
    assert np.abs(deviation).max() < 4.5
    assert scatter.mean() > 0.8


def test_particles_go_to_the_neighbour_that_drew_most() -> None:
    n, rng = 6, np.random.default_rng(0)
    positions = lattice(n) + rng.normal(scale=1.0, size=(n**3, 3))
    draws, free = rng.uniform(size=n**3), rng.uniform(size=n**3) < 0.8
    goes, nearest = free & (rng.uniform(size=n**3) < 0.7), 1.2 * BOX / n
    found = np.zeros_like(positions)
    chaos._towards_largest(positions, draws, free, goes, n, BOX, nearest, found)
    expected = np.zeros_like(positions)
    for i in np.flatnonzero(goes):
        here = np.array(np.unravel_index(i, (n, n, n)))
        best = draws[i]
        for step in (*np.eye(3, dtype=int), *-np.eye(3, dtype=int)):
            other = np.ravel_multi_index((here + step) % n, (n, n, n))
            vector = apart(positions[other] - positions[i])
            if free[other] and draws[other] > best and np.linalg.norm(vector) < nearest:
                best, expected[i] = draws[other], vector
    assert (expected != 0).any(axis=1).sum() > 20
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_turn_is_a_rotation_of_every_point() -> None:
    points = np.random.default_rng(0).normal(size=(500, 3))
    points[0] = 0.0
    turned = chaos._turn(np.random.default_rng(1), points, 1.0, 1.0)
    radii = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), radii, atol=1e-12)
    cosine = (points * turned).sum(axis=1)[1:] / radii[1:] ** 2
    assert 0.05 < np.sqrt(np.mean(np.arccos(np.clip(cosine, -1, 1)) ** 2)) < 1.0
    np.testing.assert_array_equal(chaos._turn(np.random.default_rng(1), points, 1.0, 0.0), points)


def test_particles_of_no_lattice_are_refused(run: DarkMatterRun) -> None:
    with pytest.raises(ValueError, match="lattice"):
        chaos.displace(replace(run, positions=run.positions[:-1]), 1.0, (1, 1))


def test_diffuse_gas_keeps_its_mass_and_has_the_promised_scatter(run: DarkMatterRun) -> None:
    n = 200_000
    gas = diffuse.stir(n, 1.0, (1, 1))
    assert gas.shares.sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(gas.shares @ gas.displacements, 0.0, atol=1e-12)
    assert gas.displacements.std() == pytest.approx(diffuse.REACH_MPCH, rel=0.01)
    assert np.log(gas.shares).std() == pytest.approx(diffuse.UNEVENNESS, rel=0.01)
    outside = np.setdiff1d(np.arange(len(run.positions)), run.members.particles)
    masses = [outcome(run, diffuse=s).gas_masses[outside] for s in (0.0, 1.0)]
    assert masses[0].sum() == pytest.approx(masses[1].sum(), rel=1e-12)


def test_smoothed_gas_leaves_dense_places_for_thin_ones(run: DarkMatterRun) -> None:
    """In cells of 1.6 Mpc/h gas over dark matter rises where there is little of either."""
    hydro = outcome(run, chaos=0.0)
    edges = [np.linspace(0, BOX, 17)] * 3
    dark, gas = (
        np.histogramdd(np.mod(positions, BOX), edges, weights=weights)[0].ravel()
        for positions, weights in (
            (hydro.dark_matter, None),
            (hydro.gas, hydro.gas_masses),
        )
    )
    order = np.argsort(dark)
    thin, dense = order[: len(order) // 4], order[-len(order) // 20 :]
    ratios = [gas[part].sum() / dark[part].sum() for part in (thin, dense)]
    assert ratios[0] > 1.1 * gas.sum() / dark.sum() > 1.1 * ratios[1]
