"""Coarse to fine dark matter: the shipped config, made small, from files to the report."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from arrays import command, write

import emulator
from emulator.config import read_config, stage_yaml
from emulator.data.maps import read_maps
from emulator.io import read_json

ROOT = Path(__file__).parents[2]


def small():
    """The shipped config with the sizes of the test preset, and its own meshes in proportion."""
    raw = yaml.safe_load((ROOT / "configs/super_resolution.yaml").read_text())
    sizes = yaml.safe_load((ROOT / "configs/test.yaml").read_text())
    raw["suite"] |= {"n_particles": 32, "mesh": 96, "coarse_mesh": 32, "n_steps": 10}
    raw["suite"]["design"] |= {"sb_runs": 4, "cv_runs": 1}
    raw["data"] |= {key: sizes["data"][key] for key in ("n_pixels", "window", "split")}
    raw["model"]["network"] = sizes["model"]["network"]
    raw["training"] |= sizes["training"] | {"threads": 1}
    return raw | {"sampling": sizes["sampling"]}


STAGES = ("simulate", "project", "fit", "train", "sample", "validate", "report")


@pytest.mark.slow
def test_coarse_to_fine_from_file_to_report(tmp_path):
    config = write(tmp_path, small())
    for stage in STAGES:
        done = command(tmp_path, stage, config)
        assert done.exit_code == 0, f"{stage}: {done.output} {done.exception}"
        if stage == "simulate":  # what the workflow writes, and the report reads of the suite
            told = tmp_path / "results/super_resolution/config/project.yaml"
            told.parent.mkdir(parents=True)
            told.write_text(stage_yaml(read_config(config), "project"))
    results = tmp_path / "results/super_resolution"
    maps = read_maps(tmp_path / "data/processed/super_resolution/maps/CV_0.h5")
    coarse, fine = (maps.select([name])[:, 0] for name in ("dmo", "dm_fine"))
    np.testing.assert_allclose(fine.sum((-2, -1)), coarse.sum((-2, -1)), rtol=1e-5)
    assert not np.array_equal(coarse, fine)
    assert set(maps.params) == {"Omega_m", "sigma_8"}

    ensemble = xr.load_dataset(next((results / "ensembles/test").glob("*.nc")), engine="h5netcdf")
    assert ensemble["channel"].values.tolist() == ["dm_fine"]
    assert ensemble["parameter"].values.tolist() == ["Omega_m", "sigma_8"]
    assert "truth_redraw" not in ensemble
    bars = {bar["name"] for bar in read_json(results / "acceptance.json")["bars"]}
    assert "total mass, dark matter (fine run)" in bars
    metrics = xr.load_dataset(results / "metrics.nc", engine="h5netcdf")
    assert np.isfinite(metrics["power_ratio_summed"].sel(field="dm_fine", estimate="value")).all()

    page = (results / "report.html").read_text()
    for said in (
        "draws the dark matter (fine run) that a finer run of the same initial phases",
        "DMO is the coarse run, with a gravity mesh of 32^3 cells; the truth is the fine run",
        "surrogate of two resolutions",
    ):
        assert said in page
    assert "surrogate hydro" not in page
    assert "a hydrodynamic run would have given" not in page
    card = (results / "model/seed_0/README.md").read_text()
    assert "draws what a finer run of the same initial phases would have given" in card

    model = emulator.load(results / "model", device="cpu")
    assert [field.name for field in model.fields] == ["dm_fine"]
    box = tmp_path / "data/raw/super_resolution/Sims/Surrogate_DM/L25n32/CV/CV_0/snapshot_090.hdf5"
    painted = model.paint(box, {"Omega_m": 0.3, "sigma_8": 0.8}, projection="z", n_members=1)
    assert painted["fields"].shape == (1, 1, 64, 64)
    np.testing.assert_allclose(painted["condition"], coarse[2], rtol=1e-3, atol=1e5)
