"""Evaluate ensembles of held-out simulations: from ``ensembles/*.nc`` to ``metrics.nc``.

One file is in memory at a time, and of each only what :mod:`emulator.validation.statistics` keeps
remains. Files of one run are handled together, because simulations of one run with the same
parameters and windows are draws of one truth: the others are then an *oracle* ensemble for each,
the best that any forecast can do.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from emulator.config import ValidationConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, open_hdf5, read_dataset, require_attribute, write_dataset
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
from emulator.validation.statistics import compute_statistics
from emulator.validation.summary import summarise

SEED = 0
"""Seed of random ties, of the climatology and of the bootstrap."""

DIMS = {
    "fields": ("sample", "member", "channel", "y", "x"),
    "truth": ("sample", "channel", "y", "x"),
    "condition": ("sample", "y", "x"),
}


@dataclass(frozen=True)
class _Truth:
    """What the oracle needs of one simulation."""

    simulation: str
    truth: xr.DataArray
    key: tuple[bytes, ...]


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
    by_run = _group_by_run(sorted(map(Path, ensembles)), set(splits.get("train", ())))
    progress = Progress("validate", len(ensembles))
    baselines: Baselines | None = None
    shape: tuple[object, ...] | None = None
    rows, first = [], {}
    for paths in by_run.values():
        truths = []
        for path in paths:
            ensemble = read_ensemble(path)
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
            rows.append(_evaluate_one(ensemble, Path(maps_dir), baselines))
            truths.append(_truth(ensemble))
            progress.advance()
        _add_oracle(rows[-len(paths) :], truths)
    stats = xr.concat(rows, "simulation", join="outer", coords="minimal", compat="equals")
    summary = summarise(stats, n_bootstrap=config.n_bootstrap, seed=SEED)
    return _describe(xr.merge([stats, summary], compat="no_conflicts"), first, config)


def _group_by_run(paths: Sequence[Path], train: set[str]) -> dict[str, list[Path]]:
    by_run: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        with open_hdf5(path) as handle:
            simulation = str(require_attribute(handle.attrs, "simulation", str(path)))
            by_run[str(require_attribute(handle.attrs, "run", str(path)))].append(path)
        if simulation in train:
            raise DataError(
                path,
                "a held-out simulation",
                f"{simulation}, which is in the training split",
                "Validate on simulations that the model has not seen.",
            )
    return dict(by_run)


def _shape(ensemble: xr.Dataset) -> tuple[object, ...]:
    return (
        tuple(str(name) for name in ensemble["channel"].values),
        ensemble.sizes["member"],
        ensemble.sizes["x"],
        round(float(ensemble.attrs["pixel_mpch"]), 9),
    )


def _evaluate_one(ensemble: xr.Dataset, maps_dir: Path, baselines: Baselines) -> xr.Dataset:
    simulation = str(ensemble.attrs["simulation"])
    maps = read_maps(maps_dir / f"{simulation}.h5")
    n_pixels = int(maps.maps.shape[-1])
    # Seeded by name: the result does not depend on which other files are evaluated.
    rng = np.random.default_rng([SEED, *simulation.encode()])
    stats = compute_statistics(
        ensemble,
        mean_dmo_msunh=float(maps.attrs["mass_map_dmo"]) / n_pixels**2,
        forecasts=forecast_windows(baselines, maps, ensemble),
        climatology=(
            draw_climatology(baselines, ensemble, rng)
            if "stars" in ensemble["channel"].values
            else None
        ),
        rng=rng,
    )
    n_channels = ensemble.sizes["channel"]
    stats["score_oracle"] = ("channel", np.full(n_channels, np.nan))
    stats = stats.assign_coords(
        sample=np.arange(ensemble.sizes["sample"]), member=np.arange(ensemble.sizes["member"])
    )
    return stats.expand_dims(simulation=[simulation]).assign_coords(
        run=("simulation", [str(ensemble.attrs["run"])])
    )


def _truth(ensemble: xr.Dataset) -> _Truth:
    parts = [ensemble[name].values for name in ("params", "centre", "projection")]
    return _Truth(
        str(ensemble.attrs["simulation"]),
        ensemble["truth"],
        tuple(np.ascontiguousarray(part).tobytes() for part in parts),
    )


def _add_oracle(rows: list[xr.Dataset], truths: Sequence[_Truth]) -> None:
    """Score each truth against the other draws of the same run, parameters and windows."""
    for row, item in zip(rows, truths, strict=True):
        others = [t.truth for t in truths if t.key == item.key and t.simulation != item.simulation]
        if len(others) >= calibration.MIN_MEMBERS:
            draws = xr.concat(others, "member", coords="minimal", compat="override")
            score = calibration.crps(draws, item.truth).mean(("sample", "y", "x"))
            row["score_oracle"] = (("simulation", "channel"), score.values[None])


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
