"""What the report reads: every file of a results folder, required or optional.

A missing optional file is not an error: it stays None (or empty) and the page says so.
"""

import csv
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from emulator.config import ensemble_file, maps_file, read_config
from emulator.data.splits import read_splits
from emulator.domain import MATTER, Domain, domain_of, pixel_of, space_in
from emulator.fields import CONDITION
from emulator.io import DataError, read_dataset, read_json, read_lines
from emulator.model.calibration import Calibration, read_calibration
from emulator.model.found_solver import FoundSolver, read_found
from emulator.suites import suite_of

N_SHOWN = 3


@dataclass(frozen=True)
class Shown:
    """One window for the gallery: an ensemble, a sample in it, and why it was chosen."""

    ensemble: xr.Dataset
    sample: int
    why: str

    @property
    def flat(self) -> xr.Dataset:
        """What pictures are of: the ensemble, or the central slice of its volumes."""
        layers = self.ensemble.sizes.get("z")
        return self.ensemble if layers is None else self.ensemble.isel(z=layers // 2)

    @property
    def slice_text(self) -> str:
        """Which slice pictures of volumes show, as a sentence; nothing of maps."""
        layers = self.ensemble.sizes.get("z")
        if layers is None:
            return ""
        place, pixel = layers // 2, pixel_of(self.ensemble.attrs)
        return (
            f"Shown is the central slice along z: layer {place + 1} of {layers}, {pixel:.3g} Mpc/h "
            "thick. "
        )


@dataclass(frozen=True)
class Inputs:
    """Everything that the page is made of.

    Attributes
    ----------
    name
        Of the experiment: as its config says, or as its folder is called.
    hashes
        SHA-256 of the files that the numbers are from, by name.
    """

    name: str
    hashes: dict[str, str]
    metrics: xr.Dataset
    acceptance: dict[str, Any]
    shown: list[Shown]
    box_dmo: xr.DataArray | None
    histories: dict[str, dict[str, list[float]]]
    models: dict[str, dict[str, Any]]
    solvers: dict[str, FoundSolver]
    calibrations: dict[str, Calibration]
    splits: dict[str, tuple[str, ...]] | None
    benchmarks: list[dict[str, Any]]
    predicted: dict[str, dict[str, Any]]
    suite_facts: list[tuple[str, str]]
    audits: xr.Dataset | None = None

    @property
    def domain(self) -> Domain:
        """What the maps are of."""
        return domain_of(self.metrics.attrs, "metrics.nc")


def read_inputs(results: Path, maps_dir: Path) -> Inputs:
    """Read a results folder.

    Raises
    ------
    DataError
        If ``metrics.nc``, ``acceptance.json`` or the ensembles are missing or damaged.
    """
    metrics = read_dataset(results / "metrics.nc")
    split = str(metrics.attrs.get("split", "test"))
    # only those that were evaluated: the folder may hold others of an earlier config
    names = sorted(metrics["simulation"].values.astype(str).tolist())
    paths = [ensemble_file(results, split, name) for name in names]
    shown = choose_windows(paths, results)
    cost = results / "cost.json"
    bundles, splits = _read_bundles(results, shown[0].ensemble), results / "splits.json"
    histories = {name: read_history(folder / "history.csv") for name, folder in bundles.items()}
    models = {
        name: read_json(folder / "model.json", sealed=False) for name, folder in bundles.items()
    }
    return Inputs(
        name=_read_name(results),
        hashes={
            name: hashlib.sha256((results / name).read_bytes()).hexdigest()
            for name in ("metrics.nc", "acceptance.json")
        },
        metrics=metrics,
        acceptance=read_json(results / "acceptance.json"),
        shown=shown,
        box_dmo=_read_box(maps_file(maps_dir, str(shown[0].ensemble.attrs["simulation"]))),
        histories={name: rows for name, rows in histories.items() if rows is not None},
        models=models,
        solvers=_read_solvers(bundles, models),
        calibrations=_read_calibrations(bundles, models, shown[0].ensemble),
        splits=read_splits(splits) if splits.is_file() else None,
        benchmarks=read_benchmarks(results / "benchmarks"),
        predicted={row["stage"]: row for row in read_json(cost)["stages"]}
        if cost.is_file()
        else {},
        suite_facts=_read_suite(results),
        audits=_read_audits(results),
    )


def _read_name(results: Path) -> str:
    config = results / "config" / "validate.yaml"
    return read_config(config).name if config.is_file() else results.resolve().name


def _read_audits(results: Path) -> xr.Dataset | None:
    path = results / "audits.nc"
    return read_dataset(path) if path.is_file() else None


def _read_suite(results: Path) -> list[tuple[str, str]]:
    """What the suite says of itself, if its config is there."""
    config = results / "config" / "project.yaml"
    return suite_of(read_config(config)).describe() if config.is_file() else []


def choose_windows(paths: list[Path], results: Path) -> list[Shown]:
    """Pick windows by their condition: the heaviest, a median and the lightest of three files."""
    if not paths:
        raise DataError(
            results / "ensembles" / "test", "ensembles (*.nc)", "none", "Run the stage `sample`."
        )
    places = np.linspace(0, len(paths) - 1, min(N_SHOWN, len(paths))).round().astype(int)
    shown = []
    for place, quantile in zip(places, (1.0, 0.5, 0.0), strict=False):
        ensemble = read_dataset(paths[place])
        nouns = domain_of(ensemble.attrs, paths[place]).nouns
        why = {1.0: nouns.heaviest, 0.5: "median", 0.0: nouns.lightest}[quantile]
        mass = ensemble["condition"].mean(space_in(ensemble.dims)).values
        order = np.argsort(mass)
        shown.append(Shown(ensemble, int(order[round(quantile * (len(order) - 1))]), why))
    return shown


def _read_bundles(results: Path, ensemble: xr.Dataset) -> dict[str, Path]:
    """Folders of the models that drew the ensembles, by name; without those that are not there."""
    seeds = np.unique(ensemble["model_seed"].values)
    folders = {f"seed {seed}": results / "model" / f"seed_{seed}" for seed in seeds}
    return {name: path for name, path in folders.items() if (path / "model.json").is_file()}


def _read_solvers(
    bundles: dict[str, Path], models: dict[str, dict[str, Any]]
) -> dict[str, FoundSolver]:
    """What was found for these models, where something was; the config may name a solver."""
    found = {
        name: read_found(folder, str(models[name].get("weights_sha256")))
        for name, folder in bundles.items()
    }
    return {name: solver for name, solver in found.items() if solver is not None}


def _read_calibrations(
    bundles: dict[str, Path], models: dict[str, dict[str, Any]], ensemble: xr.Dataset
) -> dict[str, Calibration]:
    """Those that the members were drawn with, where the bundles are there."""
    drawn = {f"seed {seed}" for seed in json.loads(ensemble.attrs.get("calibration", "{}"))}
    found = {
        name: read_calibration(folder, str(models[name].get("weights_sha256")))
        for name, folder in bundles.items()
        if name in drawn
    }
    return {name: calibration for name, calibration in found.items() if calibration is not None}


def _read_box(path: Path) -> xr.DataArray | None:
    if not path.is_file():
        return None
    maps = read_dataset(path)
    if domain_of(maps.attrs, path) != MATTER:
        return None  # whole rows have nothing around them, and volumes no single picture
    return maps["maps"].sel(species=CONDITION.name)


def read_history(path: Path) -> dict[str, list[float]] | None:
    """Columns of ``history.csv``; blank cells become NaN."""
    if not path.is_file():
        return None
    rows = _read_table(path, ",")
    return {name: [_number(row[name]) for row in rows] for name in rows[0]} if rows else None


def read_benchmarks(folder: Path) -> list[dict[str, Any]]:
    """Sum Snakemake's benchmark tables by rule, slowest first.

    The rule is the first folder below ``folder``, or the file's stem if there is none.
    """
    totals: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("**/*.tsv")):
        relative = path.relative_to(folder)
        rule = relative.parts[0] if len(relative.parts) > 1 else path.stem
        for row in _read_table(path, "\t"):
            total = totals.setdefault(
                rule, {"rule": rule, "jobs": 0, "seconds": 0.0, "max_rss_mb": None}
            )
            seconds, memory = _number(row.get("s")), _number(row.get("max_rss"))
            total["jobs"] += 1
            total["seconds"] += seconds if math.isfinite(seconds) else 0.0
            if math.isfinite(memory):
                total["max_rss_mb"] = max(memory, total["max_rss_mb"] or 0.0)
    return sorted(totals.values(), key=lambda row: -row["seconds"])


def _read_table(path: Path, delimiter: str) -> list[dict[str, str]]:
    """Rows of a text table by the names of its columns.

    Raises
    ------
    DataError
        No text, or rows of other lengths than the header.
    """
    reader = csv.DictReader(read_lines(path, "a text table"), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise DataError(path, "a text table", str(error)) from error
    if any(None in row or None in row.values() for row in rows):
        raise DataError(path, f"rows of {len(reader.fieldnames or ())} values", "others")
    return rows


def _number(text: str | None) -> float:
    """A float, or NaN for blanks and for the marks of short jobs (``NA``, ``-``)."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
