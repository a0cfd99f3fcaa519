"""How experiments were set up: keys of their configs, and which of them differ.

A model card holds the sections ``model``, ``diffusion`` and ``training`` as they were, an ensemble
how it was drawn; ``config/*.yaml`` of the workflow hold what neither says.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.config.documents import read_document
from emulator.report.text import UNKNOWN

SEEDS = "training.seeds"

OF_FILES = {
    "residual": "train",
    "one_step": "train",
    "consistency": "train",
    "regression": "regress",
}
"""Sections that no card holds, and the stage whose config file of the workflow does."""


def read_settings(
    folder: Path, cards: Sequence[Mapping[str, Any]], ensemble: Mapping[str, Any]
) -> dict[str, Any]:
    """Keys of the config by their path (``training.batch_size``).

    Parameters
    ----------
    folder
        Of the results; ``config/*.yaml`` are read if they are there.
    cards
        Model cards of all seeds, of one config.
    ensemble
        Attributes of an ensemble; empty: it is not there.
    """
    card = cards[0]
    normalisation = card["normalisation"]
    elsewhere = ("seed", *OF_FILES)
    training = {key: value for key, value in card["training"].items() if key not in elsewhere}
    channels = {
        _channel_name(channel): {k: v for k, v in channel.items() if k not in ("field", "name")}
        for channel in normalisation.get("channels", ())
    }
    nested = {
        "model": {
            "network": card["network"],
            "channels": channels,
            "params": list(normalisation.get("params", ())),
        },
        "data": {
            **card["grid"],
            "context_factors": normalisation.get("context_factors"),
        },
        "diffusion": card["diffusion"],
        "training": training,
        "sampling": json.loads(str(ensemble.get("sampling", "{}"))),
        **_of_files(folder),
    }
    seeds = sorted(each["training"].get("seed", 0) for each in cards)
    version = card["attributes"].get("emulator_version")
    return {**flatten(nested), SEEDS: seeds, "version of the package": version}


def _channel_name(channel: Mapping[str, Any]) -> str:
    return str((channel.get("field") or {}).get("name", channel.get("name")))


def _of_files(folder: Path) -> dict[str, Any]:
    """Sections of the config files of the workflow, where it has run."""
    found = {}
    for section, stage in OF_FILES.items():
        path = folder / "config" / f"{stage}.yaml"
        if path.is_file():
            found[section] = read_document(path).get(section)
    return found


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves by their path; a key without a value stays, as ``null`` is a value."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def differing(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Keys whose values are not equal, with the value of each experiment as text.

    A key of a section that one of them does not record at all (no ensemble, no config file) is
    left out: nothing is known of it.
    """
    sections = [{name.split(".")[0] for name in each} for each in settings]
    recorded = set.intersection(*sections)
    names = dict.fromkeys(name for each in settings for name in each)
    rows = {}
    for name in names:
        values = [each.get(name, UNKNOWN) for each in settings]
        if name.split(".")[0] in recorded and any(value != values[0] for value in values[1:]):
            rows[name] = [_text(value) for value in values]
    return rows


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, float) and float(short := f"{value:g}") == value:
        return short  # 1e+09: nobody counts zeros
    return "null" if value is None else json.dumps(value)
