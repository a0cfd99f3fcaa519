"""Verdicts beside the weights: ``validated.json`` and ``README.md`` of each judged bundle."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from emulator.config import SamplingConfig, maps_file
from emulator.io import open_hdf5, seal_in
from emulator.metadata import commit, fingerprint, provenance
from emulator.model.bundle import read_card
from emulator.model.card import ModelCard
from emulator.model.page import write_page
from emulator.model.validated import JudgedBar, Validated, forget_verdict


class _Drawn(NamedTuple):
    """How one model drew the members of one file."""

    sampling: SamplingConfig
    calibration: str | None


def write_verdicts(
    bundles: Sequence[Path],
    ensembles: Sequence[Path],
    maps_dir: Path,
    splits: Mapping[str, Sequence[str]],
    metrics: xr.Dataset,
    bars: Sequence[Mapping[str, Any]],
) -> list[Path]:
    """Write ``validated.json`` beside the weights that drew all ensembles.

    A bundle that did not draw them, or not all of them alike, was not judged: it keeps none.

    Parameters
    ----------
    bundles
        Folders of the models.
    ensembles
        Files that were judged, response sets among them.
    maps_dir, splits
        What they were compared with.
    metrics, bars
        What came out.

    Returns
    -------
    The bundles that were judged.
    """
    judged = []
    attrs = [_attributes(path) for path in sorted(ensembles)]
    for bundle in bundles:
        card = read_card(bundle)
        drawn = _drawn_by(card, attrs)
        if drawn is None:
            forget_verdict(bundle)
            write_page(bundle)
            continue
        _verdict(card, drawn, attrs, ensembles, maps_dir, splits, metrics, bars).write(bundle)
        write_page(bundle)
        judged.append(Path(bundle))
    return judged


def _attributes(path: Path) -> dict[str, Any]:
    """Attributes of an ensemble, whose seal was verified when it was judged."""
    with open_hdf5(path) as handle:
        return {name: handle.attrs[name] for name in handle.attrs}


def _drawn_by(card: ModelCard, files: Sequence[Mapping[str, Any]]) -> _Drawn | None:
    """How a model drew all files; None if it drew not all, or some otherwise."""
    found = [_one_drawn(card, attrs) for attrs in files]
    # responses have other numbers of members and windows
    plain = [
        drawn for drawn, attrs in zip(found, files, strict=True) if "response_set" not in attrs
    ]
    if not plain or any(drawn is None or not _alike(drawn, plain[0]) for drawn in found):
        return None
    return plain[0]


def _one_drawn(card: ModelCard, attrs: Mapping[str, Any]) -> _Drawn | None:
    if card.weights_sha256 not in json.loads(str(attrs["provenance"])).get("weights", ()):
        return None
    seed = str(card.facts.seed)
    options = json.loads(str(attrs["sampling"]))
    settings = options.pop("settings", None)
    if settings is not None:
        options |= settings[seed]
    changed = json.loads(str(attrs.get("calibration", "{}"))).get(seed)
    return _Drawn(
        SamplingConfig.model_validate(options), None if changed is None else fingerprint(changed)
    )


def _alike(one: _Drawn, other: _Drawn | None) -> bool:
    of_call = {"n_members", "windows_per_simulation", "batch_size"}
    return other is not None and (
        one.sampling.model_dump(exclude=of_call) == other.sampling.model_dump(exclude=of_call)
        and one.calibration == other.calibration
    )


def _verdict(
    card: ModelCard,
    drawn: _Drawn,
    attrs: Sequence[Mapping[str, Any]],
    ensembles: Sequence[Path],
    maps_dir: Path,
    splits: Mapping[str, Sequence[str]],
    metrics: xr.Dataset,
    bars: Sequence[Mapping[str, Any]],
) -> Validated:
    names = metrics["simulation"].values.astype(str).tolist()
    every = [str(each["simulation"]) for each in attrs]
    weights = {sha for each in attrs for sha in json.loads(str(each["provenance"]))["weights"]}
    return Validated(
        weights_sha256=card.weights_sha256,
        sampling=drawn.sampling,
        calibration=drawn.calibration,
        split=str(metrics.attrs.get("split", "test")),
        simulations=tuple(names),
        runs=int(metrics.attrs["n_runs"]),
        models=len(weights),
        members=metrics.sizes["member"],
        windows=metrics.sizes["sample"],
        bars=tuple(_judged(bar) for bar in bars),
        commit=commit(),
        data={
            "ensembles": _digest(ensembles),
            "maps": _digest([maps_file(maps_dir, name) for name in every]),
            "splits": fingerprint({key: list(split) for key, split in splits.items()}, length=64),
        },
        attributes=provenance("validate", config=json.loads(metrics.attrs["config"])),
    )


def _judged(bar: Mapping[str, Any]) -> JudgedBar:
    return JudgedBar.model_validate({name: bar.get(name) for name in JudgedBar.model_fields})


def _digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the names and checksums of files, in order of names."""
    digest = hashlib.sha256()
    for path in sorted(map(Path, paths), key=lambda path: path.name):
        digest.update(f"{path.name} {seal_in(path)}\n".encode())
    return digest.hexdigest()
