"""Fields that are no masses, from a config to the report."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

import emulator
from emulator.data.maps import read_maps
from emulator.io import read_json

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
NAMES = ["dm_hydro", "gas", "stars", "gas_temperature", "compton_y"]


def small(name, **suite):
    """A shipped config with the sizes of the test preset, and what its channels say."""
    raw = yaml.safe_load((ROOT / "configs/test.yaml").read_text())
    shipped = yaml.safe_load((ROOT / f"configs/{name}.yaml").read_text())
    raw["name"] = name
    raw["suite"] |= {"thermodynamics": shipped["suite"]["thermodynamics"], **suite}
    raw["data"]["fields"] = shipped["data"]["fields"]
    raw["model"]["channels"] = shipped["model"]["channels"]
    raw["validation"] = shipped["validation"]
    return raw


def test_temperature_and_compton_y_from_file_to_report(call, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(small("thermodynamics")))
    call(
        [
            "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2",
            "--profile", ROOT / "workflow/profiles/local", "--configfile", "config.yaml",
        ],
        tmp_path,
    )  # fmt: skip
    results = tmp_path / "results/thermodynamics"
    maps = read_maps(tmp_path / "data/processed/thermodynamics/maps/CV_0.h5")
    gas, kelvin, y = (maps.select([name])[:, 0] for name in ("gas", "gas_temperature", "compton_y"))
    np.testing.assert_allclose(y / (gas * kelvin), np.mean(y) / np.mean(gas * kelvin), rtol=1e-3)

    ensemble = xr.load_dataset(next((results / "ensembles/test").glob("*.nc")), engine="h5netcdf")
    assert ensemble["channel"].values.tolist() == NAMES
    assert (ensemble["fields"] >= 0).all()
    metrics = xr.load_dataset(results / "metrics.nc", engine="h5netcdf")
    for name in ("gas_temperature", "compton_y"):
        density = metrics["density_truth"].sel(channel=name, estimate="value")
        # every pixel is inside the histogram: its integral is 1
        assert float(density.sum()) * 0.25 == pytest.approx(1.0, rel=1e-6)
        assert np.isnan(metrics["occupancy_truth"].sel(channel=name)).all()
        for variable in ("mass_ratio", "power_ratio_summed"):
            assert np.isfinite(metrics[variable].sel(field=name, estimate="value")).all()
    bars = json.dumps(read_json(results / "acceptance.json"))
    for words in ("mean, gas temperature", "mean, Compton y", "total mass, gas"):
        assert f'"{words}"' in bars
    assert "total mass, Compton" not in bars

    page = (results / "report.html").read_text()
    assert re.search(r"<td[^>]*>\s*Compton y", page)
    assert "Other fields are in units of their root mean square" in page

    model = emulator.load(results / "model", device="cpu")
    assert [(f.name, f.unit) for f in model.fields][3:] == [
        ("gas_temperature", "K"), ("compton_y", "1"),
    ]  # fmt: skip
