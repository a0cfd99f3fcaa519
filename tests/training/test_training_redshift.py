"""Redshift as a parameter: one grid of several times, and maps that say their own."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from tiny import SPLITS

from emulator.data.maps import read_maps
from emulator.io import DataError
from emulator.model.card import Grid
from emulator.model.redshift import (
    require_own_redshift,
    require_told_redshift,
    with_redshift,
)
from emulator.sampling.grids import require_same_grid
from emulator.sampling.painting.source import read_source
from emulator.training.preflight import common_grid


@pytest.fixture(scope="module")
def maps(maps_dir):
    return [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]


def test_maps_of_several_redshifts_have_one_grid_if_the_model_is_told(maps):
    def at(number, redshift, told):
        each = maps[number]
        params = dict(each.params) | {"redshift": told}
        attrs = dict(each.attrs) | {"redshift": redshift}
        return dataclasses.replace(each, attrs=attrs, params=params)

    both = [at(0, 0.0, 0.0), at(1, 0.5, 0.5)]
    with pytest.raises(DataError, match=r"redshift = 0.* unless model\.params has it"):
        common_grid(both, 16, ["Omega_m"])
    grid = common_grid(both, 16, ["Omega_m", "redshift"])
    assert grid.redshift is None
    assert "redshift" not in grid.attributes()
    require_same_grid({"redshift": 0.3, "pixel_mpch": 0.2}, grid, "maps")
    with pytest.raises(DataError, match=r"redshift: expected 0 as the parameter .*, got 0\.5"):
        common_grid([both[0], at(1, 0.5, 0.0)], 16, ["redshift"])


def test_what_a_map_says_of_its_redshift_is_what_the_model_is_told():
    grid = Grid(pixel_mpch=0.2, window=16, depth_mpch=12.8, redshift=None)
    own = {"redshift": 0.5}
    assert with_redshift({"a": 1.0}, own, grid, "m") == {"a": 1.0, "redshift": 0.5}
    given = {"a": 1.0, "redshift": 0.50001}
    assert with_redshift(given, own, grid, "m") == given
    with pytest.raises(DataError, match=r"m:redshift: expected 0\.4 as the parameter"):
        with_redshift({"redshift": 0.4}, own, grid, "m")
    fixed = grid.model_copy(update={"redshift": 0.5})
    for params, known, of in (
        ({"a": 1.0}, own, fixed),
        ({"a": 1.0}, None, grid),
        ([1.0], own, grid),
    ):
        assert with_redshift(params, known, of, "m") == params
    # unknown, of a model that was trained without it at times
    require_own_redshift({"redshift": 0.5}, {"redshift": float("nan")}, "m")


def test_a_labelled_map_says_its_redshift():
    grid = Grid(pixel_mpch=0.2, window=16, depth_mpch=12.8, redshift=None)
    field = xr.DataArray(np.ones((4, 4)), dims=("y", "x"), attrs={"redshift": 0.5})
    assert read_source(field, grid).params == {"redshift": 0.5}
    assert read_source(field, grid.model_copy(update={"redshift": 0.5})).params is None
    both = field.assign_attrs(params='{"A": 2.0, "redshift": 0.5}')
    assert read_source(both, grid).params == {"A": 2.0, "redshift": 0.5}
    with pytest.raises(DataError, match=r"map:redshift: expected 0\.4 as the parameter"):
        read_source(field.assign_attrs(params='{"redshift": 0.4}'), grid)
    table = np.array([[1.0, 0.5], [1.0, 0.4]])
    require_told_redshift(field.attrs, ["A", "redshift"], table[:1], "condition")
    require_told_redshift(field.attrs, ["A", "B"], table, "condition")
    with pytest.raises(DataError, match=r"condition:redshift: expected 0\.4"):
        require_told_redshift(field.attrs, ["A", "redshift"], table, "condition")
