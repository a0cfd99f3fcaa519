"""What a comparison reads: metrics, bars, settings and cost of each folder of results."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from emulator.config import ensemble_file
from emulator.io import DataError, EmulatorError, read_dataset, read_json
from emulator.model.bundle import bundles_in
from emulator.report.compare.cost import Cost, read_cost
from emulator.report.compare.same_truths import align
from emulator.report.compare.settings import read_settings


@dataclass(frozen=True)
class Trained:
    """One trained experiment.

    Attributes
    ----------
    label
        What it is called: the name of its folder, with as many parents as tell it from others.
    metrics
        ``metrics.nc``, its simulations, channels and fields in the order of the reference.
    bars
        Rows of ``acceptance.json``.
    settings
        Keys of the config by their path, as :mod:`emulator.report.compare.settings` reads them.
    weights
        Checksums of the weights of its models.
    """

    label: str
    folder: Path
    metrics: xr.Dataset
    bars: list[dict[str, Any]]
    settings: dict[str, Any]
    weights: tuple[str, ...]
    cost: Cost


def read_trained(folders: Sequence[Path]) -> list[Trained]:
    """Read folders of results; the first is the reference.

    Parameters
    ----------
    folders
        Each with ``metrics.nc``, ``acceptance.json`` and ``model/``; of ``ensembles/`` one file,
        and ``benchmarks/`` and ``config/``, if they exist.

    Raises
    ------
    EmulatorError
        Fewer than two folders.
    DataError
        A file that is missing or damaged, or folders that cannot be compared: see
        :func:`emulator.report.compare.same_truths.align`.
    """
    if len(folders) < 2:
        raise EmulatorError(
            f"compare: expected two folders of results or more, got {len(folders)}; the first is "
            "the reference"
        )
    metrics = [read_dataset(folder / "metrics.nc") for folder in folders]
    aligned = [
        align(found, metrics[0], folder, folders[0])
        for folder, found in zip(folders, metrics, strict=True)
    ]
    return [
        _read_one(folder, label, found)
        for folder, label, found in zip(folders, _labels(folders), aligned, strict=True)
    ]


def _read_one(folder: Path, label: str, metrics: xr.Dataset) -> Trained:
    ensemble = _first_ensemble(folder, metrics)
    found = _that_drew(folder / "model", ensemble)
    bundles, cards = list(found), list(found.values())
    return Trained(
        label=label,
        folder=folder,
        metrics=metrics,
        bars=_read_bars(folder / "acceptance.json"),
        settings=read_settings(folder, cards, ensemble),
        weights=tuple(sorted(str(card.get("weights_sha256")) for card in cards)),
        cost=read_cost(folder, bundles, metrics, ensemble),
    )


def _read_bars(path: Path) -> list[dict[str, Any]]:
    table = read_json(path)
    bars = table.get("bars") if isinstance(table, dict) else None
    if not isinstance(bars, list):
        raise DataError(path, "a table of bars", "none", "Run the stage `validate` again.")
    return bars


def _that_drew(folder: Path, ensemble: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """Bundles, with their cards, whose weights drew an ensemble; all, if it does not say.

    Raises
    ------
    DataError
        None of them did: what was measured is not what lies there.
    """
    cards = {bundle: _read_card(bundle / "model.json") for bundle in bundles_in(folder)}
    weights = json.loads(str(ensemble.get("provenance", "{}"))).get("weights")
    if not weights:
        return cards
    drew = {path: card for path, card in cards.items() if card.get("weights_sha256") in weights}
    if not drew:
        raise DataError(
            folder, "the models that drew the ensembles", "other weights",
            "A model was trained since: run the stages `sample` and `validate` again.",
        )  # fmt: skip
    return drew


def _read_card(path: Path) -> dict[str, Any]:
    """A model card as it stands, of any version: nothing is built from it."""
    card = read_json(path, sealed=False)
    sections = ("grid", "network", "diffusion", "normalisation", "training", "attributes")
    if not isinstance(card, dict) or not all(isinstance(card.get(s), dict) for s in sections):
        raise DataError(path, f"a model card with {', '.join(sections)}", "another document")
    return card


def _first_ensemble(folder: Path, metrics: xr.Dataset) -> dict[str, Any]:
    """What an ensemble says of how it was drawn; nothing if it is not there."""
    split, name = str(metrics.attrs.get("split", "test")), str(metrics["simulation"].values[0])
    path = ensemble_file(folder, split, name)
    return dict(read_dataset(path).attrs) if path.is_file() else {}


def _labels(folders: Sequence[Path]) -> list[str]:
    """Shortest ends of the paths that differ; equal paths are numbered."""
    parts = [folder.resolve().parts for folder in folders]
    labels = [""] * len(parts)
    for depth in range(1, max(map(len, parts)) + 1):
        labels = ["/".join(path[-depth:]) for path in parts]
        if len(set(labels)) == len(set(parts)):
            break
    seen: Counter[str] = Counter()
    for i, label in enumerate(labels):
        seen[label] += 1
        if seen[label] > 1:
            labels[i] = f"{label} ({seen[label]})"
    return labels
