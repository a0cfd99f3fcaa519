"""Train, validation and test: whole runs, so that no two windows of one universe are separated.

A run is everything that shares initial phases. Runs of the held-out sets, response sets among them,
go to ``test`` as a whole; the others are ranked by a hash of their name and the seed, so that new
runs never reshuffle the membership of those that were there by more than the change of the
fractions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.config import ConfigError, SplitConfig, set_of
from emulator.io import DataError, path_part, read_json

SPLITS = ("train", "validation", "test")


def split_runs(
    runs: Mapping[str, Sequence[str]], config: SplitConfig
) -> dict[str, tuple[str, ...]]:
    """Assign every simulation to one split, run by run.

    Parameters
    ----------
    runs
        Run name -> names of the simulations that share its phases
        (:attr:`~emulator.suites.base.Suite.runs`).
    config
        Fractions of the runs outside the held-out sets, names of those sets, the number that is
        trained on, and the seed.

    Returns
    -------
    Split name -> simulation names. A fraction above zero gives at least one run.

    Raises
    ------
    ConfigError
        If a split that training needs would be empty, or if there are fewer runs than are to be
        trained on.
    """
    held_out_sets = {*config.test_sets, *config.response_sets}
    held_out: list[str] = []
    pool: list[str] = []
    for run, simulations in runs.items():
        sets = {set_of(name) for name in simulations}
        (held_out if sets & held_out_sets else pool).append(run)
    pool.sort(key=lambda run: hashlib.sha256(f"{config.seed}:{run}".encode()).digest())

    n_test = _count(config.test_fraction, len(pool))
    n_validation = _count(config.validation_fraction, len(pool))
    members = {
        "test": held_out + pool[:n_test],
        "validation": pool[n_test : n_test + n_validation],
        "train": pool[n_test + n_validation :],
    }
    asked, available = config.training_runs, len(members["train"])
    if asked is not None and asked > available:
        raise ConfigError(
            f"data.split.training_runs: expected at most the {available} runs that are neither "
            f"validation nor test, got {asked}; give the suite more runs, or leave it out for all"
        )
    members["train"] = members["train"][:asked]
    empty = [name for name in SPLITS if not members[name]]
    if empty:
        raise ConfigError(
            f"data.split: {len(runs)} runs ({len(held_out)} held out by set) leave no run for "
            f"{', '.join(empty)}; give the suite more runs or change the fractions"
        )
    return {
        name: tuple(sim for run in sorted(members[name]) for sim in runs[run]) for name in SPLITS
    }


def read_splits(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read ``splits.json``: simulation names by split.

    Raises
    ------
    DataError
        A missing or damaged file, or one that holds anything but the three splits and names that
        can be parts of paths, each in one split.
    """
    value = read_json(path)
    if not isinstance(value, dict) or set(value) != set(SPLITS):
        found = list(value)[:5] if isinstance(value, dict) else type(value).__name__
        raise DataError(path, f"the splits {', '.join(SPLITS)}", f"{found}")
    seen: dict[str, str] = {}
    for split, names in value.items():
        if not isinstance(names, list):
            raise DataError(f"{path}:{split}", "a list of names", type(names).__name__)
        for name in names:
            first = seen.setdefault(path_part(name, f"{path}:{split}"), split)
            if first != split:
                raise DataError(
                    f"{path}:{split}", "each simulation in one split", f"{name}, {first}"
                )
    return {split: tuple(value[split]) for split in SPLITS}


def require_same_test(splits: Mapping[str, Sequence[str]], folders: Sequence[str]) -> None:
    """Refuse earlier runs that held out other simulations, before anything is run.

    Parameters
    ----------
    splits
        Of this config.
    folders
        Results of earlier runs (``report.previous``); one without ``splits.json`` is let through.

    Raises
    ------
    ConfigError
        Other names in the split ``test``.
    """
    own = set(splits["test"])
    for folder in folders:
        path = Path(folder) / "splits.json"
        other = set(read_splits(path)["test"]) if path.is_file() else own
        if own != other:
            missing, more = (_few(names) for names in (own - other, other - own))
            raise ConfigError(
                f"report.previous {folder}: expected the held-out simulations of this config "
                f"({len(own)}), got others: without {missing}; beside them {more}. Only runs that "
                "were judged by the same simulations compare: leave it out, or take its suite and "
                "data.split"
            )


def _few(names: set[str]) -> str:
    most = 5
    shown = ", ".join(sorted(names)[:most]) or "none"
    return shown + (f", ... ({len(names)} in all)" if len(names) > most else "")


def _count(fraction: float, total: int) -> int:
    return max(1, round(fraction * total)) if fraction > 0 else 0
