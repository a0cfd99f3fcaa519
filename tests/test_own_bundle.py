"""Results of another config: a command refuses the model that lies there, and says what differs."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from emulator.cli import app
from emulator.config import parse_config, read_document, require_own_bundle, stage_yaml
from emulator.config.section import ConfigError
from emulator.io import write_json

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "data/reference"
OTHERWISE = {
    "data.window: expected 16 as the config says, got 32": ("data", {"window": 16}),
    "data.context_factors": ("data", {"context_factors": [2]}),
    "model.network.widths": ("model", {"network": {"widths": [32, 64]}}),
    "model.channels (stars).floor: expected 1e+09": ("model", {"channels.2.floor": 1.0e9}),
    "model.params": ("model", {"params": ["Omega_m", "sigma_8"]}),
    "diffusion.gamma_max": ("diffusion", {"gamma_max": 12.0}),
    "training.objective: expected residual": ("training", {"objective": "residual"}),
    "pixel (suite.box_size_mpch / data.n_pixels)": ("suite", {"box_size_mpch": 50.0}),
}


def document(section: str | None = None, **changes: object) -> dict:
    """The config of the reference, with keys of one section changed."""
    found = read_document(ROOT / "configs/reference.yaml")
    for key, value in changes.items():
        if key.startswith("channels."):
            _, number, name = key.split(".")
            found["model"]["channels"][int(number)][name] = value
        elif isinstance(value, dict):
            found[section][key] = {**found[section].get(key, {}), **value}
        else:
            found[section][key] = value
    if changes.get("objective") == "residual":
        found["diffusion"].pop("mass_tilt")
    return found


def card() -> dict:
    return json.loads((BUNDLE / "model.json").read_text())


def test_the_shipped_bundle_is_that_of_its_config():
    require_own_bundle(parse_config(document()), card(), BUNDLE)


@pytest.mark.parametrize("said", OTHERWISE)
def test_what_weights_mean_is_compared(said):
    section, changes = OTHERWISE[said]
    config = parse_config(document(section, **changes))
    with pytest.raises(ConfigError, match="trained by another config") as caught:
        require_own_bundle(config, card(), BUNDLE)
    assert said in str(caught.value)
    assert "--model" in str(caught.value)


def test_how_a_model_was_trained_and_is_drawn_from_is_not():
    config = document("training", max_steps=500, learning_rate=1.0e-4)
    config["sampling"] = {"n_members": 2}
    config["model"]["channels"][2]["loss_weight"] = 1.0
    require_own_bundle(parse_config(config), card(), BUNDLE)


@pytest.mark.parametrize("stage", ["tune", "calibrate", "sample", "audit", "validate"])
def test_the_config_of_a_stage_is_compared_in_the_sections_that_it_has(stage):
    for changes, differs in (({}, False), ({"window": 16}, True)):
        whole = parse_config(document("data", **changes))
        config = parse_config(yaml.safe_load(stage_yaml(whole, stage)))
        if differs:
            with pytest.raises(ConfigError, match=r"data\.window: expected 16"):
                require_own_bundle(config, card(), BUNDLE)
        else:
            require_own_bundle(config, card(), BUNDLE)


@pytest.mark.parametrize("command", ["tune", "sample", "audit", "validate"])
def test_commands_refuse_the_model_in_their_results_and_take_one_that_is_named(command, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(BUNDLE, results / "model/seed_0")
    splits = {"train": [], "validation": ["SB_0"], "test": ["CV_0"]}
    write_json(results / "splits.json", splits)
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(document("data", window=16)))
    words = [command, str(config), "--results", str(results), "--maps", str(tmp_path / "maps")]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code
    assert "data.window: expected 16 as the config says, got 32" in str(refused.exception)
    named = CliRunner().invoke(app, [*words, "--model", str(results / "model")])
    assert "trained by another config" not in str(named.exception)
    assert {path.name for path in results.iterdir()} == {"model", "splits.json"}
