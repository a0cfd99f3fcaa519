import numpy as np
import pytest
from scipy.integrate import quad

from emulator.io import DataError
from emulator.projection import kernels
from emulator.projection.blocks import Block
from emulator.projection.deposit import (
    deposit_maps,
    deposit_mesh,
    mesh_side,
    padded_shape,
    without_ghosts,
)

BOX = 25.0
KERNELS = ("ngp", "cic", "tsc", "adaptive")


def block_of(position, mass, unit=1.0):
    return Block(position, mass, BOX, unit, "file:PartType1")


def particles(rng, n, dtype=np.float64):
    return block_of(rng.uniform(0, BOX, (n, 3)).astype(dtype), rng.uniform(0.5, 2.0, n))


def deposit(block, n_pixels, kernel, *, axes=(0, 1, 2), slabs=1):
    mesh = np.zeros((mesh_side(len(block.mass)),) * 3, np.float32)
    deposit_mesh(block, mesh)
    grids = np.zeros(padded_shape(len(axes) * slabs, n_pixels))
    total = deposit_maps(block, grids, kernel, axes=axes, mesh=mesh)
    expected = block.mass.sum(dtype=np.float64) * block.mass_msunh
    assert total == pytest.approx(expected, rel=1e-12)
    return without_ghosts(grids)


def share(u, pixel, n, kernel):
    """Share of a cloud at ``u`` that falls on one periodic pixel, by integrating the cloud."""
    half = {"ngp": 0.0, "cic": 0.5, "tsc": 1.0}[kernel]
    d = (u - pixel - 0.5 + n / 2) % n - n / 2
    if kernel == "ngp":
        return float(-0.5 <= d < 0.5) if np.isscalar(d) else ((d >= -0.5) & (d < 0.5)).astype(float)
    if kernel == "cic":
        return np.clip(1 - np.abs(d), 0, None)
    low, high = np.clip(-0.5 - d, -half, half), np.clip(0.5 - d, -half, half)

    def area(x):
        return np.where(x < 0, 0.5 * (1 + x) ** 2, 1 - 0.5 * (1 - x) ** 2)

    return area(high) - area(low)


def by_numpy(block, n, kernel, axis, slab=0, slabs=1):
    """Every particle against every pixel."""
    u = np.float64(block.position) * n / BOX % n
    inside = np.floor(u[:, axis] * slabs / n) == slab
    rows, cols = (u[inside, a, None] for a in range(3) if a != axis)
    pixels = np.arange(n)
    weight_rows, weight_cols = share(rows, pixels, n, kernel), share(cols, pixels, n, kernel)
    return np.einsum("p,pi,pj->ij", block.mass[inside], weight_rows, weight_cols)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS[:3])
def test_maps_agree_with_brute_force(rng, kernel, dtype):
    block = particles(rng, 800, dtype)
    n, slabs = 20, 4
    grids = deposit(block, n, kernel, slabs=slabs)
    for axis in range(3):
        for slab in range(slabs):
            expected = by_numpy(block, n, kernel, axis, slab, slabs)
            np.testing.assert_allclose(grids[axis * slabs + slab], expected, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS[:3])
def test_meshes_agree_with_brute_force(rng, kernel):
    block, n = particles(rng, 300), 12
    mesh = np.zeros((n, n, n))
    deposit_mesh(block, mesh, kernel)
    u = block.position * n / BOX
    shares = [share(u[:, a, None], np.arange(n), n, kernel) for a in range(3)]
    expected = np.einsum("p,pi,pj,pk->ijk", block.mass, *shares)
    np.testing.assert_allclose(mesh, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_slabs_and_a_choice_of_axes_are_parts_of_the_whole(rng, kernel):
    block = particles(rng, 500)
    whole = deposit(block, 16, kernel)
    thin = deposit(block, 16, kernel, slabs=5).reshape(3, 5, 16, 16)
    np.testing.assert_allclose(thin.sum(axis=1), whole, atol=1e-12)
    np.testing.assert_array_equal(deposit(block, 16, kernel, axes=(2, 0)), whole[[2, 0]])


@pytest.mark.parametrize("kernel", KERNELS)
def test_mass_is_conserved_and_edges_wrap(rng, kernel):
    block = particles(rng, 5000)
    edges = [0.0, -1e-300, np.nextafter(BOX, 0), BOX, -0.3 * BOX, 1.7 * BOX]
    block.position[:60] = rng.choice(edges, (60, 3))
    grids = deposit(block, 24, kernel, slabs=3).reshape(3, -1)
    np.testing.assert_allclose(grids.sum(axis=1), block.mass.sum(), rtol=1e-12)
    assert grids.min() >= 0
    wrapped = block._replace(position=block.position % BOX)
    np.testing.assert_allclose(
        deposit(wrapped, 24, kernel, slabs=3).reshape(3, -1), grids, atol=1e-9
    )


def test_units_of_the_file_do_not_matter(rng):
    block = particles(rng, 100)
    kpc = Block(block.position * 1e3, block.mass.astype(np.float32), BOX * 1e3, 1e10, "file")
    expected = deposit(block._replace(mass=kpc.mass.astype(float) * 1e10), 16, "cic")
    np.testing.assert_allclose(deposit(kpc, 16, "cic"), expected, rtol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("position", np.nan, "/Coordinates .*finite values, got NaN"),
        ("position", -np.inf, "/Coordinates .*finite values, got NaN"),
        ("position", 2.1 * BOX, r"/Coordinates .*values within one box length.*suite\.header"),
        ("mass", -1.0, "/Masses .*masses of zero or more, got 1 others, e.g. -1"),
        ("mass", np.nan, "/Masses .*masses of zero or more, got 1 others, e.g. nan"),
    ],
)
def test_faults_are_refused(rng, kernel, name, value, message):
    block = particles(rng, 50)
    getattr(block, name)[17] = value
    with pytest.raises(DataError, match=f"file:PartType1.*{message}"):
        deposit(block, 16, kernel)
    with pytest.raises(DataError, match=message):
        deposit_maps(
            block, np.zeros(padded_shape(3, 8)), kernel, mesh=np.ones((4, 4, 4), np.float32)
        )


@pytest.mark.parametrize(("u", "w"), [(7.3, 1.0), (7.0, 1.7), (0.2, 2.5), (15.9, 3.99)])
def test_tent_is_the_integral_over_each_pixel(u, w):
    n = 16
    grids = np.zeros(padded_shape(1, n))
    position = np.array([[0.0, 0.0, u]])
    widths = np.array([w], np.float32)
    kernels.cloud_planes(position, np.ones(1), 1.0, 1.0, 0, 0, widths, grids)
    w = float(widths[0])

    def tent(x):
        return max(0.0, 1 - abs(x - u) / w) / w

    expected = np.zeros(n)
    for j in range(-n, 2 * n):
        kinks = [x for x in (u - w, u, u + w) if j < x < j + 1]
        expected[j % n] += quad(tent, j, j + 1, points=kinks or None)[0]
    np.testing.assert_allclose(without_ghosts(grids)[0].sum(axis=0), expected, atol=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_shift_by_whole_pixels_rolls_the_periodic_map(rng, kernel):
    block, n, shift = particles(rng, 400), 16, np.array([3, 5, 11])
    # the adaptive width is read from a mesh, whose cells must move by whole cells, too
    mesh = np.zeros((n, n, n), np.float32)
    deposit_mesh(block, mesh)
    moved = block._replace(position=(block.position + shift * BOX / n) % BOX)
    one, other = np.zeros((2, *padded_shape(3, n)))
    deposit_maps(block, one, kernel, mesh=mesh)
    deposit_maps(moved, other, kernel, mesh=np.roll(mesh, shift, axis=(0, 1, 2)))
    one, other = without_ghosts(one), without_ghosts(other)
    for axis, (a, b) in enumerate([(1, 2), (0, 2), (0, 1)]):
        rolled = np.roll(one[axis], (shift[a], shift[b]), axis=(0, 1))
        np.testing.assert_allclose(other[axis], rolled, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_axes_and_pixels_are_where_the_convention_says(kernel):
    grids = deposit(block_of(np.array([[2.5, 7.5, 12.5]]), np.ones(1)), 25, kernel)
    peaks = [np.unravel_index(grid.argmax(), grid.shape) for grid in grids]
    assert peaks == [(7, 12), (2, 12), (2, 7)]


def test_width_follows_the_density():
    lattice = (np.indices((16,) * 3).reshape(3, -1).T + 0.3) * BOX / 16
    mass = np.full(len(lattice), 2.0)
    mesh = np.zeros((8, 8, 8), np.float32)
    deposit_mesh(block_of(lattice, mass), mesh)
    assert mesh.sum() == pytest.approx(mass.sum(), rel=1e-6)
    width = np.empty(len(lattice), np.float32)
    # a uniform lattice of 16 particles a side: spacing of 4 pixels, below the cap of 64/16 pixels
    for denser, expected in ((1, min(kernels.ETA * 4, 4)), (1000, kernels.ETA * 4 / 10), (1e9, 1)):
        kernels.tent_half_width(lattice, mass, 1.0, 8 / BOX, mesh * denser, 64, width)
        np.testing.assert_allclose(width, max(1.0, expected), rtol=1e-5)


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
        maps = deposit(block_of(position, mass), n_pixels, kernel)
        ratio = np.roll(maps[2] / expected, n_pixels // 2, axis=(0, 1))[inner, inner]
        scatter[kernel] = ratio.std()
    assert scatter["adaptive"] < 0.1
    assert scatter["adaptive"] < 0.1 * scatter["cic"]
