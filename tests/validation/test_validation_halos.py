"""Halos are where the cutouts show them: the one function that cuts says where that is."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from emulator.data.cutouts import extract
from emulator.data.maps import Maps
from emulator.validation.halos import halos_in_windows

N, PIXEL, WINDOW = 32, 0.5, 10


def maps_with(position, labels, depth=N * PIXEL):
    """Maps whose pixels hold the number of the halo that lies in them, plus one."""
    n = len(position)
    maps = np.zeros((len(labels), 1, N, N), np.float32)
    for i, label in enumerate(labels):
        along = "xyz".index(label[0])
        for halo, place in enumerate(position):
            slab = label[1:]
            if not slab or int(place[along] // depth) == int(slab):
                row, column = (int(place[a] / PIXEL) for a in range(3) if a != along)
                maps[i, 0, row, column] = halo + 1
    made = Maps.from_dmo(maps[0, 0], ())
    return dataclasses.replace(
        made,
        maps=maps,
        projections=labels,
        halo_position=position,
        halo_m200c=10.0 ** (10 + np.arange(1, n + 1)),
        halo_r200c=np.full(n, 1.0),
        attrs={"pixel_mpch": PIXEL, "depth_mpch": depth},
    )


def ensemble_of(centre, projection):
    return xr.Dataset(
        {"centre": (("sample", "axis"), centre), "projection": ("sample", projection)},
        coords={"x": np.arange(WINDOW)},
    )


@pytest.mark.parametrize("labels", [("x", "y", "z"), ("x0", "x1", "z0", "z1")])
def test_halos_are_in_the_pixels_that_are_cut(labels):
    rng = np.random.default_rng(0)
    depth = N * PIXEL / (2 if labels[0] == "x0" else 1)
    maps = maps_with(rng.uniform(0, N * PIXEL, (12, 3)), labels, depth)
    centre = rng.integers(0, N, (60, 2))
    projection = rng.integers(0, len(labels), 60)
    found = halos_in_windows(maps, ensemble_of(centre, projection))
    mass = np.zeros((60, WINDOW, WINDOW))
    for sample, y, x, m in zip(
        found.sample, found.y, found.x, found.m200c_msunh, strict=True
    ):  # fmt: skip
        mass[sample, int(y), int(x)] = np.log10(m) - 10
    for i in range(60):
        cut = extract(
            maps, int(projection[i]), tuple(map(int, centre[i])),
            window=WINDOW, context_factors=(), species=(),
        )  # fmt: skip
        assert mass[i] == pytest.approx(cut.condition)
    assert len(found) > 20


def test_ready_windows_show_their_own_halo_in_the_middle():
    maps = dataclasses.replace(
        maps_with(np.ones((2, 3)), ("x", "y", "z")),
        attrs={"pixel_mpch": PIXEL, "depth_mpch": 1.0, "periodic": 0},
        halo_projection=np.array([2, 0]),
    )
    found = halos_in_windows(maps, ensemble_of(np.full((3, 2), 5), [0, 1, 2]))
    assert found.sample.tolist() == [0, 2]
    assert found.m200c_msunh.tolist() == [1e12, 1e11]
    assert found.y.tolist() == found.x.tolist() == [5.0, 5.0]


def test_what_cannot_be_known_is_not_guessed():
    maps = maps_with(np.ones((2, 3)), ("x",))
    ensemble = ensemble_of(np.full((1, 2), 5), [0])
    assert halos_in_windows(dataclasses.replace(maps, projections=("map",)), ensemble) is None
    empty = dataclasses.replace(maps, halo_m200c=np.empty(0))
    assert halos_in_windows(empty, ensemble) is None
