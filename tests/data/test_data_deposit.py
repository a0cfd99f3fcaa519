import numpy as np
import pytest
from scipy.integrate import quad

from emulator.data import deposit
from emulator.data.projection import project_species

BOX = 25.0


def particles(rng, n):
    return rng.uniform(0, BOX, (n, 3)), rng.uniform(0.5, 2.0, n)


def cic_by_numpy(position, mass, n_pixels, projection):
    a, b = [axis for axis in range(3) if axis != projection]
    u = position * n_pixels / BOX - 0.5
    left = np.floor(u).astype(int)
    grid = np.zeros((n_pixels, n_pixels))
    for di in (0, 1):
        for dj in (0, 1):
            weight = np.abs(1 - di - (u - left)[:, a]) * np.abs(1 - dj - (u - left)[:, b])
            index = (left[:, a] + di) % n_pixels, (left[:, b] + dj) % n_pixels
            np.add.at(grid, index, mass * weight)
    return grid


def test_cic_agrees_with_numpy(rng):
    position, mass = particles(rng, 3000)
    grids = np.zeros((3, 20, 20))
    deposit.deposit_cic(position, mass, BOX, grids)
    for projection in range(3):
        expected = cic_by_numpy(position, mass, 20, projection)
        np.testing.assert_allclose(grids[projection], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", ["cic", "adaptive"])
def test_mass_is_conserved_in_every_projection(rng, kernel):
    position, mass = particles(rng, 5000)
    position[:50] = rng.choice([0.0, np.nextafter(BOX, 0), BOX], (50, 3))
    result = project_species(
        lambda: iter([(position, mass)]), 5000, box_size_mpch=BOX, n_pixels=24, kernel=kernel
    )
    np.testing.assert_allclose(result.maps.sum(axis=(1, 2)), mass.sum(), rtol=1e-12)
    assert result.mass_map_msunh == pytest.approx(result.mass_particles_msunh, rel=1e-12)
    assert result.maps.min() >= 0


@pytest.mark.parametrize(("u", "w"), [(7.3, 1.0), (7.0, 1.7), (0.2, 2.5), (15.9, 3.99)])
def test_tent_is_the_integral_over_each_pixel(u, w):
    n = 16
    grids = np.zeros((3, n, n))
    position = np.array([[0.0, 0.0, u]]) * BOX / n
    deposit.deposit_tent(position, np.ones(1), np.array([w]), BOX, grids)
    along_z = grids[0].sum(axis=0)

    def tent(x):
        return max(0.0, 1 - abs(x - u) / w) / w

    expected = np.zeros(n)
    for j in range(-n, 2 * n):
        kinks = [x for x in (u - w, u, u + w) if j < x < j + 1]
        expected[j % n] += quad(tent, j, j + 1, points=kinks or None)[0]
    np.testing.assert_allclose(along_z, expected, atol=1e-10)


@pytest.mark.parametrize("kernel", ["cic", "adaptive"])
def test_a_shift_by_whole_pixels_rolls_the_periodic_map(rng, kernel):
    position, mass = particles(rng, 400)
    n_pixels, shift = 16, np.array([3, 5, 11])
    moved = (position + shift * BOX / n_pixels) % BOX
    widths = rng.uniform(1, 4, 400)
    one, other = np.zeros((2, 3, n_pixels, n_pixels))
    for place, grids in ((position, one), (moved, other)):
        if kernel == "cic":
            deposit.deposit_cic(place, mass, BOX, grids)
        else:
            deposit.deposit_tent(place, mass, widths, BOX, grids)
    for projection, (a, b) in enumerate([(1, 2), (0, 2), (0, 1)]):
        rolled = np.roll(one[projection], (shift[a], shift[b]), axis=(0, 1))
        np.testing.assert_allclose(other[projection], rolled, atol=1e-10)


@pytest.mark.parametrize("kernel", ["cic", "adaptive"])
def test_axes_and_pixels_are_where_the_convention_says(kernel):
    n_pixels = 25
    position = np.array([[2.5, 7.5, 12.5]])
    grids = np.zeros((3, n_pixels, n_pixels))
    if kernel == "cic":
        deposit.deposit_cic(position, np.ones(1), BOX, grids)
    else:
        deposit.deposit_tent(position, np.ones(1), np.ones(1), BOX, grids)
    peaks = [np.unravel_index(grid.argmax(), grid.shape) for grid in grids]
    assert peaks == [(7, 12), (2, 12), (2, 7)]


def test_mesh_conserves_mass_and_width_follows_the_density(rng):
    lattice = (np.indices((16,) * 3).reshape(3, -1).T + 0.3) * BOX / 16
    mass = np.full(len(lattice), 2.0)
    mesh = np.zeros((8, 8, 8), np.float32)
    deposit.deposit_mesh(lattice, mass, BOX, mesh)
    assert mesh.sum() == pytest.approx(mass.sum(), rel=1e-6)
    width = np.empty(len(lattice))
    deposit.tent_half_width(lattice, mass, BOX, mesh, 64, width)
    # a uniform lattice of 16 particles a side: spacing of 4 pixels, below the cap of 64/16 pixels
    np.testing.assert_allclose(width, min(deposit.ETA * 4, 4), rtol=1e-5)
    deposit.tent_half_width(lattice, mass, BOX, mesh * 1000, 64, width)
    np.testing.assert_allclose(width, max(1.0, deposit.ETA * 4 / 10), rtol=1e-5)
    deposit.tent_half_width(lattice, mass, BOX, mesh * 1e9, 64, width)
    np.testing.assert_array_equal(width, 1.0)


def stretched_lattice(amplitude, side=32):
    """A void at the corner of the box, pulled out of a lattice; with its exact density along x."""
    wave = 2 * np.pi / BOX

    def place(q):
        return q - amplitude / wave * np.sin(wave * q) + 0.13

    q = (np.arange(side) + 0.5) * BOX / side
    axes = np.meshgrid(*[place(q) % BOX] * 3, indexing="ij")
    fine = np.linspace(-BOX / 2, 1.5 * BOX, 400_001)

    def pixel_counts(n_pixels):
        return np.diff(np.interp(np.linspace(0, BOX, n_pixels + 1), place(fine), fine)) * side / BOX

    return np.stack(axes, -1).reshape(-1, 3), pixel_counts


@pytest.mark.parametrize("amplitude", [0.0, -0.5, -0.8])
def test_no_lattice_imprint_in_voids(amplitude):
    side, n_pixels = 32, 64
    position, pixel_counts = stretched_lattice(amplitude, side)
    mass = np.ones(len(position))
    expected = np.multiply.outer(pixel_counts(n_pixels), pixel_counts(n_pixels)) * side
    # the void is rolled from the corner to the middle
    inner = slice(n_pixels // 2 - 8, n_pixels // 2 + 8)
    scatter = {}
    for kernel in ("cic", "adaptive"):
        maps = project_species(
            lambda: iter([(position, mass)]),
            len(position),
            box_size_mpch=BOX,
            n_pixels=n_pixels,
            kernel=kernel,
        ).maps
        ratio = np.roll(maps[2] / expected, n_pixels // 2, axis=(0, 1))[inner, inner]
        scatter[kernel] = ratio.std()
    assert scatter["adaptive"] < 0.1
    assert scatter["adaptive"] < 0.1 * scatter["cic"]
