"""Evaluate ensembles of held-out simulations: from ``ensembles/*.nc`` to ``metrics.nc``.

One file is in memory at a time, and of each only what :mod:`emulator.validation.statistics` keeps
remains. Where a file holds re-drawn truths (``truth_redraw``), these are an *oracle* ensemble: the
best that any forecast can do.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from emulator.config import ValidationConfig, maps_file
from emulator.data.maps import read_maps
from emulator.io import DataError, read_dataset, require_attribute, write_dataset
from emulator.metadata import provenance
from emulator.metrics import calibration
from emulator.progress import Progress
from emulator.validation import acceptance
from emulator.validation.baselines import (
    Baselines,
    draw_climatology,
    fit_baselines,
    forecast_windows,
)
from emulator.validation.models import compare_models
from emulator.validation.statistics import compute_statistics
from emulator.validation.summary import summarise

SEED = 0
"""Seed of random ties, of the climatology and of the bootstrap."""

DIMS = {
    "fields": ("sample", "member", "channel", "y", "x"),
    "truth": ("sample", "channel", "y", "x"),
    "condition": ("sample", "y", "x"),
    "params": ("sample", "parameter"),
    "centre": ("sample", "axis"),
    "projection": ("sample",),
    "model_seed": ("member",),
}
MASSES = ("fields", "truth", "condition")


def read_ensemble(path: str | Path) -> xr.Dataset:
    """Read and check one ensemble file.

    Raises
    ------
    DataError
        For missing variables, NaN, infinite or negative masses, or fewer than 2 members.
    """
    ensemble = read_dataset(path)
    for name, dims in DIMS.items():
        if name not in ensemble:
            raise DataError(path, f"variable {name!r}", ", ".join(map(str, ensemble.data_vars)))
        if set(ensemble[name].dims) != set(dims):
            raise DataError(f"{path}:{name}", f"dimensions {dims}", f"{ensemble[name].dims}")
        if name not in MASSES:
            continue
        values = ensemble[name].values
        # A NaN makes the minimum NaN, and every comparison with NaN is false.
        if not (values.min() >= 0 and values.max() < np.inf):
            bad = int((~np.isfinite(values) | (values < 0)).sum())
            raise DataError(
                f"{path}:{name}",
                "finite masses >= 0",
                f"{bad} of {values.size} values that are NaN, infinite or negative",
                "Sample again; if it persists the model diverged.",
            )
        ensemble[name] = ensemble[name].transpose(*dims)
    n_members = ensemble.sizes["member"]
    if n_members < calibration.MIN_MEMBERS:
        raise DataError(
            path,
            f"at least {calibration.MIN_MEMBERS} members",
            f"{n_members}",
            "Raise sampling.n_members.",
        )
    for name in ("simulation", "run", "pixel_mpch"):
        require_attribute(ensemble.attrs, name, str(path))
    # Wave numbers follow from it: what files round differently must not make two sets of them.
    ensemble.attrs["pixel_mpch"] = round(float(ensemble.attrs["pixel_mpch"]), 9)
    return ensemble


def evaluate(
    ensembles: Sequence[Path],
    maps_dir: Path,
    splits: Mapping[str, Sequence[str]],
    config: ValidationConfig,
) -> xr.Dataset:
    """Statistics of all ensembles, and of the baselines at the same windows.

    Parameters
    ----------
    ensembles
        Files of held-out simulations.
    maps_dir
        Folder of ``{simulation}.h5`` maps of the training and of the held-out simulations.
    splits
        Split name -> simulations; baselines are fitted on ``train``.
    config
        Bootstrap draws and bars.

    Returns
    -------
    Statistics by ``simulation`` and their summary with the dimension ``estimate``.

    Raises
    ------
    DataError
        If there is no ensemble, one is damaged, its simulation is in the training split, or files
        do not agree in channels, members, window or pixel.
    """
    if not ensembles:
        raise DataError(
            "ensembles", "at least one held-out simulation", "none", "Is the test split empty?"
        )
    progress = Progress("validate", len(ensembles))
    baselines: Baselines | None = None
    shape: tuple[object, ...] | None = None
    rows, first = [], {}
    for path in sorted(map(Path, ensembles)):
        ensemble = read_ensemble(path)
        _require_held_out(ensemble, path, splits)
        found = _shape(ensemble)
        if baselines is None or shape is None:
            shape, first = found, dict(ensemble.attrs)
            baselines = fit_baselines(
                splits.get("train", ()),
                Path(maps_dir),
                channels=[str(name) for name in ensemble["channel"].values],
                window=ensemble.sizes["x"],
                seed=SEED,
            )
        elif found != shape:
            raise DataError(path, f"channels, members, window, pixel {shape}", f"{found}")
        rows.append(_evaluate_one(ensemble, Path(maps_dir), baselines, config.occupied_msunh))
        progress.advance()
    stats = xr.concat(rows, "simulation", join="outer", coords="minimal", compat="equals")
    summary = summarise(stats, n_bootstrap=config.n_bootstrap, seed=SEED)
    return _describe(xr.merge([stats, summary], compat="no_conflicts"), first, config)


def _require_held_out(
    ensemble: xr.Dataset, path: Path, splits: Mapping[str, Sequence[str]]
) -> None:
    simulation = str(ensemble.attrs["simulation"])
    if simulation in splits.get("train", ()):
        raise DataError(
            path,
            "a held-out simulation",
            f"{simulation}, which is in the training split",
            "Validate on simulations that the model has not seen.",
        )


def _shape(ensemble: xr.Dataset) -> tuple[object, ...]:
    return (
        tuple(str(name) for name in ensemble["channel"].values),
        ensemble.sizes["member"],
        ensemble.sizes["x"],
        ensemble.attrs["pixel_mpch"],
    )


def _evaluate_one(
    ensemble: xr.Dataset, maps_dir: Path, baselines: Baselines, occupied_msunh: float
) -> xr.Dataset:
    simulation = str(ensemble.attrs["simulation"])
    maps = read_maps(maps_file(maps_dir, simulation))
    # Seeded by name: the result does not depend on which other files are evaluated.
    rng = np.random.default_rng([SEED, *simulation.encode()])
    mean_dmo = float(maps.select(["dmo"]).mean(dtype=np.float64))
    stats = compute_statistics(
        ensemble.drop_vars([n for n, v in ensemble.coords.items() if v.dims == ("member",)]),
        mean_dmo_msunh=mean_dmo,
        occupied_msunh=occupied_msunh,
        forecasts=forecast_windows(baselines, maps, ensemble),
        climatology=(
            draw_climatology(baselines, ensemble, rng)
            if "stars" in ensemble["channel"].values
            else None
        ),
        rng=rng,
    )
    stats = stats.merge(compare_models(ensemble, stats["power_members"], mean_dmo))
    stats["score_oracle"] = ("channel", _oracle_score(ensemble))
    stats = stats.assign_coords(
        sample=np.arange(ensemble.sizes["sample"]), member=np.arange(ensemble.sizes["member"])
    )
    return stats.expand_dims(simulation=[simulation]).assign_coords(
        run=("simulation", [str(ensemble.attrs["run"])])
    )


def _oracle_score(ensemble: xr.Dataset) -> np.ndarray:
    """Fair CRPS of the re-drawn truths by channel; NaN with fewer than two of them."""
    if ensemble.sizes.get("draw", 0) < calibration.MIN_MEMBERS:
        return np.full(ensemble.sizes["channel"], np.nan)
    draws = ensemble["truth_redraw"].rename(draw="member")
    return calibration.crps(draws, ensemble["truth"]).mean(("sample", "y", "x")).values


def _describe(
    metrics: xr.Dataset, ensemble_attrs: Mapping[str, object], config: ValidationConfig
) -> xr.Dataset:
    copied = ("suite", "pixel_mpch", "box_size_mpch", "depth_mpch", "redshift", "split", "notice")
    metrics.attrs = {
        "title": "Validation of conditional ensembles on held-out simulations",
        **{name: ensemble_attrs[name] for name in copied if name in ensemble_attrs},
        "n_runs": len(np.unique(metrics["run"].values.astype(str))),
        "seed": SEED,
        "interval": "low and high: 16 and 84 percent of a bootstrap over runs",
        "config": json.dumps(config.model_dump(mode="json")),
        **provenance("validate", simulations=metrics["simulation"].values.astype(str).tolist()),
    }
    metrics["score_oracle"].attrs = {
        "units": metrics["score"].attrs["units"],
        "long_name": "fair CRPS of the other draws of the same truth",
    }
    return metrics


def validate(
    ensembles: Sequence[Path],
    maps_dir: Path,
    splits: Mapping[str, Sequence[str]],
    config: ValidationConfig,
    metrics_path: Path,
    acceptance_path: Path,
) -> None:
    """Evaluate, write ``metrics.nc`` and ``acceptance.json``, and enforce the bars if asked.

    Both files are written before a missed bar raises, so that the report can show it.

    Raises
    ------
    EmulatorError
        If ``config.enforce`` is set and a bar is missed.
    """
    metrics = evaluate(ensembles, maps_dir, splits, config)
    write_dataset(metrics, metrics_path)
    table = acceptance.acceptance_table(metrics, config)
    acceptance.write_acceptance(table, metrics, acceptance_path)
    if config.enforce:
        acceptance.enforce(table)
