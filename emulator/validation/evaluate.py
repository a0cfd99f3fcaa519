"""Evaluate ensembles of held-out simulations: from ``ensembles/*.nc`` to ``metrics.nc``.

As many files are in memory as there are workers, and of each only what the registered metrics keep
remains (:mod:`emulator.metrics.registry`). Where a file holds re-drawn truths (``truth_redraw``),
these are an *oracle* ensemble: the best that any forecast can do.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from emulator.config import ValidationConfig, maps_file
from emulator.data.maps import read_maps
from emulator.domain import ATTRIBUTE, MATTER, domain_of, pixel_of, space_in
from emulator.fields import Field, dump_fields, with_total
from emulator.io import DataError, write_dataset
from emulator.metadata import provenance
from emulator.metrics import registry
from emulator.metrics.base import Case
from emulator.metrics.power_spectrum import build_shells
from emulator.metrics.tolerances import find_tolerances, with_all_shells
from emulator.progress import Progress
from emulator.validation import acceptance
from emulator.validation.baselines import Baseline, fit_baselines, forecast_windows
from emulator.validation.ensembles import fields_of, read_ensemble
from emulator.validation.halos import halos_in_windows
from emulator.validation.names_of_arrays import name_for
from emulator.validation.nearest_training import TrainingMaps, nearest_windows, read_training
from emulator.validation.response_sets import (
    join_statistics,
    parameter_places,
    require_one_response_set,
    require_same_draws,
)
from emulator.validation.scales import scales_of, unit_of
from emulator.validation.side_by_side import side_by_side

__all__ = ["evaluate", "read_ensemble", "validate"]

SEED = 0
"""Seed of random ties and of the climatology."""


def evaluate(
    ensembles: Sequence[Path],
    maps_dir: Path,
    splits: Mapping[str, Sequence[str]],
    config: ValidationConfig,
    *,
    regression: Path | None = None,
    workers: int = 1,
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
        Range of wave numbers and bars.
    regression
        Bundle of the regression, if there is one.
    workers
        Simulations that are evaluated side by side, each in a thread; numbers do not depend on it.

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
    paths = sorted(map(Path, ensembles))
    whole = _read_held_out(paths[0], splits)
    first, fields = whole.isel(sample=[]), fields_of(whole, paths[0])
    config = resolve_bars(config, fields, first)
    baselines = fit_baselines(
        splits.get("train", ()), Path(maps_dir), fields=fields, window=_window(first), seed=SEED,
        regression=regression,
    )  # fmt: skip
    domain = domain_of(first.attrs, paths[0])
    # what is searched are maps of matter
    train = splits["train"] if domain == MATTER else ()
    training = read_training(train, Path(maps_dir), fields, first.sizes["x"]) if train else None
    rows: list[xr.Dataset] = []
    responses: list[xr.Dataset] = []
    firsts: dict[str, xr.Dataset] = {}
    redshifts: set[object] = set()

    def in_order(ensemble: xr.Dataset) -> Iterator[xr.Dataset]:
        for path in paths:
            if path != paths[0]:
                ensemble = _read_held_out(path, splits)
                _require_alike(ensemble, first, path)
            redshifts.add(ensemble.attrs.get("redshift"))
            kind = str(ensemble.attrs.get("response_set", ""))
            require_same_draws(
                ensemble, firsts.setdefault(kind, _first_pixel(ensemble)), path, windows=bool(kind)
            )
            yield ensemble

    def evaluate_one(ensemble: xr.Dataset) -> xr.Dataset:
        return _evaluate_one(ensemble, fields, Path(maps_dir), baselines, training, config)

    found = side_by_side(evaluate_one, in_order(whole), workers)
    del whole  # it would stay in memory to the end
    for row in found:
        (responses if "response" in row.dims else rows).append(row)
        progress.advance()
    require_one_response_set([kind for kind in firsts if kind])
    attrs = dict(first.attrs)
    stats = join_statistics(rows, responses).assign_attrs(domain.attributes())
    summary = registry.summarise(stats, fields, domain)
    metrics = xr.merge([stats, summary], compat="no_conflicts")
    if len(redshifts) > 1:
        # of a model that is told it, numbers are of all redshifts together
        attrs.pop("redshift", None)
    return _describe(name_for(metrics, domain), attrs, fields, config)


def _window(ensemble: xr.Dataset) -> tuple[int, ...]:
    return tuple(ensemble.sizes[axis] for axis in space_in(ensemble.dims))


def _first_pixel(ensemble: xr.Dataset) -> xr.Dataset:
    return ensemble.isel({axis: [0] for axis in space_in(ensemble.dims)})


def resolve_bars(
    config: ValidationConfig, fields: Sequence[Field], ensemble: xr.Dataset
) -> ValidationConfig:
    """The config with the bar of every field written out, and wave numbers of arrays.

    Their range is that of all shells unless the config says one.
    """
    if not domain_of(ensemble.attrs, "ensemble").is_matter:
        shells = build_shells(_window(ensemble), pixel_of(ensemble.attrs))
        config = with_all_shells(config, shells.k_hmpc)
    written = {
        "power": find_tolerances("power", config, fields),
        "mass": find_tolerances("mass", config, fields),
    }
    return config.model_copy(update={"bars": config.bars.model_copy(update=written)})


def _read_held_out(path: Path, splits: Mapping[str, Sequence[str]]) -> xr.Dataset:
    ensemble = read_ensemble(path)
    simulation = str(ensemble.attrs["simulation"])
    if simulation in splits.get("train", ()):
        raise DataError(
            path,
            "a held-out simulation",
            f"{simulation}, which is in the training split",
            "Validate on simulations that the model has not seen.",
        )
    return ensemble


def _require_alike(ensemble: xr.Dataset, first: xr.Dataset, path: Path) -> None:
    expected, found = _shape(first), _shape(ensemble)
    if found != expected:
        raise DataError(path, f"channels, window, pixel {expected}", f"{found}")
    if fields_of(ensemble, path) != fields_of(first, path):
        raise DataError(
            f"{path}:fields",
            f"the fields as {first.attrs['simulation']} declares them",
            "others of the same names",
        )


def _shape(ensemble: xr.Dataset) -> tuple[object, ...]:
    return (
        tuple(str(name) for name in ensemble["channel"].values),
        _window(ensemble),
        pixel_of(ensemble.attrs),
        ensemble.attrs.get(ATTRIBUTE),
    )


def _evaluate_one(
    ensemble: xr.Dataset,
    fields: tuple[Field, ...],
    maps_dir: Path,
    baselines: Sequence[Baseline],
    training: TrainingMaps | None,
    config: ValidationConfig,
) -> xr.Dataset:
    """Everything of one simulation, with the dimension ``simulation``."""
    simulation = str(ensemble.attrs["simulation"])
    maps = read_maps(maps_file(maps_dir, simulation))
    # Seeded by name: the result does not depend on which other files are evaluated.
    rng = np.random.default_rng([SEED, *simulation.encode()])
    domain = maps.domain
    mean_dmo = unit_of(maps)
    scales = scales_of(maps, fields, mean_dmo)
    response_set = ensemble.attrs.get("response_set")
    forecasts = {} if response_set else forecast_windows(baselines, maps, ensemble, seed=SEED)
    of_members = [name for name, values in ensemble.coords.items() if values.dims == ("member",)]
    case = Case(
        ensemble=ensemble.drop_vars([*of_members, "condition_score"], errors="ignore"),
        fields=fields,
        pixel_mpch=pixel_of(ensemble.attrs),
        mean_dmo=mean_dmo,
        scales=scales,
        model_seed=ensemble["model_seed"].values,
        forecasts=forecasts,
        config=config,
        generator=rng,
        params=parameter_places(maps),
        response_set=response_set,
        halos=halos_in_windows(maps, ensemble),
        nearest=(
            None
            if response_set or training is None
            else nearest_windows(training, ensemble, scales)
        ),
        domain=domain,
    )
    stats = registry.compute(case)
    if response_set:
        return stats.expand_dims(response=[simulation])
    stats = stats.assign_coords(
        sample=np.arange(ensemble.sizes["sample"]), member=np.arange(ensemble.sizes["member"])
    )
    return stats.expand_dims(simulation=[simulation]).assign_coords(
        run=("simulation", [str(ensemble.attrs["run"])])
    )


def _describe(
    metrics: xr.Dataset,
    ensemble_attrs: Mapping[str, object],
    fields: Sequence[Field],
    config: ValidationConfig,
) -> xr.Dataset:
    names = (metrics[name].values for name in ("simulation", "response") if name in metrics)
    simulations = [name for each in names for name in each.astype(str).tolist()]
    copied = ("suite", "pixel_mpch", "box_size_mpch", "depth_mpch", "redshift", "split", "notice",
              "pixel", ATTRIBUTE)  # fmt: skip
    metrics.attrs = {
        "title": "Validation of conditional ensembles on held-out simulations",
        **{name: ensemble_attrs[name] for name in copied if name in ensemble_attrs},
        "n_runs": len(np.unique(metrics["run"].values.astype(str))),
        "seed": SEED,
        "interval": "low and high: 68 percent, from a jackknife over runs with Student's t",
        "config": json.dumps(
            _said(config, is_matter=domain_of(ensemble_attrs, "ensemble").is_matter)
        ),
        "fields": dump_fields(with_total(fields)),
        **provenance("validate", simulations=simulations),
    }
    return metrics


def _said(config: ValidationConfig, *, is_matter: bool) -> dict[str, Any]:
    """The config as it was used: what only matter has stands in that of matter alone."""
    said = config.model_dump(mode="json")
    if is_matter:
        return said
    of_matter = ("k_min_hmpc", "k_max_hmpc", "occupied_msunh")
    bars = {name: bar for name, bar in said["bars"].items() if name != "suppression"}
    return {key: value for key, value in said.items() if key not in of_matter} | {"bars": bars}


def validate(
    ensembles: Sequence[Path],
    maps_dir: Path,
    splits: Mapping[str, Sequence[str]],
    config: ValidationConfig,
    metrics_path: Path,
    acceptance_path: Path,
    regression: Path | None = None,
    bundles: Sequence[Path] = (),
    workers: int = 1,
) -> None:
    """Evaluate, write ``metrics.nc`` and ``acceptance.json``, and enforce the bars if asked.

    ``bundles`` that drew the ensembles get ``validated.json``. All files are written before a
    missed bar raises, so that the report can show it.

    Raises
    ------
    EmulatorError
        If ``config.enforce`` is set and a bar is missed.
    """
    # bundles are torch's; statistics alone do without
    from emulator.validation.verdicts import write_verdicts

    metrics = evaluate(ensembles, maps_dir, splits, config, regression=regression, workers=workers)
    write_dataset(metrics, metrics_path)
    # as it was used: with the bar of every field, and the range of wave numbers of arrays
    used = ValidationConfig.model_validate(json.loads(metrics.attrs["config"]))
    table = acceptance.acceptance_table(metrics, used)
    acceptance.write_acceptance(table, metrics, acceptance_path)
    write_verdicts(bundles, ensembles, maps_dir, splits, metrics, table)
    if config.enforce:
        acceptance.enforce(table)
