"""Fine-tuning: a training that begins with the weights of a bundle, of another suite.

Weights mean something to one network, one set of channels and conditions, and one kind of pixel. So
all that decides it must be the bundle's: it is compared here, on the content of ``model.json``,
before any job starts, and again by the training, which knows the maps.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from emulator.config.channels import Channel
from emulator.config.data import DataConfig
from emulator.config.diffusion import DiffusionConfig
from emulator.config.model import ModelConfig
from emulator.config.places import only_bundle, results_folder
from emulator.config.section import ConfigError
from emulator.config.suites import EmbeddedSuite, SuiteConfig
from emulator.config.training import TrainingConfig
from emulator.io import read_json

FINE_TUNED = ("diffusion", "one_step")
"""Objectives whose training may begin with a bundle of its own kind."""

OF_TRAINING = {
    "network": {"dropout", "checkpointing"},
    "diffusion": {
        "weight", "min_snr", "sigmoid_bias", "mass_tilt", "times", "data_noise",
        "drop_params", "drop_each_param", "drop_context",
    },
}  # fmt: skip
"""Keys that a later training may have otherwise: of how weights are trained, not what they mean."""

_OF_CHANNEL = ("transform", "floor", "occupancy", "empty_amplitude")
_OF_FIELD = ("name", "unit", "run", "particles", "mean_of", "sum_of", "signed", "share")
_TOLERANCE = 1.0e-6


class Experiment(Protocol):
    """What is read of a config."""

    @property
    def name(self) -> str:
        """Of the experiment."""

    @property
    def suite(self) -> SuiteConfig:
        """Section."""

    @property
    def data(self) -> DataConfig:
        """Section."""

    @property
    def model(self) -> ModelConfig:
        """Section."""

    @property
    def diffusion(self) -> DiffusionConfig:
        """Section."""

    @property
    def training(self) -> TrainingConfig:
        """Section."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the model draws."""

    @property
    def model_fields_set(self) -> set[str]:
        """Sections that were given."""


def faults_of_initial(config: Experiment) -> list[str]:
    """What is wrong with ``training.initial``, whatever lies there."""
    folder, objective = config.training.initial, config.training.objective
    if folder is None:
        return []
    found = []
    if objective not in FINE_TUNED:
        found.append(
            f"training.initial: expected training.objective {' or '.join(FINE_TUNED)}, got "
            f"{objective}: leave it out, or set another objective"
        )
    if objective == "diffusion" and config.diffusion.schedule.startswith("learned"):
        found.append(
            f"training.initial: a bundle keeps a table of a learned schedule, not its weights: "
            f"expected a diffusion.schedule that is not learned, got {config.diffusion.schedule}"
        )
    results = os.path.abspath(results_folder(config.name))
    if Path(os.path.abspath(folder)).is_relative_to(results):
        found.append(
            f"training.initial {folder} lies in the results of this experiment itself: give it "
            "another name"
        )
    return found


def initial_bundle(folder: str) -> Path:
    """Folder of the one bundle that ``training.initial`` names.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    remedy = "train it first, or name the one that is shipped (data/reference)"
    return only_bundle("training.initial", folder, remedy)


def initial_files(config: Experiment) -> list[str]:
    """Files of the bundle that a training begins with, which fits it; none if there is none.

    Raises
    ------
    ConfigError
        If there is no such bundle, or its weights mean something else.
    """
    if config.training.initial is None:
        return []
    folder = initial_bundle(config.training.initial)
    require_initial(config, read_json(folder / "model.json"), folder)
    return [str(folder / name) for name in ("model.json", "weights.safetensors")]


def require_initial(config: Experiment, card: Mapping[str, Any], folder: Path) -> None:
    """Refuse a bundle whose weights mean something else than those that are to be trained.

    Parameters
    ----------
    config
        Of the training.
    card
        Content of ``model.json``; keys that an older format lacks are not compared.
    folder
        Where it lies, for the message.

    Raises
    ------
    ConfigError
        Names every key that differs.
    """
    faults = [
        f"{key}: expected {_short(there)} as the bundle has it, got {_short(here)}"
        for key, here, there in _differences(config, card)
    ]
    if faults:
        raise ConfigError(
            f"training.initial {folder}: its weights mean something else here: "
            f"{'; '.join(faults)}. Give this experiment the bundle's values, or train it without "
            "training.initial"
        )


def _differences(config: Experiment, card: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    """Keys with other values: here, and there."""
    grid, normalisation = card["grid"], card["normalisation"]
    objective = config.training.objective
    yield from _unequal("training.objective", objective, card["training"].get("objective"))
    sections = {"network": config.model.network.model_dump(mode="json")}
    if objective == "diffusion":
        sections["diffusion"] = config.diffusion.model_dump(mode="json")
    for name, here in sections.items():
        prefix = f"model.{name}" if name == "network" else name
        for key in sorted(here.keys() - OF_TRAINING[name]):
            yield from _unequal(f"{prefix}.{key}", here[key], card[name].get(key))
    yield from _of_channels(config, normalisation["channels"])
    params = list(normalisation["params"])
    yield from _unequal("model.params", list(config.model.params), params)
    yield from _unequal(
        "data.context_factors", list(config.data.context_factors),
        list(normalisation["context_factors"]),
    )  # fmt: skip
    yield from _unequal("data.dimensions", config.data.dimensions, normalisation.get("dimensions"))
    yield from _of_grid(config, grid)


def _of_channels(
    config: Experiment, there: list[Mapping[str, Any]]
) -> Iterable[tuple[str, Any, Any]]:
    rows = [channel.get("field") for channel in there]
    if None in rows:  # a format whose channels are names; the training reads it in the present one
        return
    here = [channel.model_dump(mode="json") for channel in config.channels]
    names = [[row["field"]["name"] for row in side] for side in (here, there)]
    if names[0] != names[1]:
        yield "model.channels", names[0], names[1]
        return
    for name, mine, other in zip(names[0], here, there, strict=True):
        for key in _OF_CHANNEL:
            yield from _unequal(f"model.channels ({name}).{key}", mine[key], other.get(key))
        for key in ("linear_width", "quantiles"):  # fitted, if the config does not say them
            if mine.get(key) is not None:
                yield from _unequal(f"model.channels ({name}).{key}", mine[key], other.get(key))
        for key in _OF_FIELD:
            yield from _unequal(
                f"data.fields ({name}).{key}", mine["field"][key], other["field"].get(key)
            )


def _of_grid(config: Experiment, grid: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    if "window" not in grid:
        yield from _unequal("data.shape", list(config.data.window_shape), list(grid["shape"]))
        return
    yield from _unequal("data.window", config.data.window, grid["window"])
    suite = config.suite
    # a stage's own config may lack the suite: its maps say the same
    if "suite" not in config.model_fields_set or not isinstance(suite, EmbeddedSuite):
        return
    pixel, depth = (
        suite.box_size_mpch / parts for parts in (config.data.n_pixels, config.data.n_layers)
    )
    yield from _unequal("pixel (suite.box_size_mpch / data.n_pixels)", pixel, grid["pixel_mpch"])
    yield from _unequal("depth (suite.box_size_mpch / data.slabs)", depth, grid["depth_mpch"])
    yield from _unequal("data.deposit", config.data.deposit, grid.get("deposit"))
    if len(suite.redshifts) == 1:
        yield from _unequal("suite.redshifts", suite.redshifts[0], grid["redshift"])


def _unequal(key: str, here: Any, there: Any) -> Iterable[tuple[str, Any, Any]]:
    """The triple, if both are known and differ."""
    if there is None:
        return
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (here, there))
    if abs(here - there) > _TOLERANCE * max(1.0, abs(there)) if numbers else here != there:
        yield key, here, there


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
