import dataclasses
import pickle
from pathlib import Path

import fabricated
import numpy as np
import pytest
from rows import SPECIES

from emulator.data import lazy as lazy_module
from emulator.data.cutouts import extract, grid_centres, window_places
from emulator.data.maps import Maps, read_maps
from emulator.data.symmetries import orient
from emulator.io import DataError
from emulator.projection.pyramid import block_mean

N, WINDOW, FACTORS = 32, 8, (2, 4)
TARGETS = ("stars", "gas")


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(3)
    fields = rng.lognormal(20, 1, (3, 4, N, N)).astype(np.float32)
    return Maps(
        path=Path("random.h5"),
        maps=fields,
        context={f: block_mean(fields[:, 0].astype(np.float64), f) for f in FACTORS},
        projections=("x", "y", "z"),
        species=SPECIES,
        halo_position=np.zeros((0, 3)),
        halo_m200c=np.zeros(0),
        halo_r200c=np.zeros(0),
        params={},
        param_ranges={},
        attrs={"pixel_mpch": 25 / N},
    )


def cut(maps, centre, projection=1, **kwargs):
    options = {"window": WINDOW, "context_factors": FACTORS, "species": TARGETS, **kwargs}
    return extract(maps, projection, centre, **options)


@pytest.mark.parametrize("centre", [(16, 16), (0, 0), (31, 3), (5, 30), (-1, 40), (13, 22)])
@pytest.mark.parametrize("projection", [0, 2])
def test_cutouts_against_roll(maps, centre, projection):
    got = cut(maps, centre, projection)
    half = WINDOW // 2
    rolled = np.roll(maps.maps[projection], (half - centre[0], half - centre[1]), axis=(-2, -1))[
        ..., :WINDOW, :WINDOW
    ]
    np.testing.assert_array_equal(got.condition, rolled[0])
    np.testing.assert_array_equal(got.target, rolled[[3, 2]])
    for level, factor in enumerate(FACTORS):
        wide = WINDOW * factor
        # fine pixel where the context starts: the block that holds the exact corner
        corner = [(c - wide // 2) // factor * factor for c in centre]
        fine = np.roll(maps.maps[projection, 0], (-corner[0], -corner[1]), axis=(0, 1))
        expected = block_mean(fine[:wide, :wide].astype(np.float64), factor)
        np.testing.assert_allclose(got.large_scale[level], expected, rtol=1e-6)
        offset = np.array(centre) - wide // 2 - corner
        assert ((offset >= 0) & (offset < factor)).all()


def test_shapes_types_and_ownership(maps):
    got = cut(maps, (3, 4))
    assert [field.dtype for field in got] == [np.float32] * 3
    assert [field.shape for field in got] == [(8, 8), (2, 8, 8), (2, 8, 8)]
    assert not any(np.shares_memory(field, maps.maps) for field in got)
    assert cut(maps, (3, 4), context_factors=()).large_scale.shape == (0, 8, 8)


def test_context_is_exactly_centred_on_the_tiling(maps):
    """The middle of a context window, refined by means, is the condition's own block mean."""
    for centre in grid_centres(N, WINDOW):
        got = cut(maps, centre)
        for level, factor in enumerate(FACTORS):
            inner = WINDOW // factor
            low = (WINDOW - inner) // 2
            middle = got.large_scale[level][low : low + inner, low : low + inner]
            np.testing.assert_allclose(
                middle, block_mean(got.condition.astype(np.float64), factor), rtol=1e-6
            )


def test_tiling_covers_every_pixel_once(maps):
    centres = grid_centres(N, WINDOW)
    assert len(centres) == (N // WINDOW) ** 2
    total = sum(cut(maps, c).condition.sum(dtype=np.float64) for c in centres)
    assert total == pytest.approx(maps.maps[1, 0].sum(dtype=np.float64), rel=1e-12)
    with pytest.raises(ValueError, match="do not tile"):
        grid_centres(30, 8)


def test_orientations_are_the_dihedral_group():
    field = np.arange(25.0).reshape(5, 5)
    images = [orient(field, k) for k in range(8)]
    keys = [image.tobytes() for image in images]
    assert len(set(keys)) == 8
    np.testing.assert_array_equal(images[0], field)
    # closed under composition, and every element has an inverse
    table = [[keys.index(orient(image, k).tobytes()) for k in range(8)] for image in images]
    assert all(sorted(row) == list(range(8)) for row in table)
    assert all(0 in row for row in table)


@pytest.mark.parametrize("orientation", range(8))
def test_one_orientation_for_all_fields(maps, orientation):
    plain, turned = cut(maps, (9, 30)), cut(maps, (9, 30), orientation=orientation)
    for before, after in zip(plain, turned, strict=True):
        for one, other in zip(before.reshape(-1, 8, 8), after.reshape(-1, 8, 8), strict=True):
            np.testing.assert_array_equal(other, orient(one, orientation))
        assert after.flags.c_contiguous


@pytest.fixture(scope="module")
def maps_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    simulation = fabricated.simulations(n_train=0, n_cv=1)[0]
    fabricated.write_maps(folder, simulation)
    return folder / f"{simulation.name}.h5"


def test_lazy_maps_give_the_same_cutouts(maps_file):
    loaded, lazy = read_maps(maps_file), read_maps(maps_file, lazy=True)
    there_and_back = pickle.loads(pickle.dumps(lazy))
    for centre in [(16, 16), (0, 63), (62, 2)]:
        for other in (lazy, there_and_back):
            for one, two in zip(cut(loaded, centre), cut(other, centre), strict=True):
                np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(loaded.select(TARGETS), lazy.select(TARGETS))
    np.testing.assert_array_equal(loaded.maps, np.asarray(lazy.maps))


def test_lazy_maps_close_and_open_again(maps_file, monkeypatch):
    lazy = read_maps(maps_file, lazy=True)
    before = cut(lazy, (5, 5)).condition
    opened = lazy_module._open(maps_file)
    lazy.close()
    assert not opened.handle
    np.testing.assert_array_equal(cut(lazy, (5, 5)).condition, before)
    monkeypatch.setattr(lazy_module, "MAX_OPEN", 1)
    second = maps_file.with_name("second.h5")
    second.write_bytes(maps_file.read_bytes())
    first = lazy_module._open(maps_file)
    for path in (second, maps_file):
        np.testing.assert_array_equal(cut(read_maps(path, lazy=True), (5, 5)).condition, before)
    assert not first.handle
    assert len(lazy_module._open_files) == 1


def test_a_lazy_map_that_went_away(tmp_path, maps_file):
    path = tmp_path / "gone.h5"
    path.write_bytes(maps_file.read_bytes())
    lazy = read_maps(path, lazy=True)
    path.unlink()
    with pytest.raises(DataError, match=r"gone\.h5:/maps: .*no such file"):
        cut(lazy, (0, 0))


@pytest.mark.parametrize("n_projections", [1, 7])
def test_any_number_of_projections(n_projections):
    rng = np.random.default_rng(4)
    fields = rng.lognormal(20, 1, (n_projections, 4, N, N)).astype(np.float32)
    maps = Maps(
        Path("slabs.h5"), fields, {f: block_mean(fields[:, 0], f) for f in FACTORS},
        tuple(map(str, range(n_projections))), SPECIES,
        np.zeros((0, 3)), np.zeros(0), np.zeros(0), {}, {}, {"pixel_mpch": 1.0},
    )  # fmt: skip
    got = cut(maps, (4, 4), projection=n_projections - 1)
    np.testing.assert_array_equal(got.condition, fields[-1, 0, :8, :8])
    assert len(window_places(maps, WINDOW)) == n_projections * (N // WINDOW) ** 2
    with pytest.raises(ValueError, match=rf"0\.\.{n_projections - 1}"):
        cut(maps, (4, 4), projection=n_projections)


@pytest.fixture
def windows(maps):
    """Three ready windows, and their context at the pixels of the window."""
    cuts = [cut(maps, (3, 30), p, species=SPECIES[1:]) for p in range(3)]
    return dataclasses.replace(
        maps,
        maps=np.stack([np.concatenate([c.condition[None], c.target]) for c in cuts]),
        context={f: np.stack([c.large_scale[i] for c in cuts]) for i, f in enumerate(FACTORS)},
        attrs={**maps.attrs, "periodic": 0},
    )


def test_ready_windows_are_used_whole(maps, windows):
    for place in window_places(windows, WINDOW):
        assert place[1] == (4, 4)
        for orientation in (0, 6):
            one = cut(windows, place[1], place[0], orientation=orientation)
            other = cut(maps, (3, 30), place[0], orientation=orientation)
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"the centre of a ready window is \(4, 4\), got \(4, 5\)"):
        cut(windows, (4, 5))
    with pytest.raises(DataError, match="windows of 4 pixels"):
        cut(windows, (2, 2), window=4)


def test_what_cannot_be_cut(maps):
    with pytest.raises(DataError, match="context_3, got only context_2, context_4"):
        cut(maps, (0, 0), context_factors=(3,))
    with pytest.raises(DataError, match="at least 64 pixels"):
        cut(maps, (0, 0), window=16)
    with pytest.raises(DataError, match="'dust'"):
        cut(maps, (0, 0), species=("dust",))
    with pytest.raises(ValueError, match="projection"):
        cut(maps, (0, 0), projection=3)
    with pytest.raises(ValueError, match="orientation"):
        cut(maps, (0, 0), orientation=8)
