"""Places: where the files of an experiment lie, by the names in its config, tables and splits.

The one way from a name to a path. Names are checked (:func:`~emulator.io.path_part`): a simulation
called ``../../x`` in somebody's ``splits.json`` must not lead out of its folder.
"""

import os
from pathlib import Path

from emulator.config.section import ConfigError
from emulator.io import path_part


def raw_folder(name: str) -> Path:
    """Snapshots that the embedded suite writes."""
    return Path("data/raw") / path_part(name, "name")


def maps_folder(name: str) -> Path:
    """Maps files."""
    return Path("data/processed") / path_part(name, "name") / "maps"


def results_folder(name: str) -> Path:
    """Everything that is fitted, trained, drawn and measured."""
    return Path("results") / path_part(name, "name")


def maps_file(folder: str | Path, simulation: str, redraw: int = 0) -> Path:
    """Maps of one simulation, or of one more hydro outcome of it."""
    suffix = f"_redraw_{redraw:04d}" if redraw else ""
    return Path(folder) / f"{path_part(simulation, 'simulation')}{suffix}.h5"


def ensemble_file(results: str | Path, split: str, simulation: str) -> Path:
    """Ensemble of one simulation of a split."""
    stem = path_part(simulation, "simulation")
    return Path(results) / "ensembles" / path_part(split, "split") / f"{stem}.nc"


def bundle_folder(models: str | Path, seed: int) -> Path:
    """Bundle of the model of one seed, in the folder of all models."""
    return Path(models) / f"seed_{seed}"


def trained_bundles(folder: str | Path) -> list[Path]:
    """Bundles that lie in a folder: itself, or those of its seeds (``seed_0``, ...); or none."""
    folder = Path(folder)
    if (folder / "model.json").is_file():
        return [folder]
    found = [path.parent for path in folder.glob("seed_*/model.json")]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def is_within(path: str | Path, folder: str | Path) -> bool:
    """Whether a path lies in a folder, by their names: links are not followed."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def only_bundle(key: str, folder: str | Path, remedy: str) -> Path:
    """Find the one bundle that a key of the config names.

    Parameters
    ----------
    key
        Of the config, for messages.
    folder
        A bundle, or the folder of that of one seed.
    remedy
        What to do where there is none.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    folder = Path(folder)
    found = trained_bundles(folder)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ConfigError(
            f"{key} {folder}: expected one bundle, got {len(found)} ({names}): name one of them"
        )
    raise ConfigError(
        f"{key} {folder}: expected a bundle (model.json) or that of one seed (seed_N/model.json), "
        f"got neither: {remedy}"
    )


def regression_folder(results: str | Path) -> Path:
    """Bundle of the regression that the model is compared with."""
    return Path(results) / "regression"
