"""Folders of results as a comparison reads them: metrics, bars and a bundle that nobody trained."""

import fabricated
import numpy as np
import one_parameter
from safetensors.numpy import save_file

from emulator.config import ValidationConfig
from emulator.fields import load_fields
from emulator.io import read_dataset, write_dataset, write_json
from emulator.metrics import registry
from emulator.validation.acceptance import acceptance_table, write_acceptance
from emulator.validation.evaluate import evaluate

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)


def evaluated(root, *, scatter=1.0, knowing=1.0, n_members=6):
    """Metrics of one law of members, of runs and a response set that are always the same."""
    paths, maps_dir, splits = fabricated.write_suite(
        root, n_cv=4, n_windows=3, n_draws=2, scatter=scatter, n_members=n_members
    )
    moved = one_parameter.write_ensembles(root, knowing, n_windows=8, n_members=2)
    return evaluate([*paths, *moved], maps_dir, splits, CONFIG)


def write_results(folder, metrics, *, config=CONFIG, seeds=(0,), card=None):
    """Write ``metrics.nc``, ``acceptance.json``, one ensemble and bundles below a folder."""
    write_dataset(metrics, folder / "metrics.nc")
    bars = acceptance_table(metrics, config)
    write_acceptance(bars, metrics, folder / "acceptance.json")
    for seed in seeds:
        bundle = folder / "model" / f"seed_{seed}"
        bundle.mkdir(parents=True)
        write_json(bundle / "model.json", card_of(seed, **(card or {})))
        weights = {"ema.w": np.zeros((3, 4)), "ema.b": np.zeros(5), "raw.w": np.ones((3, 4))}
        save_file(weights, bundle / "weights.safetensors")
        lines = "step,train_loss,seconds\n50,1.0,20.5\n100,0.5,40.25\n"
        (bundle / "history.csv").write_text(lines)
    return folder


def card_of(seed, training=None, **other):
    made = {
        "format_version": 5,
        "name": "made",
        "grid": {"pixel_mpch": 0.2, "window": 16},
        "network": {"kind": "unet", "widths": [64, 128]},
        "diffusion": {"schedule": "linear", "gamma_min": -13.3},
        "normalisation": {
            "channels": [{"field": {"name": "gas"}, "transform": "log", "floor": None}],
            "context_factors": [2, 4],
            "params": {"Omega_m": {}, "A_SN1": {}},
        },
        "training": {"max_steps": 100, "batch_size": 32, **(training or {}), "seed": seed},
        "attributes": {"emulator_version": "0.1.0"},
        "weights_sha256": f"{seed}" * 64,
    }
    return made | other


def changed(folder, source, change):
    """A copy of written metrics after a change, with its own bars."""
    return write_results(folder, change(read_dataset(source / "metrics.nc")))


def summarised(metrics):
    """The same single simulations, summarised again: after a change of them."""
    stats = metrics[[name for name in metrics if "estimate" not in metrics[name].dims]]
    fields = load_fields(metrics.attrs, metrics["channel"].values.tolist(), "test")
    found = registry.summarise(stats, fields)
    return metrics.drop_vars(list(found)).assign(found.data_vars)
