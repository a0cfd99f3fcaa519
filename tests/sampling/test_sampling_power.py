"""Spectra of painted boxes, ensembles and maps: those of the estimator, row by row."""

import csv

import fabricated
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner
from untrained import PARAMS

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.data.maps import read_maps
from emulator.io import EmulatorError, read_dataset, write_dataset
from emulator.metrics.power_spectrum import power_spectrum
from emulator.sampling.painting.outputs import paint_into, summarise_into
from emulator.sampling.painting.painter import Painter
from emulator.sampling.power.measure import measure_power
from emulator.units import CRITICAL_DENSITY

FEW = SamplingConfig(n_steps=2)


@pytest.fixture(scope="module")
def painted(emulator, folder):
    return emulator.paint(folder / "CV_0.h5", n_members=3, sampling=FEW)


def power(*words):
    return CliRunner().invoke(app, ["power", *map(str, words)])


def spectra(fields, mean):
    """By the estimator, with the sum of the channels as the last."""
    values = fields.astype(float) / mean
    both = xr.concat([values, values.sum("channel").expand_dims(channel=["total"])], "channel")
    return power_spectrum(both, pixel_mpch=0.2).values


@pytest.mark.parametrize("kind", ["folder", ".nc", ".zarr", "python"])
def test_members_of_a_box_however_they_are_kept(emulator, folder, painted, tmp_path, kind):
    path = tmp_path / ("box" if kind == "folder" else f"box{kind}")
    if kind == "python":
        path = tmp_path / "box.nc"
        painted.to_netcdf(path, engine="h5netcdf")
        written = xr.load_dataset(path, engine="h5netcdf")
        write_dataset(written, path)
    else:
        paint_into(Painter(emulator, folder / "CV_0.h5", sampling=FEW), range(3), path)
    found = measure_power(path)
    mean = float(painted["condition"].mean(dtype=float))
    each = spectra(painted["fields"].transpose("member", "channel", "y", "x"), mean)
    assert found["field"].values.tolist() == ["dm_hydro", "gas", "stars", "total", "dmo"]
    np.testing.assert_allclose(found["power"][:4], each.mean(0), rtol=1e-9)
    np.testing.assert_allclose(
        found["power_error"][:4], each.std(0, ddof=1) / np.sqrt(3), rtol=1e-6, atol=1e-15
    )
    own = power_spectrum(painted["condition"].astype(float) / mean, pixel_mpch=0.2)
    np.testing.assert_allclose(found["power"][4], own, rtol=1e-9)
    assert np.isnan(found["power_error"][4]).all()  # all members have one condition
    assert found["power"].attrs["units"] == "(Mpc/h)^2"
    assert found.attrs["edges"].startswith("periodic")


def test_one_member_has_no_error(emulator, folder, painted, tmp_path):
    paint_into(Painter(emulator, folder / "CV_0.h5", sampling=FEW), [1], tmp_path)
    found = measure_power(tmp_path / "member_00001.nc")
    mean = float(painted["condition"].mean(dtype=float))
    np.testing.assert_allclose(found["power"][:4], spectra(painted["fields"][1], mean), rtol=1e-9)
    assert np.isnan(found["power_error"]).all()
    assert "none: one row" in power(tmp_path / "member_00001.nc").output


def test_maps_of_a_simulation(folder):
    maps = read_maps(folder / "CV_0.h5")
    values = xr.DataArray(
        maps.maps[:, 1:], dims=("projection", "channel", "y", "x"),
        coords={"channel": list(maps.species[1:])},
    )  # fmt: skip
    mean = maps.maps[:, 0].mean(dtype=float)
    each, found = spectra(values, mean), measure_power(folder / "CV_0.h5")
    np.testing.assert_allclose(found["power"][:4], each.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found["power_error"][:4], each.std(0, ddof=1) / 3**0.5, rtol=1e-6)
    assert np.isfinite(found["power_error"][4]).all()


def test_maps_of_dark_matter_alone_have_one_spectrum(folder, tmp_path):
    """As those of suites without twins."""
    whole = read_dataset(folder / "CV_0.h5")
    write_dataset(whole.isel(species=[0]), tmp_path / "dmo.h5")
    found = measure_power(tmp_path / "dmo.h5")
    assert found["field"].values.tolist() == ["dmo"]
    np.testing.assert_array_equal(found["power"][0], measure_power(folder / "CV_0.h5")["power"][4])


def test_an_ensemble_is_a_mean_over_windows_in_units_of_the_universe(tmp_path):
    simulation = fabricated.simulations(n_train=0, n_cv=1)[0]
    ensemble = fabricated.make_ensemble(simulation)
    ensemble.attrs |= {"pixel_mpch": 0.2, "depth_mpch": 12.8, "omega_m": 0.3}
    write_dataset(ensemble, tmp_path / "e.nc")
    found = measure_power(tmp_path / "e.nc")
    mean = CRITICAL_DENSITY * 0.3 * 0.2**2 * 12.8
    each = spectra(ensemble["fields"].transpose("sample", "member", "channel", "y", "x"), mean)
    windows = each.mean(1)
    np.testing.assert_allclose(found["power"][:4], windows.mean(0), rtol=1e-6)
    error = windows.std(0, ddof=1) / np.sqrt(len(windows))
    np.testing.assert_allclose(found["power_error"][:4], error, rtol=1e-6)
    assert "not tapered" in found.attrs["edges"]
    box = fabricated.dmo_maps(simulation).mean()
    assert mean == pytest.approx(box, rel=1e-6)


def test_what_sample_returns_says_its_density_by_its_parameters(emulator, box, tmp_path):
    drawn = emulator.sample(box, PARAMS, centres=[(8, 8), (30, 40)], n_members=2, sampling=FEW)
    write_dataset(drawn, tmp_path / "e.nc")
    found = measure_power(tmp_path / "e.nc")
    mean = CRITICAL_DENSITY * 0.3 * 0.2**2 * 12.8
    each = spectra(drawn["fields"], mean).mean(1)
    np.testing.assert_allclose(found["power"][:4], each.mean(0), rtol=1e-6)


def test_fields_that_are_no_masses_are_in_units_of_their_mean_square(tmp_path):
    """And no total is told of channels that do not make up the matter."""
    rng = np.random.default_rng(0)
    temperature = np.abs(rng.normal(5e5, 1e5, (2, 1, 8, 8)))
    dataset = xr.Dataset(
        {
            "fields": (("member", "channel", "y", "x"), temperature),
            "condition": (("y", "x"), np.ones((8, 8))),
        },
        coords={"channel": ["gas_temperature"], "member": [0, 1]},
        attrs={"pixel_mpch": 0.5},
    )
    write_dataset(dataset, tmp_path / "t.nc")
    found = measure_power(tmp_path / "t.nc")
    assert found["field"].values.tolist() == ["gas_temperature", "dmo"]
    scaled = dataset["fields"] / np.sqrt((temperature**2).mean())
    expected = power_spectrum(scaled, pixel_mpch=0.5).mean("member")[0]
    np.testing.assert_allclose(found["power"][0], expected, rtol=1e-9)
    np.testing.assert_array_equal(found["power"][1], 0.0)


def test_the_command_prints_a_table_and_writes_all_shells(folder, tmp_path):
    found = measure_power(folder / "CV_0.h5")
    done = power(folder / "CV_0.h5", "--output", tmp_path / "p.csv")
    assert done.exit_code == 0, done.output
    head = next(line for line in done.output.splitlines() if "k [h/Mpc]" in line)
    assert head.split()[-4:] == ["P", "total", "P", "dmo"]
    assert "over 3 windows or maps" in done.output
    assert "periodic maps" in done.output
    with (tmp_path / "p.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == found.sizes["k"] == 32
    for name in ("power", "power_error"):
        tail = name.removeprefix("power")
        column = [float(row[f"power_total{tail}"]) for row in rows]
        np.testing.assert_array_equal(column, found[name].sel(field="total"))
    np.testing.assert_array_equal([float(row["k_hmpc"]) for row in rows], found["k"])
    assert power(folder / "CV_0.h5", "--output", tmp_path / "p.nc").exit_code == 0
    xr.testing.assert_identical(read_dataset(tmp_path / "p.nc"), found)


def test_what_has_no_spectrum_is_refused(emulator, folder, painted, tmp_path):
    wide = painted.isel(y=slice(0, 32))
    write_dataset(wide, tmp_path / "wide.nc")
    painter = Painter(emulator, folder / "CV_0.h5", sampling=FEW)
    summarise_into(painter, range(2), tmp_path / "summary.nc")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.nc").write_text("no file")
    bare = painted.copy()
    bare.attrs = {k: v for k, v in painted.attrs.items() if k != "pixel_mpch"}
    write_dataset(bare, tmp_path / "bare.nc")
    for name, said in (
        ("wide.nc", "expected square maps, got 32 x 64 pixels"),
        ("summary.nc", "expected members of a box, an ensemble or maps"),
        ("empty", "got a folder without any"),
        ("none.nc", "no such file"),
        ("text.nc", "expected a readable netCDF file"),
        ("bare.nc", "pixel_mpch"),
        ("box.fits", "got .fits"),
    ):
        result = power(tmp_path / name)
        assert isinstance(result.exception, EmulatorError), name
        assert said in str(result.exception)
    wrong = power(folder / "CV_0.h5", "--output", tmp_path / "p.txt")
    assert "expected a table .csv or a NetCDF file .nc, got .txt" in str(wrong.exception)
