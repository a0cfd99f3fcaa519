"""Two redshifts and one model, from a config to the report, and maps of one of them in Python."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

import emulator
from emulator.config import set_of
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, read_json

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
REDSHIFTS = {"z0": 0.0, "z0p5": 0.5}


def write_config(folder):
    raw = yaml.safe_load((ROOT / "configs/test.yaml").read_text())
    raw["name"] = "redshift"
    raw["suite"]["redshifts"] = list(REDSHIFTS.values())
    names = ["Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2", "redshift"]
    raw["model"]["params"] = names
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))


def test_two_redshifts_from_file_to_report_and_back(call, tmp_path):
    write_config(tmp_path)
    call(
        [
            "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2",
            "--profile", ROOT / "workflow/profiles/local", "--configfile", "config.yaml",
        ],
        tmp_path,
    )  # fmt: skip
    results, folder = tmp_path / "results/redshift", tmp_path / "data/processed/redshift/maps"
    for label, redshift in REDSHIFTS.items():
        maps = read_maps(folder / f"CV_0_{label}.h5")
        assert maps.attrs["redshift"] == maps.params["redshift"] == redshift
        assert maps.param_ranges["redshift"]["max"] == 0.5

    # outputs of a run share their split
    splits = read_json(results / "splits.json")
    of = {name: split for split, names in splits.items() for name in names}
    for name, split in of.items():
        base = name.rsplit("_", 1)[0]
        assert {of[f"{base}_{label}"] for label in REDSHIFTS} == {split}

    found = {path.stem: path for path in (results / "ensembles/test").glob("*.nc")}
    assert {name.rsplit("_", 1)[1] for name in found} == set(REDSHIFTS)
    assert not any(set_of(name) == "BE" for name in found)
    for name, path in found.items():
        ensemble = xr.load_dataset(path, engine="h5netcdf")
        redshift = REDSHIFTS[name.rsplit("_", 1)[1]]
        assert ensemble.attrs["redshift"] == redshift
        assert (ensemble["params"].sel(parameter="redshift") == redshift).all()
        if set_of(name) == "CV":  # truths that are drawn again are of its own time
            assert ensemble.sizes["draw"] == 2
            assert not np.array_equal(ensemble["truth_redraw"][0], ensemble["truth_redraw"][1])
    metrics = xr.load_dataset(results / "metrics.nc", engine="h5netcdf")
    assert "redshift" not in metrics.attrs
    assert metrics.attrs["n_runs"] == len({name.rsplit("_", 1)[0] for name in found})
    assert (results / "report.html").stat().st_size > 100_000

    model = emulator.load(results / "model", device="cpu")
    assert model.params[-1] == "redshift"
    assert model.card.grid.redshift is None
    box = folder / "CV_0_z0p5.h5"
    maps = read_maps(box)
    params = {name: float(maps.params[name]) for name in model.params}
    drawn = {
        z: model.sample(
            maps.select(["dmo"])[0, 0], params | {"redshift": z}, centres=[(8, 8)], n_members=1
        )
        for z in (0.0, 0.5)
    }
    assert drawn[0.5].attrs["redshift"] == 0.5
    assert not np.array_equal(drawn[0.0]["fields"], drawn[0.5]["fields"])
    with pytest.raises(EmulatorError, match=r"redshift = 1 outside \[0, 0\.5\]"):
        model.sample(
            maps.select(["dmo"])[0, 0], params | {"redshift": 1.0}, centres=[(8, 8)], n_members=1
        )

    painted = model.paint(box, projection="z", n_members=1)
    assert painted.attrs["redshift"] == 0.5
    assert float(painted["params"].sel(parameter="redshift")) == 0.5
    with pytest.raises(DataError, match=r"0 as the parameter redshift says, got 0\.5"):
        model.paint(box, params | {"redshift": 0.0}, projection="z", n_members=1)

    # a snapshot says its redshift itself
    raw = tmp_path / "data/raw/redshift/Sims/Surrogate_DM/L25n32/CV/CV_0"
    without = {name: value for name, value in params.items() if name != "redshift"}
    for snapshot, redshift in (("snapshot_090.hdf5", 0.0), ("snapshot_z0p5.hdf5", 0.5)):
        told = model.paint(raw / snapshot, without, projection="z", n_members=1)
        assert told.attrs["redshift"] == redshift
    np.testing.assert_allclose(told["fields"], painted["fields"], rtol=1e-3, atol=1e5)
