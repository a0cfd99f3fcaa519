"""Arms of ``arms.yaml`` and the configs that they are: one base with a few keys changed.

All arms cost the same and are judged alike: as many steps of as many passes of the network, one
thread, and nothing changed of the sections that say what is judged.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from emulator.config import ConfigError, ExperimentConfig, Section, parse_config, read_document
from emulator.config.documents import shorten_error
from emulator.cost.requests import passes

ARMS = Path(__file__).with_name("arms.yaml")
CHANNELS = "model.channels"
OPEN = ("model", "diffusion", "residual", "one_step", "training", "calibration")
"""Sections that an arm may change: what is trained. The others say what is judged."""

THREADS = 1
"""Of every arm, so that several can run side by side and take what each takes alone."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", description="names a folder")]


class Arm(Section):
    """One choice: why it is tried, and which keys of the config it changes."""

    why: str = Field(min_length=1, description="one sentence")
    changes: dict[str, Any] = Field({}, alias="set", description="values by the path of the key")


def read_arms(path: Path = ARMS) -> dict[str, Arm]:
    """Arms by name, in the order of the file; a fault is a :class:`ConfigError`."""
    try:
        return TypeAdapter(dict[Name, Arm]).validate_python(read_document(path))
    except ValidationError as error:
        raise ConfigError(
            f"{path}: expected arms as NAME: {{why: TEXT, set: {{dotted.key: VALUE}}}}\n"
            f"{shorten_error(error)}"
        ) from error


def base_config(document: Mapping[str, Any], *, source: str = "config") -> ExperimentConfig:
    """The config that arms are changes of, with the threads of an arm."""
    return parse_config(_one_thread(document), source=source)


def expand(document: Mapping[str, Any], arms: Mapping[str, Arm]) -> dict[str, ExperimentConfig]:
    """Config of every arm.

    Parameters
    ----------
    document
        Of the base config, as it is written.
    arms
        By name.

    Raises
    ------
    ConfigError
        A key that the base has no place for or that must not differ, a value that the config
        refuses, or an arm that costs more or fewer passes of the network than the base.
    """
    base = base_config(document)
    configs = {}
    for name, arm in arms.items():
        configs[name] = changed_config(document, arm, name)
        _require_equal_cost(configs[name], base, name)
    return configs


def changed_config(
    document: Mapping[str, Any], arm: Arm, name: str, is_open: Sequence[str] = OPEN
) -> ExperimentConfig:
    """Config of one arm, whatever it costs; see :func:`expand`."""
    changed = _one_thread(document)
    for path, value in arm.changes.items():
        if not any(path == key or path.startswith(f"{key}.") for key in is_open):
            raise ConfigError(
                f"arm {name}: {path} must be the same in all arms; they may differ in "
                f"{', '.join(is_open)}, and other arms need another config"
            )
        _change(changed, path, value, name)
    return parse_config(changed, source=f"arm {name}")


def _one_thread(document: Mapping[str, Any]) -> dict[str, Any]:
    changed = deepcopy(dict(document))
    changed["training"] = {**(changed.get("training") or {}), "threads": THREADS}
    return changed


def _change(document: dict[str, Any], path: str, value: Any, arm: str) -> None:
    """Set one key by its path; the last key but one must be a section, or a channel by name."""
    if path.startswith(f"{CHANNELS}."):
        name, _, key = path.removeprefix(f"{CHANNELS}.").partition(".")
        place = _channel(document, name, path, arm)
    else:
        *sections, key = path.split(".")
        place = document
        for part in sections:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"arm {arm}: {path}: expected a section at {part}, got {place!r}")
    if not key or "." in key:
        raise ConfigError(f"arm {arm}: {path}: expected {CHANNELS}.NAME.KEY")
    place[key] = deepcopy(value)


def _channel(document: Mapping[str, Any], name: str, path: str, arm: str) -> dict[str, Any]:
    given = (document.get("model") or {}).get("channels") or []
    by_name = {channel["name"]: channel for channel in given}
    if name not in by_name:
        raise ConfigError(
            f"arm {arm}: {path}: the config has no channel {name!r} in {CHANNELS}; it has "
            f"{', '.join(by_name) or 'none'}"
        )
    found: dict[str, Any] = by_name[name]
    return found


def _require_equal_cost(config: ExperimentConfig, base: ExperimentConfig, arm: str) -> None:
    expected, got = (
        (each.training.max_steps, passes(each), each.training.early_stopping)
        for each in (base, config)
    )
    if got != expected:
        raise ConfigError(
            f"arm {arm}: expected {_cost(base)}, as in the config, got {_cost(config)}: arms are "
            "compared at equal cost. A step costs training.batch_size passes, of residual "
            "twice, of one_step times one_step.members"
        )


def _cost(config: ExperimentConfig) -> str:
    stopped = "no" if config.training.early_stopping is None else "an"
    return f"{config.training.max_steps} steps of {passes(config)} passes and {stopped} early stop"
