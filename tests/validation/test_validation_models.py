"""What models disagree about, from ensemble files to the metrics."""

import numpy as np
import xarray as xr

from emulator.io import write_dataset
from emulator.validation.evaluate import evaluate


def test_one_model_has_no_disagreement(metrics):
    assert "model_share" not in metrics


def test_disagreement_reaches_the_metrics(calibrated_suite, config, tmp_path):
    """Halves of a calibrated ensemble called models: nothing is between them, each scores alike."""
    paths, maps_dir, splits = calibrated_suite
    renamed = []
    for path in paths:
        ensemble = xr.load_dataset(path, engine="h5netcdf")
        seeds = np.repeat([0, 1], ensemble.sizes["member"] // 2)
        renamed.append(tmp_path / path.name)
        write_dataset(ensemble.assign_coords(model_seed=("member", seeds)), renamed[-1])
    metrics = evaluate(renamed, maps_dir, splits, config)
    share = metrics.model_share
    assert (share.sel(estimate="low") < 0.02).all()
    assert (abs(share.sel(estimate="value")) < 0.05).all()
    whole = metrics.crps.sel(scale=1, forecast="model", estimate="value")
    np.testing.assert_allclose(
        metrics.crps_by_model.sel(estimate="value").mean("model_seed"), whole, rtol=0.05
    )
