"""Held-out windows: chosen by seed and run, on the grid of the model, with labels that tell all."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import xarray as xr
from untrained import PARAMS, WINDOW, build_emulator

from emulator.config import SamplingConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, write_dataset
from emulator.sampling.grids import require_same_grid
from emulator.sampling.growth import grow_ensemble
from emulator.sampling.held_out import _cut_redraws, cut_windows

FEW = SamplingConfig(n_steps=2, windows_per_simulation=5, n_members=2)


@pytest.fixture(scope="module")
def maps(folder):
    return read_maps(folder / "CV_0.h5")


def with_attributes(maps, **changes):
    return dataclasses.replace(maps, attrs=dict(maps.attrs) | changes)


def places(emulator, folder, **options):
    chosen = FEW.model_copy(update=options)
    facts = cut_windows(emulator, folder / "CV_0.h5", [], chosen, split="test").facts
    centres = facts.centre.values.tolist()
    return [(p, *c) for p, c in zip(facts.projection.values.tolist(), centres, strict=True)]


def test_windows_are_chosen_by_the_seed_and_the_run(emulator, folder, maps):
    """Numbers of the tiling, row by row and axis by axis, from a stream of both."""
    tiles = [(p, 16 * row + 8, 16 * col + 8)
             for p in range(3) for row in range(4) for col in range(4)]  # fmt: skip
    run = int.from_bytes(hashlib.sha256(b"CV0").digest()[:4], "little")
    for seed in (0, 1):
        stream = np.random.default_rng([seed, run])
        numbers = sorted(stream.choice(48, size=5, replace=False))
        assert places(emulator, folder, seed=seed) == [tiles[i] for i in numbers]
    assert places(emulator, folder, windows_per_simulation=1000) == tiles


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [("pixel_mpch", 0.2, 1e-6), ("depth_mpch", 12.8, 12.8e-6), ("redshift", 0.0, 1e-6)],
)
def test_a_grid_agrees_to_a_millionth(emulator, maps, name, value, tolerance):
    for sign in (-1, 1):
        near, far = (
            with_attributes(maps, **{name: value + sign * share * tolerance}).attrs
            for share in (0.98, 1.03)
        )
        require_same_grid(near, emulator.card.grid, "maps")
        with pytest.raises(DataError, match=name):
            require_same_grid(far, emulator.card.grid, "maps")


def test_maps_of_another_kernel_are_refused(emulator, maps):
    """Where both say which; a bundle of an earlier format does not."""
    grid = emulator.card.grid.model_copy(update={"deposit": "adaptive"})
    require_same_grid(with_attributes(maps, deposit="adaptive").attrs, grid, "maps")
    other = with_attributes(maps, deposit="cic").attrs
    with pytest.raises(DataError, match=r"deposit: expected adaptive as the model .*, got cic"):
        require_same_grid(other, grid, "maps")
    require_same_grid(other, emulator.card.grid, "maps")


def test_redraws_have_the_same_matter_and_parameters(emulator, folder, maps):
    windows = [(0, (8, 8)), (2, (40, 24))]
    paths = [folder / "BE_0.h5", folder / "SB_0.h5", folder / "BE_1.h5"]

    def cut(scale):
        from emulator.data.cutouts import extract

        cuts = [extract(maps, *place, window=WINDOW, context_factors=(), species=["gas"])
                for place in windows]  # fmt: skip
        return _cut_redraws(
            paths, maps, windows, emulator,
            [cuts[0], cuts[1]._replace(condition=cuts[1].condition * np.float32(scale))],
        )  # fmt: skip

    assert [len(draw) for draw in cut(1 + 0.97e-4)] == [2, 2]  # another cosmology is left out
    with pytest.raises(DataError, match=r"BE_0\.h5: expected the dark-matter-only maps of"):
        cut(1 + 1.04e-4)


def test_redraws_of_another_grid_are_refused(emulator, folder, tmp_path):
    with xr.open_dataset(folder / "BE_0.h5", engine="h5netcdf") as file:
        other = file.load().assign_attrs(redshift=1.0)
    write_dataset(other, tmp_path / "BE_0.h5")
    with pytest.raises(DataError, match=r"BE_0\.h5:redshift"):
        cut_windows(emulator, folder / "CV_0.h5", [tmp_path / "BE_0.h5"], FEW, split="test")


def test_growing_returns_how_many_members_were_drawn(folder, tmp_path):
    models = [build_emulator(folder, seed=seed) for seed in (0, 1)]
    options = FEW.model_copy(update={"windows_per_simulation": 1})

    def grow(models, n_members):
        chosen = options.model_copy(update={"n_members": n_members})
        path = tmp_path / "a.nc"
        return grow_ensemble(models, folder / "CV_0.h5", [], chosen, split="test", path=path)

    assert [grow(models, 2), grow(models, 2), grow(models, 3), grow(models[:1], 2)] == [4, 0, 2, 0]


def test_the_record_of_an_ensemble_tells_how_it_was_drawn(folder, box):
    attributes = {"notice": "made up", "other": "internal"}
    model = build_emulator(folder)
    model.card = model.card.model_copy(update={"attributes": attributes})
    observed = np.full((1, 3, WINDOW, WINDOW), np.nan)
    observed[:, 0, :4] = 3e10
    drawn = model.sample(
        box, PARAMS, centres=[(8, 8)], n_members=2, first_member=3, seed=9, observed=observed,
        sampling=FEW,
    )  # fmt: skip
    for axis in ("y", "x"):
        np.testing.assert_allclose(drawn[axis], 0.1 + 0.2 * np.arange(WINDOW))
        assert drawn[axis].attrs["units"] == "Mpc/h"
    assert drawn.member.values.tolist() == drawn.model_member.values.tolist() == [3, 4]
    assert drawn.model_seed.values.tolist() == [0, 0]
    assert drawn.level.values.tolist() == [2, 4]
    assert int(drawn.seed) == 9
    assert drawn.attrs["observed_share"] == pytest.approx(1 / 12)
    assert drawn.attrs["observation_noise"] == 0.02
    assert drawn.attrs["notice"] == "made up"
    assert "other" not in drawn.attrs
    assert (drawn.attrs["solver"], drawn.attrs["n_steps"]) == ("unipc3", 2)
    said = json.loads(drawn.attrs["sampling"])
    assert said == FEW.model_dump(mode="json") | {
        "n_members": 2, "windows_per_simulation": 1, "seed": 9,
    }  # fmt: skip
    free = model.sample(box, PARAMS, centres=[(8, 8)], n_members=1, sampling=FEW)
    assert "observed_share" not in free.attrs
