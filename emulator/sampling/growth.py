"""Ensembles on disk: only the members that are missing are drawn.

A member is a function of weights, solver, calibration, window, seed and its number. So a file of
the same weights, solver, calibration and windows is gone on with: after a crash, for more members,
for another model. One that holds anything else is drawn anew.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.config import SamplingConfig
from emulator.io import DataError, read_dataset, write_dataset
from emulator.metadata import VERSION, fingerprint
from emulator.sampling.ensemble import Emulator
from emulator.sampling.held_out import HeldOut, cut_windows, draw_members
from emulator.sampling.mixture import join_members
from emulator.sampling.noise import STREAM_VERSION

if TYPE_CHECKING:
    import xarray as xr

NOT_DRAWN = ("n_members", "batch_size", "windows_per_simulation")
"""Options that say how many and how fast, and never change a member."""


def grow_ensemble(
    models: Sequence[Emulator],
    maps_path: Path,
    redraw_paths: Sequence[Path],
    options: SamplingConfig,
    *,
    split: str,
    response_set: str | None = None,
    path: Path,
) -> int:
    """Draw what is missing of the ensemble of one simulation; the file is written model by model.

    Parameters
    ----------
    models
        Models, each of which draws ``options.n_members`` members.
    maps_path, redraw_paths, options, split, response_set
        See :func:`emulator.sampling.held_out.cut_windows`.
    path
        ``ensembles/{split}/{simulation}.nc``.

    Returns
    -------
    Number of members that were drawn.

    Raises
    ------
    DataError
        If the maps do not fit the models. A damaged file at ``path`` is drawn anew.
    """
    windows = cut_windows(
        models[0], maps_path, redraw_paths, options, split=split, response_set=response_set
    )
    kept = _members_of(path, windows)
    recipes = {_recipe(model, options, windows): model for model in models}
    have = {recipe: kept[recipe] for recipe in recipes if recipe in kept}
    n_written, n_drawn = sum(part.sizes["member"] for part in kept.values()), 0
    for recipe, model in recipes.items():
        missing = range(have[recipe].sizes["member"] if recipe in have else 0, options.n_members)
        if not missing:
            continue
        drawn = draw_members(model, windows, options, missing)
        drawn = drawn.assign_coords(recipe=("member", [recipe] * len(missing)))
        have[recipe] = join_members([have[recipe], drawn] if recipe in have else [drawn])
        n_drawn += len(missing)
        so_far = join_members([have[r] for r in recipes if r in have])
        write_dataset(so_far, path)
        n_written = so_far.sizes["member"]
    asked = [have[recipe].isel(member=slice(options.n_members)) for recipe in recipes]
    if n_written > sum(part.sizes["member"] for part in asked):
        write_dataset(join_members(asked), path)
    return n_drawn


def _members_of(path: Path, windows: HeldOut) -> "dict[str, xr.Dataset]":
    """Members of a file by their recipe; none if it holds other windows."""
    if not path.is_file():
        return {}
    try:
        ensemble = read_dataset(path)
    except DataError as error:
        # nothing is lost: the same members are drawn again
        print(f"sample: drawn anew, as {error}", file=sys.stderr, flush=True)
        return {}
    if "recipe" not in ensemble or not _same(ensemble, windows):
        return {}
    recipes = ensemble["recipe"].values.astype(str)
    return {
        recipe: ensemble.isel(member=np.flatnonzero(recipes == recipe))
        for recipe in dict.fromkeys(recipes.tolist())
    }


def _same(ensemble: "xr.Dataset", windows: HeldOut) -> bool:
    """Whether an ensemble holds just these windows and facts."""
    rows = [list(windows.params.values())] * windows.conditions.sizes["sample"]
    expected = windows.conditions.merge(windows.facts).assign(
        params=(("sample", "parameter"), np.array(rows))
    )
    found = ensemble.drop_dims("member").drop_vars("seed", errors="ignore")
    return found.data_vars.keys() == expected.data_vars.keys() and all(
        np.array_equal(found[name].values, expected[name].values) for name in expected.data_vars
    )


def _recipe(model: Emulator, options: SamplingConfig, windows: HeldOut) -> str:
    """Hash of all that decides a member but its window and its number."""
    kept = model.options_for(options).model_dump(mode="json", exclude=set(NOT_DRAWN))
    named = [] if windows.noise_of is None else [windows.noise_of]
    found = model.calibration
    changed = [] if found is None else [[found.noise_scale, found.shift]]
    return fingerprint([STREAM_VERSION, VERSION, model.card.weights_sha256, kept, *named, *changed])
