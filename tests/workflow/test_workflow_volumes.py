"""Volumes, from a config to the report."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner

import emulator
from emulator.cli import app
from emulator.data.maps import read_maps
from emulator.domain import VOLUMES, domain_of
from emulator.io import EmulatorError, read_json

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
SMALLER = {
    "suite": {
        "n_particles": 16, "mesh": 32, "n_steps": 8,
        "design": {"sb_runs": 4, "sb_per_run": 1, "cv_runs": 1, "be_draws": 2},
    },
    "data": {
        "n_pixels": 16, "window": 8, "split": {"validation_fraction": 0.25, "test_fraction": 0.25}
    },
    "model": {
        "network": {"patch": 1, "widths": [8, 16], "groups": 4, "blocks": 1,
                    "attention_levels": [1], "embedding": 16}
    },
    "training": {
        "max_steps": 10, "checkpoint_steps": 5, "batch_size": 4, "warmup_steps": 2,
        "validation_windows": 4, "ensemble_every": 2, "precision": "32",
    },
    "regression": {"max_steps": 5},
    "sampling": {"n_members": 3, "windows_per_simulation": 3, "n_steps": 4},
    "validation": {"k_max_hmpc": 1.9},
}  # fmt: skip
STAGES = (
    "simulate --redraw-baryons 0", "project", "fit", "train", "regress", "sample", "validate",
    "report",
)  # fmt: skip


def merged(shipped, smaller):
    nested = {
        key: merged(shipped.get(key, {}), value)
        for key, value in smaller.items()
        if isinstance(value, dict)
    }
    return {**shipped, **smaller, **nested}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder of a complete run of the preset, made smaller."""
    folder = tmp_path_factory.mktemp("volumes")
    shipped = yaml.safe_load((ROOT / "configs/volumes.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(merged(shipped, SMALLER)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in STAGES:
            name, *options = stage.split()
            ran = CliRunner().invoke(app, [name, "config.yaml", *options])
            assert ran.exit_code == 0, f"{stage}: {ran.output}\n{ran.exception!r}"
    return folder


def test_from_file_to_report(done):
    results = done / "results/volumes"
    maps = read_maps(done / "data/processed/volumes/maps/CV_0.h5")
    assert (maps.domain, maps.shape) == (VOLUMES, (16, 16, 16))
    card = read_json(results / "model/seed_0/model.json")
    assert card["grid"]["dimensions"] == card["normalisation"]["dimensions"] == 3
    assert "ndim" not in card["network"]

    ensemble = xr.load_dataset(results / "ensembles/test/CV_0.nc", engine="h5netcdf")
    assert ensemble["fields"].dims == ("sample", "member", "channel", "z", "y", "x")
    assert ensemble["fields"].shape == (3, 3, 3, 8, 8, 8)
    assert (ensemble["fields"] >= 0).all()
    z, y, x = (int(place) for place in ensemble["centre"].values[0])
    cube = maps.select(["gas"])[0, 0][np.ix_(*((np.arange(c - 4, c + 4) % 16) for c in (z, y, x)))]
    np.testing.assert_array_equal(ensemble["truth"].sel(channel="gas").values[0], cube)

    metrics = xr.load_dataset(results / "metrics.nc", engine="h5netcdf")
    assert domain_of(metrics.attrs, "metrics") == VOLUMES
    assert metrics["spectrum_truth"].attrs["units"] == "(Mpc/h)^3"
    for name in ("power_ratio_summed", "correlation_member_truth", "mass_ratio"):
        values = metrics[name].sel(field=["dm_hydro", "gas"], estimate="value")
        assert np.isfinite(values).all()
    for name in ("crps", "spread_skill", "coverage"):
        assert np.isfinite(metrics[name].sel(channel="gas", estimate="value")).any()
    assert not {"halo_count", "ssim", "bispectrum_ratio"} & set(metrics.data_vars)
    assert {"linear_transfer", "quantile_table", "regression"} <= set(metrics["forecast"].values)

    page = (results / "report.html").read_text()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert "central slice along z: layer 5 of 8, 1.56 Mpc/h thick" in text
    assert "Not measured of volumes" in text
    assert "8 x 8 x 8 voxels of 1562 kpc/h (12.50 Mpc/h a side)" in text
    assert "whole box is of maps" in text


def test_windows_of_a_users_volume_are_drawn_and_the_rest_is_refused(done):
    model = emulator.load(done / "results/volumes/model", device="cpu")
    maps = read_maps(done / "data/processed/volumes/maps/CV_0.h5")
    box = maps.select(["dmo"])[0, 0]
    ask = {"n_members": 2, "sampling": {"n_steps": 4}}
    cut = model.sample(box, maps.params, centres=[(4, 4, 12), (0, 9, 3)], **ask)
    assert cut["fields"].shape == (2, 2, 3, 8, 8, 8)
    placed = model.sample(box, maps.params, centres_mpch=[(6.3, 6.3, 18.8)], **ask)
    # to rounding: batches of other sizes
    np.testing.assert_allclose(placed["fields"][0], cut["fields"][0], rtol=1e-4)
    again = model.sample(
        cut["condition"].values, maps.params, large_scale=cut["large_scale"].values, **ask
    )
    np.testing.assert_array_equal(again["fields"], cut["fields"])
    for words, call in {
        "paint": lambda: model.paint(box, maps.params),
        "constraints": lambda: model.sample(
            box, maps.params, centres=[(4, 4, 4)], constraints={"total": 1e12}
        ),
        "differentiable": lambda: model.sample(
            box, maps.params, centres=[(4, 4, 4)], differentiable=True
        ),
        "infer": lambda: model.uncertainty(box, maps.params, centres=[(4, 4, 4)]),
        "a file": lambda: model.sample(maps.path, centres=[(4, 4, 4)]),
        "triple": lambda: model.sample(box, maps.params, centres=[(4, 4)]),
        r"\(z, y, x\)": lambda: model.sample(box[0], maps.params, centres=[(4, 4, 4)]),
        r"\(sample, 8, 8, 8\)": lambda: model.sample(box, maps.params),
    }.items():
        with pytest.raises(EmulatorError, match=words):
            call()
