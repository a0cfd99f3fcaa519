"""Patches whose edges do not touch: what is painted of them, and that it is what the box says."""

import numpy as np
import pytest
import torch
import xarray as xr
from typer.testing import CliRunner
from untrained import FACTORS, PARAMS, WINDOW, build_emulator, write_untrained

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.data.cutouts import extract
from emulator.data.maps import Maps
from emulator.io import EmulatorError, read_dataset
from emulator.sampling.painting.box import prepare_box
from emulator.sampling.painting.edges import open_span
from emulator.sampling.painting.tiles import Tiles

FEW = SamplingConfig(n_steps=3)
STRIDE = 8


@pytest.fixture(scope="module")
def wide(box):
    return np.tile(box, (2, 2))


def reaches(corner, factor):
    """First and last pixel of a context window, by the words of the module of cutouts."""
    first = (corner + WINDOW // 2 - WINDOW * factor // 2) // factor
    return first * factor, (first + WINDOW) * factor - 1


@pytest.mark.parametrize("factors", [(), (2,), (2, 4), (3, 4)])
@pytest.mark.parametrize("n_pixels", [90, 101, 128])
@pytest.mark.parametrize("origin", [0, 5, 12])
def test_all_and_only_windows_with_their_context_inside_are_painted(factors, n_pixels, origin):
    span = open_span(n_pixels, WINDOW, STRIDE, factors, origin)
    used = span.kept.stop - span.kept.start
    whole = [
        corner
        for corner in range(-WINDOW, used)
        if all(reaches(corner, f)[0] >= 0 and reaches(corner, f)[1] < used for f in (1, *factors))
    ]
    starts = [span.first + start for start in span.starts]
    assert (starts[0], starts[-1]) == (whole[0], whole[-1])
    assert span.size == starts[-1] + WINDOW - starts[0]
    assert max(np.diff(starts), default=0) <= STRIDE
    # between the ends, windows of the box's own lattice
    in_box = [origin + span.kept.start + start for start in starts]
    assert all(start % STRIDE == 0 for start in in_box[1:-1])
    assert (origin + span.kept.start) % np.lcm.reduce((1, *factors)) == 0
    assert span.cell == in_box[0] == origin + span.offset


def test_a_pixel_at_an_edge_is_that_of_its_only_window():
    """Weights are least there, and still divide out."""
    tiles = Tiles((40, 40), 16, 12, ((0, 12, 24), (0, 12, 24)))
    total = tiles.total(torch.device("cpu"))
    window = torch.full((1, 1, 16, 16), 3.0) * tiles.weight()
    box = torch.zeros(1, 40, 40)
    tiles.add(box, tiles.corners, window.expand(9, 1, 16, 16))
    assert float(total.min()) > 0.0
    torch.testing.assert_close(box / total, torch.full((1, 40, 40), 3.0), rtol=1e-5, atol=0)


@pytest.mark.parametrize("periodic", [True, False, (True, False)])
def test_a_box_cuts_windows_as_cutouts_are_cut(emulator, wide, periodic):
    normalisation, grid = emulator.card.normalisation, emulator.card.grid
    box = prepare_box(wide, PARAMS, normalisation, grid, overlap=0.4, periodic=periodic)
    maps = Maps.from_dmo(wide, FACTORS)
    cut = box.cut(range(len(box.tiles.corners))).numpy()
    for window, (row, column) in zip(cut, box.tiles.corners, strict=True):
        centre = (row + box.offset[0] + WINDOW // 2, column + box.offset[1] + WINDOW // 2)
        wanted = extract(maps, 0, centre, window=WINDOW, context_factors=FACTORS, species=())
        np.testing.assert_array_equal(window[0], wanted.condition)
        np.testing.assert_array_equal(window[1:], wanted.large_scale)


@pytest.mark.parametrize("cut", [((12, 4), (100, 120)), ((9, 3), (101, 117))])
def test_a_patch_of_a_box_gives_the_members_of_the_box(folder, wide, cut):
    """Where the same windows hold a pixel, in one evaluation; noise is rounded otherwise."""
    (row, column), (height, width) = cut
    model = build_emulator(folder, objective="one_step")
    patch = wide[row : row + height, column : column + width]
    options = {"noise_of": "one", "n_members": 2}
    whole = model.paint(wide, PARAMS, **options)
    found = model.paint(patch, PARAMS, periodic=False, origin=(row, column), **options)
    begin_row, begin_column = found.attrs["origin"]
    rows = slice(begin_row, begin_row + found.sizes["y"])
    columns = slice(begin_column, begin_column + found.sizes["x"])
    own = whole["fields"][..., rows, columns].values
    inner = (..., slice(WINDOW, -WINDOW), slice(WINDOW, -WINDOW))
    assert own[inner].size > 0
    np.testing.assert_allclose(found["fields"].values[inner], own[inner], rtol=2e-3)
    assert not np.allclose(found["fields"].values, own, rtol=0.1)
    # places are those of the patch, as given
    np.testing.assert_array_equal(found["condition"], wide[rows, columns])
    assert float(found["y"][0]) == pytest.approx((begin_row - row + 0.5) * 0.2)


def test_one_axis_may_be_open(folder, wide):
    """What knows nothing paints noise of the cells, wherever windows lie."""
    model = build_emulator(folder, zero=True)
    whole = model.paint(wide, PARAMS, noise_of="one", sampling=FEW)["fields"]
    rolled = np.roll(wide[:, 20:], -7, axis=0)
    found = model.paint(
        rolled, PARAMS, noise_of="one", periodic=(True, False), origin=(7, 20), sampling=FEW
    )
    begin = found.attrs["origin"][1]
    wanted = np.roll(whole, -7, axis=-2)[..., begin : begin + found.sizes["x"]]
    assert found.sizes["y"] == 128
    np.testing.assert_array_equal(found["fields"], wanted)


def test_a_map_that_says_it_is_a_patch_is_one(folder, wide):
    model = build_emulator(folder, zero=True)
    labelled = xr.DataArray(wide, dims=("y", "x"), attrs={"periodic": 0})
    painted = model.paint(labelled, PARAMS, sampling=FEW)
    asked = model.paint(wide, PARAMS, periodic=False, sampling=FEW)
    xr.testing.assert_identical(painted["fields"], asked["fields"])
    assert painted.sizes["y"] == 128 - WINDOW * 3 + 3  # blocks of 4 pixels begin up to 3 later
    assert list(painted.attrs["periodic"]) == [0, 0]
    closed = model.paint(labelled, PARAMS, periodic=True, sampling=FEW)
    assert closed.sizes["y"] == 128
    found = model.response(labelled, PARAMS, vary={"A_SN1": [0.01]}, n_members=2, sampling=FEW)
    np.testing.assert_allclose(found["mass_response"], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("pixels", "origin", "said"),
    [
        (63, (0, 0), r"nothing of 63 pixels with open edges .* surroundings, 64 pixels"),
        (66, (1, 1), r"nothing of 66 pixels with open edges .* multiple of 4"),
        (64, (-4, 0), r"origin -4 along open edges: expected the pixel of its box"),
    ],
)
def test_a_patch_without_surroundings_is_refused(emulator, wide, pixels, origin, said):
    with pytest.raises(EmulatorError, match=said):
        emulator.paint(wide[:pixels, :pixels], PARAMS, periodic=False, origin=origin, sampling=FEW)


def test_the_command_paints_patches(folder, wide, tmp_path):
    model = build_emulator(folder, zero=True)
    write_untrained(tmp_path / "bundle", model)
    np.save(tmp_path / "map.npy", wide)
    words = ["paint", tmp_path / "bundle", tmp_path / "map.npy", "--output", tmp_path / "out"]
    words += ["--members", 1, "--open-edges", "--origin", 8, 4]
    words += ["--param", "Omega_m=0.3", "--param", "A_SN1=0.0125"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    painted = read_dataset(tmp_path / "out/member_00000.nc")
    assert list(painted.attrs["origin"]) == [8 + 24, 4 + 24]
    assert painted.sizes["y"] == 83
    other = CliRunner().invoke(app, [*map(str, words[:-7]), "--origin", "8", "8", *words[-4:]])
    assert "differs in" in str(other.exception)
