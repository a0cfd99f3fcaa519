"""Forces against an independent solver and a plane wave; motion against linear theory."""

import numpy as np
import pytest

from emulator.simulate.cosmology import Cosmology, Growth, LinearPower
from emulator.simulate.lpt import initial_particles, lagrangian_displacements, linear_density_modes
from emulator.simulate.particle_mesh import MeshForce, deposit, evolve

BOX = 10.0


def clouds(positions: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells ``(8, particle, 3)`` and weights ``(8, particle)`` of particles, by brute force."""
    u = positions.astype(float) * n / BOX - 0.5
    corner = np.floor(u).astype(int)
    corners = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    distance = np.abs(u - (corner + corners[:, None, :]))
    return (corner + corners[:, None, :]) % n, np.prod(1.0 - distance, axis=-1)


def reference_force(positions: np.ndarray, n: int) -> np.ndarray:
    """float64; the 4-point difference as its spectral multiplier."""
    cells, weights = clouds(positions, n)
    density = np.zeros((n, n, n))
    np.add.at(density, tuple(np.moveaxis(cells, -1, 0)), weights)
    density *= n**3 / len(positions)
    h, k = BOX / n, 2 * np.pi * np.fft.fftfreq(n, BOX / n)
    k2 = k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None, :] ** 2
    k2[0, 0, 0] = np.inf
    potential = -np.fft.fftn(density) / k2
    slope = 1j * (8 * np.sin(k * h) - np.sin(2 * k * h)) / (6 * h)
    force = []
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = n
        field = np.fft.ifftn(-slope.reshape(shape) * potential).real
        force.append((field[tuple(np.moveaxis(cells, -1, 0))] * weights).sum(axis=0))
    return np.stack(force, axis=1)


@pytest.fixture(scope="module")
def particles() -> np.ndarray:
    rng = np.random.default_rng(0)
    points = rng.normal(0.0, 1.5, size=(500, 3)) % BOX
    points[:3] = [[0.0, 0.0, 0.0], [9.9999, 0.0001, 5.0], [0.3, 9.99, 9.99]]
    return points.astype(np.float32)


def test_deposit_agrees_with_brute_force(particles: np.ndarray) -> None:
    n = 12
    mesh = np.zeros((n, n, n), dtype=np.float32)
    deposit(particles, np.float32(n / BOX), mesh)
    cells, weights = clouds(particles, n)
    expected = np.zeros((n, n, n))
    np.add.at(expected, tuple(np.moveaxis(cells, -1, 0)), weights)
    np.testing.assert_allclose(mesh, expected, atol=2e-5)


def test_force_agrees_with_an_independent_solver(particles: np.ndarray) -> None:
    force, expected = MeshForce(12, BOX).at(particles), reference_force(particles, 12)
    np.testing.assert_allclose(force, expected, atol=1e-5 * np.abs(expected).max())


def test_forces_sum_to_zero(particles: np.ndarray) -> None:
    force = MeshForce(16, BOX).at(particles).astype(float)
    assert np.abs(force.sum(axis=0)).max() < 1e-5 * np.abs(force).sum()


def test_plane_wave_of_particles_feels_its_own_displacement() -> None:
    n, wave = 32, 2
    k = 2 * np.pi * wave / BOX
    side = (np.arange(n) + 0.5) * BOX / n
    positions = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    # In one dimension the exact force is the displacement itself.
    displacement = 0.02 * BOX / n * np.sin(k * positions[:, 0])
    moved = positions.copy()
    moved[:, 0] += displacement
    force = MeshForce(n, BOX).at(moved.astype(np.float32))
    fitted = (force[:, 0] @ displacement) / (displacement @ displacement)
    # What the mesh keeps of it: the multiplier of the 4-point difference over k.
    x = k * BOX / n
    gradient = (8 * np.sin(x) - np.sin(2 * x)) / (6 * x)
    assert fitted == pytest.approx(gradient, rel=0.03)
    assert np.abs(force[:, 1:]).max() < 1e-3 * np.abs(force[:, 0]).max()


def test_momentum_stays_zero_through_a_run() -> None:
    n, cosmology = 16, Cosmology(0.3, 0.8)
    growth = Growth(cosmology)
    density = linear_density_modes(n, BOX, LinearPower(cosmology), 2)
    positions, momenta = initial_particles(
        lagrangian_displacements(density, BOX), BOX, 0.05, growth
    )
    evolve(positions, momenta, growth, MeshForce(32, BOX), a_start=0.05, n_steps=10)
    momenta = momenta.astype(float)
    assert np.abs(momenta.sum(axis=0)).max() < 1e-4 * np.abs(momenta).sum()
    assert positions.min() >= 0.0
    assert positions.max() < BOX


@pytest.mark.slow
@pytest.mark.parametrize("omega_m", [0.15, 0.3])
def test_small_fluctuations_grow_linearly(omega_m: float) -> None:
    n, box, cosmology = 32, 200.0, Cosmology(omega_m, 0.02)
    growth = Growth(cosmology)
    density = linear_density_modes(n, box, LinearPower(cosmology), 7)
    # Long waves only: the mesh softens the others, by design.
    index = np.fft.fftfreq(n, 1 / n)
    long = index[:, None, None] ** 2 + index[None, :, None] ** 2 + index[: n // 2 + 1] ** 2 <= 9
    fields = lagrangian_displacements(np.where(long[:, :, : n // 2 + 1], density, 0.0), box)
    start, momenta = initial_particles(fields, box, 0.05, growth)
    positions = start.copy()
    evolve(positions, momenta, growth, MeshForce(2 * n, box), a_start=0.05, n_steps=20)
    moved = (positions - start + box / 2) % box - box / 2
    expected = (1.0 - growth.first(0.05)[0]) * fields.first.reshape(3, -1).T
    slope = (moved * expected).sum() / (expected**2).sum()
    assert slope == pytest.approx(1.0, abs=0.02)
