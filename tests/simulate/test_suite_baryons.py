"""Baryonification: conservation, limits, and the scatter that it promises."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from analysis.benchmarks.suite.runs import power
from emulator.simulate import profiles
from emulator.simulate.baryons import HydroParticles, Strengths, baryonify, draw_halo
from emulator.simulate.design import FIDUCIAL
from emulator.simulate.halos import HaloTable, build_tree
from emulator.simulate.neighbourhood import assign_members, survey
from emulator.simulate.stars import place_stars
from emulator.simulate.stirring import CLUMPING, TURBULENCE, blow_bubbles, random_fields
from emulator.units import CRITICAL_DENSITY

BOX, PARTICLE_MASS, F_B = 20.0, 5e9, 0.16
HALOS_ONLY = Strengths(chaos=0.0, diffuse=0.0)


@pytest.fixture(scope="module")
def universe() -> tuple[np.ndarray, HaloTable]:
    """Three halos, two of which overlap, in a thin background."""
    rng = np.random.default_rng(0)
    centres = np.array([[5.0, 5.0, 5.0], [5.5, 5.0, 5.0], [19.9, 0.1, 12.0]])
    m200c = np.array([2e13, 5e12, 1e12])
    r200c = np.cbrt(3 * m200c / (800 * np.pi * CRITICAL_DENSITY))
    points = [rng.uniform(0, BOX, size=(3000, 3))]
    for centre, mass, radius in zip(centres, m200c, r200c, strict=True):
        n = int(mass / PARTICLE_MASS)
        direction = rng.standard_normal((n, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        points.append(centre + direction * radius * rng.uniform(size=(n, 1)))
    return np.concatenate(points) % BOX, HaloTable(centres, m200c, r200c, np.full(3, 100))


def paint(universe: tuple[np.ndarray, HaloTable], **changes: object) -> HydroParticles:
    run = survey(build_tree(universe[0], BOX), PARTICLE_MASS, universe[1])
    overdensity = changes.pop("shell_overdensity", np.array([1.0, 1.0, -0.4]))
    arguments = {
        "params": FIDUCIAL,
        "baryon_fraction": F_B,
        "strengths": HALOS_ONLY,
        "seeds": (1, 1),
    } | changes
    return baryonify(replace(run, shell_overdensity=overdensity), **arguments)


def test_without_baryons_the_total_is_the_dark_matter_only_run(universe) -> None:
    particles = paint(universe, baryon_fraction=0.0)
    np.testing.assert_allclose(particles.dark_matter, universe[0] + images(particles, universe))
    assert particles.dark_matter_mass == PARTICLE_MASS
    assert particles.gas_masses.sum() + particles.star_masses.sum() == 0.0


def images(particles: HydroParticles, universe: tuple[np.ndarray, HaloTable]) -> np.ndarray:
    """Whole boxes by which particles near the edge were moved."""
    return BOX * np.round((particles.dark_matter - universe[0]) / BOX)


def test_without_baryons_power_is_that_of_the_dark_matter_only_run(universe) -> None:
    particles = paint(universe, baryon_fraction=0.0)
    edges = np.array([0.3, 1.0, 4.0, 10.0])
    parts = [(particles.dark_matter, particles.dark_matter_mass)]
    found = power(parts, BOX, edges, 64)[1]
    expected = power([(universe[0], PARTICLE_MASS)], BOX, edges, 64)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_every_halo_keeps_its_mass(universe) -> None:
    positions, halos = universe
    members = assign_members(build_tree(positions, BOX), halos)
    particles = paint(universe)
    for halo in range(3):
        own = members.particles[members.of(halo)]
        gas, stars = particles.gas_masses[own], particles.star_masses[particles.star_halos == halo]
        assert stars.sum() > 0
        assert gas.sum() + stars.sum() == pytest.approx(F_B * PARTICLE_MASS * len(own), rel=1e-10)
    outside = np.setdiff1d(np.arange(len(positions)), members.particles)
    np.testing.assert_array_equal(particles.gas[outside], positions[outside])
    np.testing.assert_array_equal(particles.dark_matter[outside], positions[outside])
    np.testing.assert_allclose(particles.gas_masses[outside], F_B * PARTICLE_MASS)


def test_draws_depend_on_the_baryon_seed_and_repeat(universe) -> None:
    first, again, other = paint(universe), paint(universe), paint(universe, seeds=(1, 2))
    np.testing.assert_array_equal(first.gas, again.gas)
    np.testing.assert_array_equal(first.stars, again.stars)
    assert not np.array_equal(first.gas, other.gas)
    with pytest.raises(ValueError, match="baryon_seed"):
        paint(universe, seeds=(1, 0))


def test_baryon_streams_differ_from_the_phases_and_from_each_other() -> None:
    keys = [[7], *([7, seed, halo] for seed in (1, 2) for halo in range(20))]
    states = {tuple(np.random.SeedSequence(key).generate_state(4)) for key in keys}
    assert len(states) == len(keys)


def gas_inside(universe, **params: float) -> float:
    """Gas fraction inside R200c of the largest halo, averaged over draws."""
    _, halos = universe
    inside = 0.0
    for seed in range(1, 7):
        particles = paint(universe, params=FIDUCIAL | params, seeds=(1, seed))
        r = np.linalg.norm(particles.gas - halos.positions[0], axis=1)
        inside += particles.gas_masses[r < halos.r200c[0]].sum()
    return inside


def test_agn_eject_gas_and_supernovae_keep_it(universe) -> None:
    fiducial = gas_inside(universe)
    # The ratios of the bound fractions are 0.91 and 1.08, and ejected gas partly stays inside.
    assert gas_inside(universe, A_AGN1=4.0) < 0.95 * fiducial
    assert gas_inside(universe, A_AGN1=0.25) > 1.03 * fiducial
    assert gas_inside(universe, A_AGN2=2.0) < 0.95 * fiducial
    assert gas_inside(universe, A_SN1=4.0) > fiducial > gas_inside(universe, A_SN1=0.25)


def test_environment_acts_only_where_it_is_switched_on(universe) -> None:
    dense, empty = np.full(3, 2.0), np.full(3, -0.8)
    none = replace(HALOS_ONLY, environment=0.0)
    off = [paint(universe, strengths=none, shell_overdensity=d) for d in (dense, empty)]
    np.testing.assert_array_equal(off[0].gas, off[1].gas)
    rng = [np.random.default_rng(0) for _ in range(2)]
    shifts = (-0.2 * np.tanh(2), 0.2 * np.tanh(0.8))
    bound = [draw_halo(r, 1e13, FIDUCIAL, s).bound for r, s in zip(rng, shifts, strict=True)]
    ratio = [(1 / b - 1) ** (1 / profiles.BOUND_SLOPE) for b in bound]
    assert np.log10(ratio[0] / ratio[1]) == pytest.approx(-0.2 * (np.tanh(2) + np.tanh(0.8)))


@pytest.mark.parametrize("burstiness", [0.5, 2.0])
def test_scatter_is_what_the_design_says(burstiness: float) -> None:
    params = FIDUCIAL | {"A_AGN2": burstiness}
    n = 3000
    draws = [draw_halo(np.random.default_rng([5, i]), 1e13, params, 0.0) for i in range(n)]
    log_mc = [np.log10(1 / d.bound - 1) / profiles.BOUND_SLOPE for d in draws]
    error = 4 / np.sqrt(2 * n)
    assert np.std(log_mc) == pytest.approx(0.15 + 0.1 * burstiness, rel=error)
    assert np.std([np.log10(d.stellar) for d in draws]) == pytest.approx(0.15, rel=error)
    assert np.std([np.log(d.concentration) for d in draws]) == pytest.approx(0.25, rel=error)
    assert np.std([np.log(d.ejection_radius) for d in draws]) == pytest.approx(0.2, rel=error)
    chance = 0.3 / burstiness
    on = np.mean([len(d.bubbles) == 2 for d in draws])
    assert on == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / n))


def test_stellar_fractions_and_their_response() -> None:
    assert 0.1 < profiles.stellar_fraction(1e12, FIDUCIAL) < 0.25
    assert 0.08 < profiles.stellar_fraction(1e13, FIDUCIAL) < 0.2
    for name in ("A_SN1", "A_SN2"):
        for mass in (1e11, 1e12, 1e13):
            few = profiles.stellar_fraction(mass, FIDUCIAL | {name: 2.0})
            assert few < profiles.stellar_fraction(mass, FIDUCIAL | {name: 0.5})


def test_enclosed_gas_agrees_with_quadrature() -> None:
    bound, c, ejection = 0.4, 6.0, 1.5
    table = profiles.enclosed_gas(bound, c, ejection)

    def inside(x: float) -> float:
        return x**2 / ((1 + c * x) * (1 + x**2) ** 2)

    def outside(x: float) -> float:
        return x**2 * np.exp(-0.5 * (x / ejection) ** 2)

    totals = quad(inside, 0, 1)[0], quad(outside, 0, profiles.EDGE)[0]
    for i in (16, 40, 100, 300):
        x = profiles.GRID[i]
        expected = bound * quad(inside, 0, min(x, 1.0))[0] / totals[0]
        expected += (1 - bound) * quad(outside, 0, x)[0] / totals[1]
        assert table[i] == pytest.approx(expected, abs=5e-3)
    assert table[-1] == pytest.approx(1.0)
    assert (np.diff(table) >= 0).all()


def test_shells_stay_where_no_mass_has_moved() -> None:
    mass = np.arange(1.0, 5.0)
    np.testing.assert_array_equal(profiles.relax(mass, mass), 1.0)
    assert (profiles.relax(mass, 0.9 * mass) > 1).all()


def test_displacement_has_no_divergence_and_the_promised_size() -> None:
    r200c, h = 0.7, 1e-4
    rng = np.random.default_rng(3)
    points = rng.uniform(-20, 20, size=(4000, 3))
    variance, clumping = [], []
    for seed in range(30):
        displacement, log_clumping = random_fields(np.random.default_rng(seed), points, r200c)
        variance.append(displacement.var(axis=0))
        clumping.append(log_clumping.var())
    assert np.mean(variance) ** 0.5 == pytest.approx(TURBULENCE * r200c, rel=0.03)
    assert np.mean(clumping) ** 0.5 == pytest.approx(CLUMPING, rel=0.03)

    def field(offset: np.ndarray) -> np.ndarray:
        return random_fields(np.random.default_rng(0), points + offset, r200c)[0]

    slopes = np.stack([(field(h * e) - field(-h * e)) / (2 * h) for e in np.eye(3)], axis=-1)
    divergence = np.trace(slopes, axis1=1, axis2=2)
    assert np.abs(divergence).max() < 1e-6 * np.abs(slopes).max()


def test_bubbles_are_empty_and_leave_the_rest() -> None:
    points = np.random.default_rng(4).uniform(-2, 2, size=(5000, 3))
    centre, radius = np.array([[0.5, 0.0, 0.0]]), 0.6
    moved = blow_bubbles(points, centre, radius)
    before, after = (np.linalg.norm(p - centre, axis=1) for p in (points, moved))
    assert after.min() >= radius
    far = before >= 1.5 * radius
    np.testing.assert_array_equal(moved[far], points[far])
    assert after[~far].max() <= 1.5 * radius * (1 + 1e-12)
    assert (np.argsort(before) == np.argsort(after)).all()


@pytest.mark.parametrize("mass", [1e8, 1e11, 1e13])
def test_stars_sum_to_their_mass(mass: float) -> None:
    dark = np.random.default_rng(0).normal(size=(100, 3))
    for seed in range(20):
        stars = place_stars(np.random.default_rng(seed), mass, 100 * mass, 0.5, dark, 4e8)
        assert stars.masses.sum() == pytest.approx(mass, rel=1e-12)
        assert (stars.masses > 0).all()
        assert len(stars.offsets) == len(stars.masses) == len(stars.formation_times)
        assert (stars.formation_times > 0).all()
