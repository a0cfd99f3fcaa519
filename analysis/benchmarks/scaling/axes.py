"""Axes of ``scaling.yaml``, and the configs of their points."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from analysis.benchmarks.arms.expand import Arm, base_config, changed_config
from emulator.config import ConfigError, ExperimentConfig, Section, read_document
from emulator.config.documents import shorten_error

AXES = Path(__file__).with_name("scaling.yaml")
OPEN = ("model", "diffusion", "training", "data.split.training_runs")
"""What a point may change; all else says what is judged."""

Value = int | tuple[int, ...]


class Axis(Section):
    """One key, and the values that it takes."""

    key: str = Field(min_length=1)
    unit: str = Field(min_length=1, description="of a value, or of the first of several")
    values: Annotated[tuple[Value, ...], Field(min_length=2)]


class Study(Section):
    """Content of ``scaling.yaml``."""

    base: dict[str, Any] = Field({}, description="keys that all points have")
    axes: Annotated[dict[str, Axis], Field(min_length=1)]


def read_study(path: Path = AXES) -> Study:
    """Axes by name; a fault is a :class:`ConfigError`."""
    try:
        return Study.model_validate(read_document(path))
    except ValidationError as error:
        raise ConfigError(
            f"{path}: expected base: {{dotted.key: VALUE}} and axes: NAME: {{key, unit, values}}\n"
            f"{shorten_error(error)}"
        ) from error


def number_of(value: Value) -> int:
    """Where a value lies on its axis."""
    return value[0] if isinstance(value, tuple) else value


def point_name(axis: str, value: Value) -> str:
    """Folder of the results of a point."""
    return f"{axis}_{number_of(value)}"


def expand_study(document: Mapping[str, Any], study: Study) -> dict[str, ExperimentConfig]:
    """Config of every point by its name.

    Points whose values are those of the base are one and the same config, and stand under each of
    their names.

    Raises
    ------
    ConfigError
        A key that the config has no place for, or that says what is judged; a value that the config
        refuses.
    """
    base_config(document)
    return {
        point_name(axis, value): changed_config(
            document,
            Arm(
                why=f"{axis} {value}",
                set=study.base | {each.key: list(value) if isinstance(value, tuple) else value},
            ),
            point_name(axis, value),
            OPEN,
        )
        for axis, each in study.axes.items()
        for value in each.values
    }
