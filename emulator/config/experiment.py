"""A whole experiment: reading, validating and writing config files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from emulator.config.blocks import BlocksConfig
from emulator.config.channels import Channel, resolve_channels
from emulator.config.data import DataConfig
from emulator.config.diffusion import DiffusionConfig
from emulator.config.documents import read_document, shorten_error
from emulator.config.embedded import EmbeddedSuite
from emulator.config.evaluation import SamplingConfig, ValidationConfig
from emulator.config.model import ModelConfig
from emulator.config.section import ConfigError, Section
from emulator.config.sources import FilesSuite, MultifieldSuite, SamplesSuite
from emulator.config.training import TrainingConfig

SuiteConfig = Annotated[
    EmbeddedSuite | FilesSuite | MultifieldSuite | SamplesSuite, Field(discriminator="kind")
]


class ExperimentConfig(Section):
    """A whole experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="names the folders of the results")
    suite: SuiteConfig = EmbeddedSuite()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    validation: ValidationConfig = ValidationConfig()
    blocks: BlocksConfig = BlocksConfig()

    @model_validator(mode="after")
    def _channels_are_fields(self) -> "ExperimentConfig":
        resolve_channels(self.model.channels, self.data.targets)
        return self

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the model draws, with the rows of its fields."""
        return resolve_channels(self.model.channels, self.data.targets)

    @model_validator(mode="after")
    def _network_fits_the_windows(self) -> "ExperimentConfig":
        network, window = self.model.network, self.data.window
        if network.ndim != 2:
            raise ValueError("model.network.ndim must be 2: maps and windows have two dimensions")
        if window % network.factor:
            raise ValueError(
                f"data.window ({window}) must be a multiple of {network.factor}, to which "
                "model.network folds and halves it"
            )
        if network.needs_context and not self.data.context_factors:
            raise ValueError(
                "model.network.cross_attention_levels needs data.context_factors; there are none"
            )
        return self


STAGE_SECTIONS: dict[str, tuple[str, ...]] = {
    "simulate": ("suite",),
    "project": ("suite", "data"),
    "fit": ("suite", "data", "model"),
    "train": ("data", "model", "diffusion", "training"),
    "sample": ("suite", "sampling"),
    "validate": ("suite", "validation"),
}
"""Sections that each stage reads. A stage is rerun only when one of its sections changes.

The section ``blocks`` is read by the workflow alone: it changes no result.
"""


def parse_config(raw: Mapping[str, Any], *, source: str = "config") -> ExperimentConfig:
    """Validate a mapping; a fault is a :class:`ConfigError` that names every bad key."""
    try:
        return ExperimentConfig.model_validate(raw)
    except ValidationError as error:
        count = f"{source}: {error.error_count()} problem(s) in the configuration"
        raise ConfigError(f"{count}\n{shorten_error(error)}") from error


def read_config(path: str | Path) -> ExperimentConfig:
    """Read and validate a YAML config file."""
    return parse_config(read_document(path), source=str(path))


def stage_yaml(config: ExperimentConfig, stage: str) -> str:
    """Return the resolved config of one stage: its name and only the sections it reads."""
    dump = config.model_dump(mode="json")
    # a model depends on its own seed, which its job is told, and not on which others there are
    dump["training"].pop("seeds")
    return yaml.safe_dump(
        {key: dump[key] for key in ("name", *STAGE_SECTIONS[stage])}, sort_keys=False
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of :class:`ExperimentConfig` with the ``$schema`` key tools need."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ExperimentConfig.model_json_schema(),
    }
