"""A training that takes seconds, on fabricated maps."""

from safetensors.torch import load_file

from emulator.config import parse_config
from emulator.model.fit import fit_normalisation
from emulator.training.trainer import train

SPLITS = {"train": ["SB_0", "SB_1"], "validation": ["SB_2"], "test": ["CV_0"]}
TINY = {
    "name": "tiny",
    "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
    "model": {
        "params": ["Omega_m", "A_SN1"],
        "network": {
            "widths": [8, 16], "blocks": 1, "attention_levels": [1], "groups": 4, "heads": 2,
            "embedding": 16, "dropout": 0.1,
        },
    },
    "training": {
        "max_steps": 8, "checkpoint_steps": 2, "batch_size": 4, "warmup_steps": 2,
        "validation_windows": 8,
    },
}  # fmt: skip

OF_TRAINED = {
    "params": ["Omega_m", "A_SN1"],
    "network": {
        "widths": [8, 16], "blocks": 1, "attention_levels": [], "groups": 4, "embedding": 16,
    },
}  # fmt: skip
"""Section ``model`` of the bundle in tests/regression/trained."""


def normalise(maps_dir, raw):
    """Statistics of the training split."""
    config = parse_config(raw)
    paths = [maps_dir / f"{name}.h5" for name in SPLITS["train"]]
    return fit_normalisation(
        paths, config.channels, config.model.params, config.data.context_factors
    )


def run(maps_dir, root, splits=SPLITS, **overrides):
    """Train below ``root`` and return the weights of the bundle."""
    raw = {**TINY, **overrides}
    train(
        parse_config(raw), normalise(maps_dir, raw), splits,
        seed=0, maps_dir=maps_dir, state_dir=root / "state", output=root / "model",
    )  # fmt: skip
    return load_file(root / "model/weights.safetensors")
