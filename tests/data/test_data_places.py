"""Where windows lie, how they are turned, shared out and written: counts, replays, conservation."""

import dataclasses
import hashlib
from pathlib import Path

import fabricated
import h5py
import numpy as np
import pytest
import xarray as xr
from fitted import fit
from window_files import N

from emulator.config import ModelConfig, SplitConfig
from emulator.data.cutouts import periodic_pieces
from emulator.data.dataset import corner_stride, part_of, window_weights
from emulator.data.export import _place, _places, _window_centre
from emulator.data.maps import read_maps
from emulator.data.splits import split_runs
from emulator.fields import TARGETS, find_fields
from emulator.model.windows import windows_for
from emulator.projection.blocks import Part
from emulator.projection.workers import _share_out
from emulator.readers.catalogs import Halos
from emulator.suites.full_maps import FullMaps, write_maps


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    fabricated.write_maps(folder, fabricated.simulations(n_train=0, n_cv=1)[0])
    return read_maps(folder / "CV_0.h5")


@pytest.fixture(scope="module")
def normalisation(maps):
    return fit([maps.path], ModelConfig(params=("Omega_m", "A_SN1")), (2, 4))


def windows(maps, normalisation, **options):
    defaults = {"window": 16, "batch_size": 4000, "seed": 3}
    return windows_for(normalisation, [maps], **(defaults | options))


def test_places_are_everywhere_and_turned_in_all_ways(maps, normalisation):
    """Uniform over pixels, projections and orientations: no count is five errors off its mean."""
    places = windows(maps, normalisation).places(0)
    rows = [[p.projection, p.orientation, *(c - 8 for c in p.centre)] for p in places]
    for values, n in zip(np.array(rows).T, (3, 8, 64, 64), strict=True):
        counts = np.bincount(values, minlength=n)
        assert len(counts) == n
        assert np.abs(counts - 4000 / n).max() < 5 * np.sqrt(4000 / n)


def test_windows_without_mass_are_never_drawn(maps, normalisation):
    fields = np.array(maps.maps)
    fields[:, 0] = 0.0
    fields[1, 0, 20:24, 40:44] = 1.0  # one corner cell: of 16 windows that hold it
    context = {f: v * 0 for f, v in maps.context.items()}
    lonely = dataclasses.replace(maps, maps=fields, context={})
    weights = window_weights(lonely, 16, 1.0).reshape(3, 16, 16)
    expected = np.zeros((3, 16, 16))
    expected[1, 2:6, 7:11] = 16.0
    np.testing.assert_array_equal(weights, expected)
    places = windows(lonely, normalisation, mass_tilt=1.0).places(0)
    assert {p.projection for p in places} == {1}
    assert context.keys() == {2, 4}


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_weights_are_read_off_the_widest_level_that_fits(maps, factor):
    """Twice the level is twice the mass; the level of 8 pixels is wider than a corner's cell."""
    levels = {f: maps.maps[:, 0].reshape(3, 64 // f, f, 64 // f, f).mean((2, 4)) for f in (2, 4, 8)}
    doubled = dataclasses.replace(maps, context=levels | {factor: 2 * levels[factor]})
    ratio = window_weights(doubled, 16, 1.0) / window_weights(maps, 16, 1.0)
    np.testing.assert_allclose(ratio, 2.0 if factor == 4 else 1.0, rtol=1e-5)


def test_ready_windows_weigh_their_mass_and_lie_in_the_middle(maps, normalisation):
    fields, side = np.array(maps.maps[..., :N, :N]), N // 2
    ready = dataclasses.replace(
        maps, maps=fields, context=dict.fromkeys((2, 4), fields[:, 0]),
        attrs=dict(maps.attrs) | {"periodic": 0},
    )  # fmt: skip
    mass = fields[:, 0].sum((1, 2), dtype=np.float64)
    np.testing.assert_allclose(window_weights(ready, N, 2.0), mass**2)
    assert corner_stride(ready, N) == N
    places = windows(ready, normalisation, mass_tilt=3.0).places(1)
    assert {place.centre for place in places} == {(side, side)}
    counts = np.bincount([place.projection for place in places], minlength=3)
    expected = 4000 * mass**3 / (mass**3).sum()
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_simulations_are_drawn_alike_and_named_by_their_file(maps, normalisation):
    both = [maps, dataclasses.replace(maps, path=Path("other/LH_7.h5"))]
    dataset = windows_for(normalisation, both, window=16, batch_size=1000, seed=0)
    numbers = [place.simulation for place in dataset.places(2)]
    assert np.mean(numbers) == pytest.approx(0.5, abs=0.08)
    row = numbers.index(1)
    assert dataset.simulations_of(2, [row]) == ["LH_7"]
    assert dataset.simulations_of(2, range(1000)) == ["CV_0", "LH_7"]


@pytest.mark.parametrize(("parts", "devices"), [(1, 1), (3, 1), (1, 4), (3, 4)])
def test_shares_of_a_batch_cover_it_once(parts, devices):
    rows = [list(range(24))[part_of(24, parts, p, devices, r)]
            for p in range(parts) for r in range(devices)]  # fmt: skip
    assert [number for row in rows for number in row] == list(range(24))
    assert {len(row) for row in rows} == {24 // parts // devices}


@pytest.mark.parametrize(("start", "expected"), [
    (0, [(0, 5)]), (3, [(3, 5)]), (5, [(5, 3), (0, 2)]), (-2, [(6, 2), (0, 3)]), (19, [(3, 5)]),
])  # fmt: skip
def test_periodic_pieces(start, expected):
    found = [(piece.start, piece.stop - piece.start) for piece, _ in periodic_pieces(start, 5, 8)]
    assert found == expected


def test_workers_share_particles_and_lose_none():
    for sizes, workers in (((10,), 3), ((4, 4, 4), 2), ((1, 0, 7, 2), 4), ((3,), 5)):
        parts = [Part(None, chunk, 0, 0, size) for chunk, size in enumerate(sizes) if size]
        shares = _share_out(parts, workers)
        counts = [sum(len(part) for part in share) for share in shares]
        goal = -(-sum(sizes) // workers)
        assert counts[:-1] == [goal] * (len(counts) - 1)
        assert 0 < counts[-1] <= goal
        rows = [(p.chunk, i) for share in shares for p in share for i in range(p.start, p.stop)]
        assert rows == [(p.chunk, i) for p in parts for i in range(len(p))]
    assert _share_out([], 2) == [[]]


def test_runs_are_ranked_by_a_hash_of_seed_and_name():
    runs = {f"r{i}": (f"LH_{i}",) for i in range(20)} | {"held": ("CV_0", "LH_99")}
    config = SplitConfig(seed=4, test_sets=("CV",), test_fraction=0.1, validation_fraction=0.15)
    splits = split_runs(runs, config)
    ranked = sorted(list(runs)[:-1], key=lambda r: hashlib.sha256(f"4:{r}".encode()).digest())
    names = [runs[run][0] for run in ranked]
    assert set(splits["test"]) == {*names[:2], "CV_0", "LH_99"}
    assert set(splits["validation"]) == set(names[2:5])
    assert set(splits["train"]) == set(names[5:])
    few = split_runs(runs, config.model_copy(update={"test_fraction": 0.001}))
    assert set(few["test"]) == {names[0], "CV_0", "LH_99"}  # a share above zero is one at least
    none = split_runs(runs, config.model_copy(update={"test_fraction": 0.0}))
    assert set(none["test"]) == {"CV_0", "LH_99"}


def test_halos_above_a_mass_are_exported_from_their_pixel(maps):
    place = np.array([[1.0, 5.1, 12.7], [0.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    mass = np.array([2e12, 1e12, 0.99e12])
    told = dataclasses.replace(maps, halo_position=place, halo_m200c=mass)
    found = list(_places(told, 1e12, "y"))
    assert [(name, where) for name, where, _, _ in found] == [
        ("CV_0_00000", (1, (5, 63))), ("CV_0_00001", (1, (0, 0))),
    ]  # fmt: skip
    assert [m for _, _, m, _ in found] == [2e12, 1e12]


@pytest.mark.parametrize(("z", "slab"), [(0.0, 0), (6.3, 0), (6.5, 1), (12.75, 1), (12.8, 0)])
def test_the_slab_of_a_halo(maps, z, slab):
    labels = ("x0", "x1", "z0", "z1")
    slabs = dataclasses.replace(
        maps, projections=labels, attrs=dict(maps.attrs) | {"depth_mpch": 6.4}
    )
    assert _place(slabs, "z", np.array([1.0, 2.0, z])) == (2 + slab, (5, 10))


def test_ready_windows_are_exported_with_the_halo_that_is_theirs(maps):
    ready = dataclasses.replace(
        maps, attrs=dict(maps.attrs) | {"periodic": 0}, halo_projection=np.array([2, 0]),
        halo_position=np.array([[1.0, 2, 3], [4, 5, 6]]), halo_m200c=np.array([1e13, 1e12]),
    )  # fmt: skip
    found = [(name, where, mass, position.tolist())
             for name, where, mass, position in _places(ready, 0.0, "z")]  # fmt: skip
    middle = (32, 32)
    assert found == [
        ("x", (0, middle), 1e12, [4, 5, 6]),
        ("y", (1, middle), 0.0, [0, 0, 0]),
        ("z", (2, middle), 1e13, [1, 2, 3]),
    ]
    assert [name for name, *_ in _places(ready, 1e12, "z")] == ["x", "z"]
    none = dataclasses.replace(ready, halo_projection=None)
    assert [mass for _, _, mass, _ in _places(none, 0.0, "z")] == [0.0] * 3


@pytest.mark.parametrize(
    ("label", "expected"),
    [("x", [2, 1.1, 3.1]), ("y1", [1.1, 6, 3.1]), ("z2", [1.1, 3.1, 10]), ("17", [2, 1.1, 3.1])],
)
def test_the_centre_of_a_window(label, expected):
    window = xr.Dataset(
        {"projection_label": label, "centre": ("axis", [5, 15])},
        attrs={"pixel_mpch": 0.2, "depth_mpch": 4.0},
    )
    np.testing.assert_allclose(_window_centre(window), expected, rtol=1e-6)


def test_a_maps_file_has_chunks_of_a_window_and_centres_of_pixels(tmp_path, maps):
    fields = np.zeros((1, 4, 256, 256), np.float32)
    context = {2: fields[:, 0, ::2, ::2], 4: fields[:, 0, ::4, ::4]}
    halos = Halos(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    attrs = {name: maps.attrs[name] for name in ("suite", "provenance")} | {"pixel_mpch": 0.05}
    write_maps(
        FullMaps(fields, find_fields(TARGETS), ("z",), context, halos, {}, ()),
        attrs,
        tmp_path / "a.h5",
    )
    with h5py.File(tmp_path / "a.h5") as handle:
        chunks = {name: handle[name].chunks for name in ("maps", "context_2", "context_4")}
    assert chunks == {
        "maps": (1, 1, 128, 128), "context_2": (1, 128, 128), "context_4": (1, 64, 64),
    }  # fmt: skip
    with xr.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as dataset:
        np.testing.assert_allclose(dataset.x, 0.025 + 0.05 * np.arange(256))
        assert dataset.context_4.long_name == "DMO mass, mean over 4 x 4 pixels"
