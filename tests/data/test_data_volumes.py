"""Volumes: cubes of mass, from particles to windows."""

import itertools

import numpy as np
import pytest
from test_data_deposit import BOX, KERNELS, deposit, particles, share

from emulator.config import DataConfig
from emulator.data.cutouts import extract, window_places
from emulator.data.dataset import WindowDataset, corner_stride, window_weights
from emulator.data.maps import Maps, read_maps
from emulator.data.symmetries import N_ORIENTATIONS, orient
from emulator.domain import VOLUMES
from emulator.io import DataError
from emulator.projection.deposit import deposit_mesh, deposit_volume, mesh_side
from emulator.projection.pyramid import block_mean
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation

N = 12


def volume_of(block, n, kernel):
    mesh = np.zeros((mesh_side(len(block.mass)),) * 3, np.float32)
    deposit_mesh(block, mesh)
    volume = np.zeros((n, n, n))
    total = deposit_volume(block, volume, kernel, mesh=mesh)
    assert total == pytest.approx(block.mass.sum() * block.mass_msunh, rel=1e-12)
    return volume


@pytest.mark.parametrize("kernel", KERNELS[:3])
def test_volumes_agree_with_brute_force(rng, kernel):
    block = particles(rng, 200)
    u = block.position * N / BOX % N
    x, y, z = (share(u[:, axis, None], np.arange(N), N, kernel) for axis in range(3))
    expected = np.einsum("p,pk,pj,pi->kji", block.mass, z, y, x)
    np.testing.assert_allclose(volume_of(block, N, kernel), expected, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_volume_summed_along_an_axis_is_the_map(rng, kernel):
    """Clouds are separable: a projection leaves one axis out. Maps have rows before columns."""
    block = particles(rng, 500)
    volume = volume_of(block, 32, kernel).transpose(2, 1, 0)  # x, y, z
    maps = deposit(block, 32, kernel)
    for axis in range(3):
        np.testing.assert_allclose(volume.sum(axis), maps[axis], rtol=1e-9, atol=1e-9)


def test_the_symmetries_of_the_cube_are_a_group():
    field = np.arange(27.0).reshape(3, 3, 3)
    images = [orient(field, g, 3).tobytes() for g in range(N_ORIENTATIONS[3])]
    assert len(set(images)) == 48
    assert images[0] == field.tobytes()
    for g, h in itertools.product((1, 5, 11, 24, 47), range(48)):
        assert orient(orient(field, g, 3), h, 3).tobytes() in images
    # distances to the middle are kept: nothing but turns and flips
    place = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"))
    radius = (place**2).sum(0)
    assert all((orient(radius, g, 3) == radius).all() for g in range(48))
    both = np.stack([field, field + 100.0])
    np.testing.assert_array_equal(orient(both, 17, 3)[1], orient(field, 17, 3) + 100.0)


@pytest.fixture
def box(rng):
    dmo = rng.lognormal(size=(16, 16, 16)).astype(np.float32)
    return dmo, Maps.from_dmo(dmo, (2,), 3)


@pytest.mark.parametrize("centre", [(0, 0, 0), (5, 14, 9), (-3, 40, 15)])
def test_windows_of_a_volume_are_cubes_of_the_periodic_box(box, centre):
    dmo, maps = box
    cut = extract(maps, 0, centre, window=8, context_factors=(2,), species=())
    start = [c - 4 for c in centre]
    expected = np.roll(dmo, [-s for s in start], (0, 1, 2))[:8, :8, :8]
    np.testing.assert_array_equal(cut.condition, expected)
    coarse = dmo.astype(float).reshape(8, 2, 8, 2, 8, 2).mean((1, 3, 5)).astype(np.float32)
    first = [(c - 8) // 2 for c in centre]
    moved = np.roll(coarse, [-f for f in first], (0, 1, 2))
    np.testing.assert_array_equal(cut.large_scale[0], moved)
    turned = extract(maps, 0, centre, window=8, context_factors=(2,), species=(), orientation=29)
    np.testing.assert_array_equal(turned.condition, orient(expected, 29, 3))
    np.testing.assert_array_equal(turned.large_scale[0], orient(cut.large_scale[0], 29, 3))


def test_windows_tile_a_volume(box):
    dmo, maps = box
    places = window_places(maps, 8)
    assert len(places) == 8
    cuts = [
        extract(maps, p, c, window=8, context_factors=(), species=()).condition for p, c in places
    ]
    assert sum(cut.sum(dtype=float) for cut in cuts) == pytest.approx(dmo.sum(dtype=float))
    with pytest.raises(ValueError, match=r"orientation 0\.\.47"):
        extract(maps, 0, (4, 4, 4), window=8, context_factors=(), species=(), orientation=48)


def test_windows_are_drawn_by_their_mass_anywhere_and_turned_every_way(box):
    dmo, maps = box
    stride = corner_stride(maps, 8)
    weights = window_weights(maps, 8, 1.0).reshape(*(16 // stride,) * 3)
    corner = tuple(3 * stride + np.arange(8))
    mass = dmo.astype(float).take(corner, 0, mode="wrap").take(corner, 1, mode="wrap")
    assert weights[3, 3, 3] == pytest.approx(mass.take(corner, 2, mode="wrap").sum(), rel=1e-6)
    windows = WindowDataset(
        [maps], params=np.zeros((1, 0)), targets=(), context_factors=(2,), window=8,
        batch_size=2000, seed=1, mass_tilt=1.0,
    )  # fmt: skip
    places = windows.places(0)
    assert {place.orientation for place in places} == set(range(48))
    assert {place.centre[0] % stride for place in places} == set(range(stride))
    few = WindowDataset(
        [maps], params=np.zeros((1, 0)), targets=(), context_factors=(2,), window=8,
        batch_size=2, seed=1,
    )[0]  # fmt: skip
    assert few.condition.field.shape == (2, 8, 8, 8)
    assert few.condition.context.shape == (2, 1, 8, 8, 8)


def test_a_maps_file_of_volumes(tiny_root, tiny_suite, tmp_path):
    data = DataConfig(
        dimensions=3, n_pixels=16, window=8, context_factors=(2,), block_particles=500
    )
    suite = build_suite(tiny_suite, tiny_root)
    assert (suite.n_projections(data), suite.projections(data)) == (1, ("box",))
    project_simulation(suite, data, "CV_0", tmp_path / "CV_0.h5")
    maps = read_maps(tmp_path / "CV_0.h5")
    assert (maps.domain, maps.projections, maps.shape) == (VOLUMES, ("box",), (16, 16, 16))
    assert maps.species == ("dmo", "dm_hydro", "gas", "stars")
    assert maps.attrs["depth_mpch"] == maps.attrs["pixel_mpch"] == 25.0 / 16
    for name in ("dmo", "dm_hydro", "gas", "stars"):
        mass = maps.select([name]).sum(dtype=float)
        assert mass == pytest.approx(maps.attrs[f"mass_particles_{name}"], rel=1e-6)
        assert mass == pytest.approx(maps.attrs[f"mass_map_{name}"], rel=1e-6)
    dmo = maps.select(["dmo"])[:, 0]
    np.testing.assert_allclose(maps.context[2], block_mean(dmo, 2, 3), rtol=1e-6)
    lazy = read_maps(tmp_path / "CV_0.h5", lazy=True)
    one, other = (
        extract(m, 0, (15, 3, 8), window=8, context_factors=(2,), species=("gas",))
        for m in (maps, lazy)
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    # the same particles as maps: sums along the axes
    flat = data.model_copy(update={"dimensions": 2})
    project_simulation(suite, flat, "CV_0", tmp_path / "flat.h5")
    along = read_maps(tmp_path / "flat.h5").select(["gas"])[:, 0]
    x_y_z = maps.select(["gas"])[0, 0].T
    for axis in range(3):
        np.testing.assert_allclose(x_y_z.sum(axis), along[axis], rtol=1e-4)
    expected = suite.maps_bytes(data)
    assert expected == 4 * 16**3 * (4 + 1 / 8)


def test_a_volume_that_is_none_is_refused(rng):
    with pytest.raises(DataError, match=r"\(z, y, x\) of multiples"):
        Maps.from_dmo(rng.uniform(size=(8, 8)), (2,), 3)
    with pytest.raises(DataError, match=r"\(y, x\) of multiples"):
        Maps.from_dmo(rng.uniform(size=(8, 8, 8)), (2,))
