"""What is to be painted: looked at before any job, by headers alone."""

import numpy as np
import pytest
import xarray as xr
from data_samples import write_snapshot
from untrained import PARAMS, build_emulator, write_untrained

from emulator.config import ConfigError, parse_config
from emulator.io import DataError
from emulator.sampling.painting.plan import Painting
from emulator.suites import suite_of


@pytest.fixture(scope="module")
def bundle(folder, tmp_path_factory):
    model, path = build_emulator(folder, zero=True), tmp_path_factory.mktemp("model") / "seed_0"
    write_untrained(path, model)
    return path.parent


def plan(model=None, **painting):
    asked = painting if model is None else {"model": str(model), **painting}
    config = parse_config({"name": "t", "painting": asked})
    return Painting(config, suite_of(config, "nowhere"))


def box(model, path, **source):
    return plan(model, sources={"b": {"path": str(path), **source}}).box("b")


def test_a_maps_file_says_its_parameters(bundle, folder):
    found = box(bundle, folder / "CV_0.h5")
    assert (found.params, found.projections, found.n_pixels) == ({}, ("x", "y", "z"), 64)
    assert found.source == found.watched == folder / "CV_0.h5"
    chosen = box(bundle, folder / "CV_0.h5", params={"A_SN1": 0.02}, projections=["z"])
    assert chosen.params == {**PARAMS, "A_SN1": 0.02}  # the rest is that of the file
    assert chosen.projections == ("z",)


def test_an_array_is_one_map(bundle, tmp_path):
    np.save(tmp_path / "m.npy", np.ones((48, 64), np.float32))
    found = box(bundle, tmp_path / "m.npy", params=PARAMS)
    assert (found.projections, found.n_pixels, found.params) == (("map",), 64, PARAMS)
    with pytest.raises(ConfigError, match=r"sources\.b\.params.*got no A_SN1: give them there"):
        box(bundle, tmp_path / "m.npy", params={"Omega_m": 0.3})


def test_labelled_arrays_are_one_map_or_refused(bundle, tmp_path):
    one = xr.DataArray(np.ones((48, 64), np.float32), dims=("y", "x"), name="dmo")
    one.to_netcdf(tmp_path / "one.nc", engine="h5netcdf")
    found = box(bundle, tmp_path / "one.nc", params=PARAMS)
    assert (found.projections, found.n_pixels) == (("map",), 64)
    one.expand_dims(projection=["x", "y"]).to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(DataError, match=r"two\.nc: expected one map, got 2 projections"):
        box(bundle, tmp_path / "two.nc", params=PARAMS)


def test_a_snapshot_has_the_slabs_and_pixels_of_the_training(bundle, tmp_path, rng_positions):
    """Depth 12.8 and pixels of 0.2 Mpc/h: two slabs, and 128 pixels, of a box of 25.6."""
    groups = {1: {"Coordinates": rng_positions}}
    write_snapshot(
        tmp_path / "snap.0.hdf5", groups, mass_table=(0, 9.0, 0, 0, 0, 0), BoxSize=25_600.0
    )
    found = box(bundle, tmp_path / "snap.hdf5", params=PARAMS)
    assert found.projections == ("x0", "x1", "y0", "y1", "z0", "z1")
    assert found.n_pixels == 128
    assert found.watched == tmp_path / "snap.0.hdf5"
    with pytest.raises(ConfigError, match=r"sources\.b\.projections: .*z0, z1, got z:"):
        box(bundle, tmp_path / "snap.hdf5", params=PARAMS, projections=["z"])


@pytest.fixture
def rng_positions():
    return np.random.default_rng(0).uniform(0, 25_600.0, (50, 3))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"path": "nothing.hdf5"}, r"nothing\.hdf5: .*painting\.sources\.b\.path.*no such file"),
        ({"projections": ["w"]}, r"sources\.b\.projections: expected some of x, y, z, got w"),
        ({"params": {"sigma_8": 0.8}}, r"sources\.b\.params: .*the model .*got sigma_8"),
    ],
)
def test_what_is_wrong_is_told(bundle, folder, source, words):
    with pytest.raises((ConfigError, DataError), match=words):
        box(bundle, **{"path": folder / "CV_0.h5", **source})


def test_nothing_to_paint_and_nothing_to_paint_with(tmp_path):
    with pytest.raises(ConfigError, match="expected boxes to paint, got none"):
        plan()
    with pytest.raises(ConfigError, match=r"painting\.model .*expected a bundle"):
        plan(tmp_path, simulations="all")
    alone = {
        "kind": "snapshots", "name": "M", "root": "/m", "sets": {"A": 1},
        "layout": {"hydro_snapshot": None},
    }  # fmt: skip
    config = parse_config({"name": "t", "suite": alone})
    with pytest.raises(ConfigError, match=r"painting\.model: expected a trained model.*got none"):
        Painting(config, suite_of(config))


def test_maps_of_another_grid_are_refused_before_they_are_made(bundle):
    """The embedded suite: 25 Mpc/h in 128 pixels, where the model saw pixels of 0.2 Mpc/h."""
    with pytest.raises(DataError, match=r"pixel_mpch: expected 0\.2 as painting\.model"):
        plan(bundle, simulations="all").box("CV_0")


def test_simulations_of_the_suite_that_trains():
    """Their table is still to be written, so only what is given in its place is known."""
    found = plan(simulations=["CV"]).box("CV_1")
    assert str(found.source) == "data/processed/t/maps/CV_1.h5"
    assert (found.watched, found.params, found.n_pixels) == (None, {}, 128)
