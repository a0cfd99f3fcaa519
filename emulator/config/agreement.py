"""Whether a bundle is what a config describes, on the content of ``model.json``.

Weights mean something to one network, one set of channels and conditions, and one kind of pixel.
Compared are the keys that decide it, not how long or how fast a training was.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from emulator.config.channels import Channel
from emulator.config.data import DataConfig
from emulator.config.diffusion import DiffusionConfig
from emulator.config.model import ModelConfig
from emulator.config.section import ConfigError, Section
from emulator.config.suites import EmbeddedSuite, SuiteConfig
from emulator.config.training import TrainingConfig

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


ALL = frozenset({"suite", "data", "model", "diffusion", "training"})
"""Sections that are compared."""


def require_own_bundle(config: Experiment, card: Mapping[str, Any], folder: Path) -> None:
    """Refuse the bundle of a config's own results that another config has trained.

    Parameters
    ----------
    config
        Of a stage after the training; sections that it does not have are not compared.
    card
        Content of ``model.json``; keys that an older format lacks are not compared.
    folder
        Where it lies, for the message.

    Raises
    ------
    ConfigError
        Names every key that differs.
    """
    given = config.model_fields_set & ALL
    whole = ALL if "training" in given else given  # else the config of a stage, which has few
    faults = faults_of(config, card, whole, right="config")
    if faults:
        raise ConfigError(
            f"{folder / 'model.json'}: trained by another config: {'; '.join(faults)}. Train it "
            "again (the workflow does, or `emulator train CONFIG`), change the config back, or "
            "name the model that is meant (--model)"
        )


def faults_of(
    config: Experiment,
    card: Mapping[str, Any],
    sections: Iterable[str] = ALL,
    *,
    right: Literal["config", "bundle"],
) -> list[str]:
    """What differs, key by key, in words of whoever is right; see :func:`require_own_bundle`."""
    said = {"config": "as the config says", "bundle": "as the bundle has it"}[right]
    faults = []
    for key, here, there in _differences(config, card, sections):
        wanted, found = (here, there) if right == "config" else (there, here)
        faults.append(f"{key}: expected {_short(wanted)} {said}, got {_short(found)}")
    return faults


def _differences(
    config: Experiment, card: Mapping[str, Any], sections: Iterable[str]
) -> Iterable[tuple[str, Any, Any]]:
    """Keys of these sections with other values: here, and there."""
    grid, normalisation = card["grid"], card["normalisation"]
    if "training" in sections:
        objective = config.training.objective
        yield from _unequal("training.objective", objective, card["training"].get("objective"))
        if "diffusion" in sections and objective == "diffusion":
            yield from _of_section("diffusion", config.diffusion, card["diffusion"])
    if "model" in sections:
        yield from _of_section("network", config.model.network, card["network"], "model.")
        yield from _of_channels(config, normalisation["channels"])
        params = list(normalisation["params"])
        yield from _unequal("model.params", list(config.model.params), params)
    if "data" in sections:
        data = config.data
        yield from _unequal(
            "data.context_factors",
            list(data.context_factors),
            list(normalisation["context_factors"]),
        )
        yield from _unequal("data.dimensions", data.dimensions, normalisation.get("dimensions"))
        yield from _of_grid(config, grid)


def _of_section(
    name: str, section: Section, card: Mapping[str, Any], prefix: str = ""
) -> Iterable[tuple[str, Any, Any]]:
    here = section.model_dump(mode="json")
    for key in sorted(here.keys() - OF_TRAINING[name]):
        yield from _unequal(f"{prefix}{name}.{key}", here[key], card.get(key))


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
