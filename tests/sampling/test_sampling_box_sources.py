"""Boxes out of labelled arrays: Zarr stores, Datasets and arrays of dask are the same box."""

import json

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner
from untrained import PARAMS

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.model.bundle import write_bundle

pytestmark = pytest.mark.filterwarnings(
    "ignore:Consolidated metadata", "ignore:The data type .FixedLengthUTF32"
)

FEW = SamplingConfig(n_steps=2)
GRID = {"pixel_mpch": 0.2, "depth_mpch": 12.8, "redshift": 0.0}


@pytest.fixture(scope="module")
def own(emulator, folder):
    """Painted on the maps file of the pipeline."""
    return emulator.paint(folder / "CV_0.h5", sampling=FEW)


@pytest.fixture(scope="module")
def maps(folder):
    """The maps file as xarray opens it."""
    with xr.open_dataset(folder / "CV_0.h5", engine="h5netcdf") as found:
        yield found


def labelled(box, dims=("y", "x"), **attrs):
    return xr.DataArray(box, dims=dims, name="dmo", attrs=GRID | attrs)


def test_the_maps_file_opened_by_xarray_is_the_maps_file(emulator, folder, maps, own):
    """With its parameters, its projections, and lazily."""
    found = emulator.paint(maps, sampling=FEW)
    xr.testing.assert_identical(found, own)
    lazily = emulator.paint(maps.chunk({"y": 16}), projection="y", sampling=FEW)
    xr.testing.assert_identical(
        lazily, emulator.paint(folder / "CV_0.h5", projection="y", sampling=FEW)
    )


def test_labelled_maps_are_the_same_box_wherever_they_lie(emulator, maps, own, box, tmp_path):
    array = labelled(box)
    stacked = xr.DataArray(
        np.stack([np.roll(box, 3), box]), dims=("projection", "y", "x"),
        coords={"projection": ["a", "b"]}, name="dmo", attrs=GRID,
    )  # fmt: skip
    array.to_zarr(tmp_path / "array.zarr")
    array.rename(None).to_zarr(tmp_path / "unnamed.zarr", zarr_format=2)
    with_others = array.to_dataset().assign(other=("y", np.zeros(64)))
    with_others.to_zarr(tmp_path / "others.zarr")
    array.to_netcdf(tmp_path / "array.nc", engine="h5netcdf")
    maps.to_zarr(tmp_path / "maps.zarr")
    for source, options in (
        (array, {}),
        (array.transpose("x", "y"), {}),
        (array.chunk({"y": 16, "x": 32}), {}),
        (xr.DataArray(box), {}),
        (array.to_dataset(name="anything"), {}),
        (with_others, {}),
        (stacked, {"projection": "b"}),
        (stacked.to_dataset().chunk(), {"projection": "b"}),
        (tmp_path / "array.zarr", {}),
        (str(tmp_path / "unnamed.zarr"), {}),
        (tmp_path / "others.zarr", {}),
        (tmp_path / "array.nc", {}),
        (tmp_path / "maps.zarr", {}),
        (np.ma.MaskedArray(box, mask=False), {}),
    ):
        params = None if str(source).endswith("maps.zarr") else PARAMS
        found = emulator.paint(source, params, sampling=FEW, **options)
        np.testing.assert_array_equal(found["fields"], own["fields"])


def test_parameters_that_a_map_names_are_taken(emulator, box, own):
    array = labelled(box, params=json.dumps(PARAMS))
    np.testing.assert_array_equal(emulator.paint(array, sampling=FEW)["fields"], own["fields"])
    with pytest.raises(EmulatorError, match=r"map:params|dmo:params: expected JSON of values"):
        emulator.paint(labelled(box, params="Omega_m = 0.3"), sampling=FEW)
    with pytest.raises(EmulatorError, match=r"lacks A_SN1"):
        emulator.paint(labelled(box, params='{"Omega_m": 0.3}'), sampling=FEW)


def hole(box):
    return np.where(box == box[3, 4], np.nan, box)


def of_maps(change):
    return lambda box, maps: change(maps)


WRONG = {
    "no dmo": (
        of_maps(lambda maps: maps.isel(species=slice(1, None))),
        r"species: expected 'dmo', got only dm_hydro, gas, stars",
    ),
    "no projection": (
        of_maps(lambda maps: maps.isel(projection=slice(0, 0))),
        r"projection: expected one projection at least, got only none",
    ),
    "windows": (of_maps(lambda maps: maps.assign_attrs(periodic=0)), r"got ready windows"),
    "grid": (
        of_maps(lambda maps: maps.assign_attrs(pixel_mpch=0.4)),
        r"pixel_mpch: expected 0.2 as the model was trained, got 0.4",
    ),
    "grid of the array": (
        lambda box, maps: labelled(box, pixel_mpch=0.4).to_dataset(),
        r"pixel_mpch: expected 0.2",
    ),
    "several": (
        lambda box, maps: xr.Dataset(dict.fromkeys(("a", "b"), (("y", "x"), box))),
        r"expected a variable maps or dmo, or one alone, got a, b",
    ),
    "none": (lambda box, maps: xr.Dataset(), r"expected a variable maps or dmo.*got none"),
    "three axes": (
        lambda box, maps: labelled(box[None], ("time", "y", "x")),
        r"expected one map \(y, x\).*got \(time, y, x\)",
    ),
    "another axis": (lambda box, maps: labelled(box, ("y", "z")), r"got \(y, z\)"),
    "one axis": (lambda box, maps: labelled(box[0], ("x",)), r"got \(x\)"),
    "no numbers": (lambda box, maps: labelled(box.astype(str)), r"expected numbers, got <U"),
    "NaN": (
        lambda box, maps: labelled(hole(box)),
        r"expected a value in every pixel, got 1 that are NaN or masked",
    ),
    "NaN of dask": (lambda box, maps: labelled(hole(box)).chunk(), r"got 1 that are NaN"),
    "masked": (
        lambda box, maps: np.ma.MaskedArray(box, mask=box == box[3, 4]),
        r"map: 1 of 4096 values are masked",
    ),
    "masked of xarray": (
        lambda box, maps: labelled(np.ma.MaskedArray(box, mask=box == box[3, 4])),
        r"got 1 that are NaN or masked",
    ),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_map_is_refused(emulator, box, maps, change, said):
    with pytest.raises(EmulatorError, match=said):
        emulator.paint(change(box, maps), PARAMS, sampling=FEW)


def test_a_projection_of_one_map_is_refused(emulator, box):
    with pytest.raises(EmulatorError, match=r"projection: expected 'z', got one map without"):
        emulator.paint(labelled(box), PARAMS, projection="z", sampling=FEW)


def test_files_that_are_none_are_refused_by_name(emulator, tmp_path):
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "text.nc").write_text("no file")
    for name, said in (
        ("none.zarr", r"none\.zarr: expected a Zarr store, got no such folder"),
        ("folder.zarr", r"folder\.zarr: expected a Zarr store, got a folder without its metadata"),
        ("none.nc", r"none\.nc: expected a NetCDF file, got no such file"),
        ("text.nc", r"text\.nc: expected a readable NetCDF file"),
    ):
        with pytest.raises(EmulatorError, match=said):
            emulator.paint(tmp_path / name, PARAMS, sampling=FEW)


def test_the_command_paints_a_store(emulator, maps, tmp_path):
    ema = emulator.network.state_dict()
    raw = {name: tensor.clone() for name, tensor in ema.items()}
    write_bundle(tmp_path / "model", emulator.card, raw=raw, ema=ema, history="")
    maps.isel(species=slice(0, 1)).drop_vars(["context_2", "context_4"]).to_zarr(
        tmp_path / "dmo.zarr"
    )
    words = ["paint", tmp_path / "model", tmp_path / "dmo.zarr", "--projection", "w"]
    words += ["--output", tmp_path / "box.zarr"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert "projection: expected 'w', got only x, y, z" in str(result.exception)
    words[4] = "z"
    words += ["--members", 1, "--overlap", 0.05, "--only-summary"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, (done.output, done.exception)
    with xr.open_zarr(tmp_path / "box.zarr") as found:
        np.testing.assert_array_equal(
            found["condition"], maps["maps"].sel(projection="z", species="dmo")
        )
