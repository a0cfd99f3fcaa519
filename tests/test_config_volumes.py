"""What a config of volumes may ask for, and what it is refused."""

from pathlib import Path

import pytest
import yaml

from emulator.config import ConfigError, parse_config, read_config

ROOT = Path(__file__).parents[1]
VOLUME = {"dimensions": 3, "n_pixels": 32, "window": 16, "context_factors": [2]}
SMALL = {"widths": [8, 16], "groups": 4, "blocks": 1, "attention_levels": []}


def config_of(**sections):
    data = VOLUME | sections.pop("data", {})
    model = {"network": SMALL} | sections.pop("model", {})
    return {"name": "v", "data": data, "model": model, **sections}


def test_windows_are_cubes():
    config = parse_config(config_of())
    assert config.data.window_shape == (16, 16, 16)
    assert config.data.window_pixels == 16**3
    assert config.data.n_layers == 32
    assert parse_config({"name": "m"}).data.window_shape == (32, 32)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"slabs": 2}}, ["slabs", "expected 1", "got 2", "dimensions to 2"]),
        (
            {"data": {"fields": ["gas", "compton_y"]}, "suite": {"thermodynamics": True}},
            ["compton_y", "line of sight", "leave it out"],
        ),
        (
            {"suite": {"kind": "windows", "root": "w", "name": "W", "sets": {"A": 2}}},
            ["data.dimensions", "embedded or snapshots", "got windows"],
        ),
        ({"training": {"objective": "one_step"}}, ["objective one_step", "data.dimensions"]),
        ({"sampling": {"solver": "auto"}}, ["sampling.solver auto", "data.dimensions"]),
        ({"calibration": {"enabled": True}}, ["calibration.enabled", "data.dimensions"]),
        ({"painting": {"simulations": ["CV"]}}, ["painting", "data.dimensions"]),
        (
            {"model": {"network": {"kind": "dit", "width": 64, "patch": 4}}},
            ["model.network.width", "multiple of 6", "got 64"],
        ),
        ({"model": {"network": SMALL | {"ndim": 3}}}, ["ndim", "unknown key"]),
        ({"data": {"dimensions": 4}}, ["dimensions"]),
        ({"data": {"window": 15}}, ["window"]),
    ],
)  # fmt: skip
def test_what_volumes_cannot_have_is_refused_by_name(changes, words):
    with pytest.raises(ConfigError) as error:
        parse_config(config_of(**changes))
    for word in words:
        assert word in str(error.value)


def test_arrays_have_two_dimensions_yet():
    raw = yaml.safe_load((ROOT / "configs/darcy.yaml").read_text())
    raw["data"]["dimensions"] = 3
    with pytest.raises(ConfigError, match="have two yet"):
        parse_config(raw)


def test_the_preset_is_of_volumes():
    config = read_config(ROOT / "configs/volumes.yaml")
    assert config.data.dimensions == 3
    assert config.data.n_pixels == 32
