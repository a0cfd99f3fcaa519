"""Halos pasted into a box, and where the mass of a painted box is."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner
from untrained import PARAMS, WINDOW, build_emulator, write_untrained

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.data.maps import read_maps
from emulator.io import EmulatorError, read_dataset
from emulator.sampling.painting.halos import halos_of
from emulator.sampling.painting.paste import Halos, Taper, halo_centres, paste, replace_halos

FEW = SamplingConfig(n_steps=3)
PIXEL, FRACTION = 0.2, 0.049 / 0.3
TWO = Halos(np.array([[0.3, 12.7], [6.4, 5.0]]), np.array([2e13, 3e13]), np.array([0.3, 0.4]))


@pytest.fixture(scope="module")
def model(folder):
    return build_emulator(folder, zero=True)


def distances(halo, shape):
    """Periodic distances of all pixels, by brute force."""
    places = [(np.arange(n) + 0.5) * PIXEL for n in shape]
    away = [
        np.minimum(np.abs(place - at), n * PIXEL - np.abs(place - at))
        for place, at, n in zip(places, halo, shape, strict=True)
    ]
    return np.hypot(away[0][:, None], away[1][None])


def outside(halos, r_out, shape):
    """Pixels that no halo reaches."""
    away = [distances(p, shape) > r_out * r for p, _, r in zip(*halos, strict=True)]
    return np.all(away, axis=0)


@pytest.mark.parametrize("number", [0, 1])
def test_a_window_is_whole_inside_and_absent_outside(number):
    one = Halos(*(part[number : number + 1] for part in TWO))
    background = np.zeros((2, 64, 64))
    found = paste(background, np.ones((1, 2, WINDOW, WINDOW)), one, Taper(1.0, 3.0), PIXEL)
    r = distances(one.position[0], (64, 64)) / one.r200c[0]
    ramp = 0.5 * (1 + np.cos(np.pi * (r - 1.0) / 2.0))
    expected = np.where(r <= 1, 1.0, np.where(r >= 3, 0.0, ramp))
    np.testing.assert_allclose(found, np.stack([expected] * 2), atol=1e-6)


def test_overlapping_halos_are_a_mean_and_order_does_not_matter():
    near = Halos(np.array([[6.3, 6.3], [6.3, 6.9]]), np.full(2, 2e13), np.full(2, 0.4))
    windows = np.stack([np.full((1, WINDOW, WINDOW), value) for value in (2.0, 4.0)])
    there = paste(np.full((1, 64, 64), 1.0), windows, near, Taper(0.5, 2.0), PIXEL)
    back = paste(
        np.full((1, 64, 64), 1.0), windows[::-1], Halos(*(part[::-1] for part in near)),
        Taper(0.5, 2.0), PIXEL,
    )  # fmt: skip
    np.testing.assert_allclose(there, back, rtol=1e-6)
    first, second = (
        0.5 * (1 + np.cos(np.pi * np.clip((distances(p, (64, 64)) / 0.4 - 0.5) / 1.5, 0, 1)))
        for p in near.position
    )
    largest, both = np.maximum(first, second), np.maximum(first + second, 1e-30)
    expected = 1.0 - largest + largest * (2.0 * first + 4.0 * second) / both
    np.testing.assert_allclose(there[0], expected, rtol=1e-6)


def test_the_oracle_of_all_that_is_truth_is_the_truth():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 64, 64))
    found = replace_halos(truth, truth, TWO, Taper(), window=WINDOW, pixel_mpch=PIXEL)
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-6)
    other = replace_halos(truth, truth + 1.0, TWO, Taper(), window=WINDOW, pixel_mpch=PIXEL)
    for row, column in halo_centres(TWO, PIXEL, (64, 64)):
        np.testing.assert_allclose(other[:, row, column], truth[:, row, column], rtol=1e-5)
    far = outside(TWO, 3.0, (64, 64))
    np.testing.assert_allclose(other[:, far], truth[:, far] + 1.0, rtol=1e-5)


def test_halos_are_windows_of_sample_upon_shares_of_the_map(model, box):
    options = {"seed": 4, "sampling": FEW}
    found = model.paint(box, PARAMS, mode="halos", halos=TWO, r_in=2.0, r_out=3.0, **options)
    centres = halo_centres(TWO, PIXEL, box.shape)
    windows = model.sample(box, PARAMS, centres=centres, n_members=1, **options)["fields"].values
    values = found["fields"].values[0]
    half = WINDOW // 2
    for window, (row, column) in zip(windows, centres, strict=True):
        np.testing.assert_allclose(values[:, row, column], window[0, :, half, half], rtol=1e-6)
    far = outside(TWO, 3.0, box.shape)
    shares = (1 - FRACTION, FRACTION, 0.0)
    for value, share in zip(values, shares, strict=True):
        np.testing.assert_allclose(value[far], share * box[far], rtol=1e-5)
    assert (found.attrs["mode"], found.attrs["n_halos"]) == ("halos", 2)
    only = model.paint(
        box, PARAMS, mode="halos", halos=TWO, r_in=2.0, r_out=3.0, mass_threshold=2.5e13, **options
    )
    row, column = centres[0]
    assert float(only["fields"][0, 1, row, column]) == pytest.approx(
        FRACTION * float(box[row, column]), rel=1e-5
    )


def test_a_rolled_box_has_its_halos_at_the_same_places(model, box):
    plain = model.paint(box, PARAMS, mode="halos", halos=TWO, sampling=FEW)
    sides = np.array(box.shape) * PIXEL
    moved = TWO._replace(position=(TWO.position + np.array([5, -7]) * PIXEL) % sides)
    rolled = model.paint(
        np.roll(box, (5, -7), axis=(0, 1)), PARAMS, mode="halos", halos=moved, origin=(-5, 7),
        sampling=FEW,
    )  # fmt: skip
    wanted = np.roll(plain["fields"], (5, -7), axis=(-2, -1))
    np.testing.assert_allclose(rolled["fields"], wanted, rtol=1e-4)


def test_halos_of_a_maps_file_lie_along_its_axes(folder):
    path, maps = folder / "CV_0.h5", read_maps(folder / "CV_0.h5")
    for label, axes in (("x", [1, 2]), ("y", [0, 2]), ("z", [0, 1]), (None, [1, 2])):
        found = halos_of(path, label)
        np.testing.assert_array_equal(found.position, maps.halo_position[:, axes])
        np.testing.assert_array_equal(found.r200c, maps.halo_r200c)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, r"halos: expected a table"),
        ({"halos": TWO, "r_in": 3.0, "r_out": 2.0}, r"expected 0 <= r_in < r_out"),
        ({"halos": TWO, "r_out": 9.0}, r"r_out may be 3.5 at most"),
        ({"halos": TWO._replace(position=TWO.position * 9)}, r"positions \(y, x\) in \[0, 12.8\]"),
        ({"halos": TWO._replace(position=np.zeros((2, 3)))}, r"expected position \(halo, 2\)"),
        ({"halos": TWO, "periodic": False}, r"mode halos is of periodic boxes"),
        ({"halos": TWO, "mode": "blend"}, r"halos: only of mode halos"),
        ({"halos": TWO, "mode": "paste"}, r"mode: expected blend or halos, got 'paste'"),
    ],
)
def test_what_cannot_be_pasted_is_refused(model, box, options, said):
    field = np.tile(box, (2, 2)) if "periodic" in options else box
    with pytest.raises(EmulatorError, match=said):
        model.paint(field, PARAMS, sampling=FEW, **{"mode": "halos", **options})


def test_the_command_pastes_halos(folder, model, tmp_path):
    write_untrained(tmp_path / "bundle", model)
    words = ["paint", tmp_path / "bundle", folder / "CV_0.h5", "--output", tmp_path / "out"]
    words += ["--members", 1, "--mode", "halos"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    painted = read_dataset(tmp_path / "out/member_00000.nc")
    assert (painted.attrs["mode"], painted.attrs["n_halos"]) == ("halos", 1)
    other = CliRunner().invoke(app, [*map(str, words), "--r-out", "2.8"])
    assert "differs in mode" in str(other.exception)


# ------------------------------------------------------------------------------------- budget


@pytest.mark.parametrize("mode", ["blend", "halos"])
def test_a_painting_says_where_its_mass_is(model, box, mode):
    options = {"mode": "halos", "halos": TWO} if mode == "halos" else {}
    painted = model.paint(box, PARAMS, n_members=2, sampling=FEW, **options)
    fields, dmo = painted["fields"].values.astype(float), float(box.sum(dtype=float))
    np.testing.assert_allclose(painted["mass"], fields.sum((-2, -1)), rtol=1e-6)
    assert painted["mass"].attrs["units"] == "Msun/h"
    total = fields.sum((-3, -2, -1)) / dmo
    np.testing.assert_allclose(painted["total_over_dmo"], total, rtol=1e-6)
    baryons = fields[:, 1:].sum((-3, -2, -1)) / (FRACTION * dmo)
    np.testing.assert_allclose(painted["baryons_over_cosmic"], baryons, rtol=1e-6)
    assert painted.attrs["mass_dmo_msunh"] == pytest.approx(dmo)
    assert painted.attrs["baryon_fraction"] == pytest.approx(FRACTION)
    assert json.loads(painted.attrs["sampling"])["n_members"] == 2


def test_masses_are_those_after_sums_are_held(model, box):
    plain = model.paint(box, PARAMS, sampling=FEW)
    wanted = 1.1 * float(plain["mass"].sel(channel="gas")[0])
    held = model.paint(box, PARAMS, sampling=FEW, constraints={"gas": wanted})
    assert float(held["mass"].sel(channel="gas")[0]) == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(EmulatorError, match=r"constraints: of one map"):
        model.paint(np.stack([box]), PARAMS, slabs=True, constraints={"gas": wanted})
