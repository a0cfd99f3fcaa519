"""A whole experiment: reading, validating and writing config files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from emulator.config.blocks import BlocksConfig
from emulator.config.data import DataConfig
from emulator.config.diffusion import DiffusionConfig
from emulator.config.documents import read_document, shorten
from emulator.config.embedded import EmbeddedSuite
from emulator.config.evaluation import SamplingConfig, ValidationConfig
from emulator.config.model import ModelConfig
from emulator.config.section import ConfigError, Section
from emulator.config.sources import FilesSuite, MultifieldSuite, SamplesSuite
from emulator.config.training import TrainingConfig

_MOST_LINES = 40

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


STAGE_SECTIONS: dict[str, tuple[str, ...]] = {
    "simulate": ("suite",),
    "project": ("suite", "data"),
    "fit": ("suite", "data", "model"),
    "train": ("data", "model", "diffusion", "training"),
    "sample": ("suite", "sampling"),
    "validate": ("validation",),
}
"""Sections that each stage reads. A stage is rerun only when one of its sections changes.

The section ``blocks`` is read by the workflow alone: it changes no result.
"""


def parse_config(raw: Mapping[str, Any], *, source: str = "config") -> ExperimentConfig:
    """Validate a mapping; a fault is a :class:`ConfigError` that names every bad key."""
    try:
        return ExperimentConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(error, source)) from error


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


def _explain(error: ValidationError, source: str) -> str:
    lines = [f"{source}: {error.error_count()} problem(s) in the configuration"]
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(f"  {where}: unknown key (got {shorten(item['input'])})")
        else:
            lines.append(f"  {where}: {item['msg']} (got {shorten(item['input'])})")
    rest = len(lines) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"  ... and {rest} more"] if rest > 0 else [])])
