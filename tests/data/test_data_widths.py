"""Kernels at their edges: mesh of the density, widths of tents, ghosts, and sums in parts."""

import numpy as np
import pytest

from emulator.projection import kernels
from emulator.projection.blocks import Block
from emulator.projection.deposit import deposit_maps, mesh_side, padded_shape, without_ghosts


@pytest.mark.parametrize(
    ("n_particles", "side"),
    [(0, 4), (192, 4), (3 * 10**3, 10), (3 * 200**3, 200), (3 * 256**3, 256), (10**9, 256)],
)
def test_a_cell_of_the_density_mesh_has_three_particles(n_particles, side):
    assert mesh_side(n_particles) == side


def width(*, mass=1.0, cell=0.0, n_pixels=64, position=(0.5, 0.5, 0.5), mesh=None):
    """Half-width of one particle, in a mesh of cells of one mass; the box is one."""
    if mesh is None:
        mesh = np.full((4, 4, 4), cell, np.float32)
    found = np.empty(1, np.float32)
    kernels.tent_half_width(
        np.array([position]), np.array([mass]), 2.0, float(len(mesh)), mesh, n_pixels, found
    )
    return float(found[0])


def test_a_width_is_twice_the_local_distance_between_particles():
    """Of mass 2 in cells of 16 pixels: rho^-1/3 pixels, between one pixel and a sixteenth."""
    assert kernels.ETA == 2.0
    assert kernels.WIDEST_FRACTION == 1 / 16
    for n_in_cell in (2000.0, 8000.0, 30000.0):
        expected = 2.0 * 16 / np.cbrt(n_in_cell)
        assert width(cell=2 * n_in_cell) == pytest.approx(expected, rel=1e-6)
    assert width(cell=1e9) == 1.0
    assert width(cell=2.0) == 4.0
    assert width(cell=2.0, n_pixels=8) == 1.0
    assert width(cell=0.0) == 2.0  # no density to follow: a distance of one pixel
    assert width(mass=0.0, cell=2.0) == 1.0


def test_the_density_is_interpolated_between_cells():
    rng = np.random.default_rng(0)
    mesh = rng.uniform(2e4, 4e4, (4, 4, 4)).astype(np.float32)
    u = np.array([0.3, 2.9, 3.8]) - 0.5
    left, rest = np.floor(u).astype(int), u - np.floor(u)
    density = 0.0
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, rest, 1 - rest))
        density += weight * mesh[tuple((left + corner) % 4)]
    expected = 2.0 * 16 * np.cbrt(2.0 / density)
    assert width(position=(u + 0.5) / 4, mesh=mesh) == pytest.approx(expected, rel=1e-6)


def test_ghosts_go_to_the_other_side():
    """Every padded pixel is counted once, at its index modulo the side."""
    grids = np.random.default_rng(0).random(padded_shape(2, 5))
    inside = grids[:, :7, :7].copy()
    expected = np.zeros((2, 5, 5))
    for row in range(7):
        for col in range(7):
            expected[:, (row - 1) % 5, (col - 1) % 5] += inside[:, row, col]
    np.testing.assert_allclose(without_ghosts(grids), expected)


@pytest.mark.parametrize("kernel", ["ngp", "cic", "tsc", "adaptive"])
def test_an_empty_block_adds_nothing(kernel):
    grids = np.zeros(padded_shape(3, 8))
    empty = Block(np.empty((0, 3)), np.empty(0), 1.0, 1.0, "f")
    assert deposit_maps(empty, grids, kernel) == 0.0
    assert not grids.any()
    one = Block(np.full((1, 3), 0.5), np.ones(1), 1.0, 1.0, "f")
    if kernel == "adaptive":
        with pytest.raises(ValueError, match="density mesh"):
            deposit_maps(one, grids, kernel)


@pytest.mark.parametrize("edge", [-25.0, 50.0])
def test_a_box_beyond_the_box_is_wrapped_and_no_more(edge):
    from emulator.io import DataError
    from emulator.projection.deposit import _sound

    def sound(x):
        return _sound(Block(np.array([[1.0, 2.0, x]]), np.ones(1), 25.0, 3.0, "f"))

    total, position = sound(edge)
    assert total == 3.0
    assert position.tolist() == [[1.0, 2.0, 0.0]]
    with pytest.raises(DataError, match="one box length"):
        sound(edge + np.sign(edge))
