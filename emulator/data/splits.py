"""Train, validation and test: whole runs, so that no two windows of one universe are separated.

A run is everything that shares initial phases. Runs of the held-out sets go to ``test`` as a whole;
the others are ranked by a hash of their name and the seed, so that adding runs never reshuffles the
membership of those that were there by more than the change of the fractions.
"""

import hashlib
from collections.abc import Mapping, Sequence

from emulator.config import ConfigError, SplitConfig, set_of

SPLITS = ("train", "validation", "test")


def split_runs(
    runs: Mapping[str, Sequence[str]], config: SplitConfig
) -> dict[str, tuple[str, ...]]:
    """Assign every simulation to one split, run by run.

    Parameters
    ----------
    runs
        Run name -> names of the simulations that share its phases (``suite.runs()``).
    config
        Fractions of the runs outside the held-out sets, names of those sets, and the seed.

    Returns
    -------
    Split name -> simulation names. A fraction above zero gives at least one run.

    Raises
    ------
    ConfigError
        If a split that training needs would be empty.
    """
    held_out: list[str] = []
    pool: list[str] = []
    for run, simulations in runs.items():
        sets = {set_of(name) for name in simulations}
        (held_out if sets & set(config.test_sets) else pool).append(run)
    pool.sort(key=lambda run: hashlib.sha256(f"{config.seed}:{run}".encode()).digest())

    n_test = _count(config.test_fraction, len(pool))
    n_validation = _count(config.validation_fraction, len(pool))
    members = {
        "test": held_out + pool[:n_test],
        "validation": pool[n_test : n_test + n_validation],
        "train": pool[n_test + n_validation :],
    }
    empty = [name for name in SPLITS if not members[name]]
    if empty:
        raise ConfigError(
            f"data.split: {len(runs)} runs ({len(held_out)} held out by set) leave no run for "
            f"{', '.join(empty)}; give the suite more runs or change the fractions"
        )
    return {
        name: tuple(sim for run in sorted(members[name]) for sim in runs[run]) for name in SPLITS
    }


def _count(fraction: float, total: int) -> int:
    return max(1, round(fraction * total)) if fraction > 0 else 0


def is_redraw(simulation: str) -> bool:
    """Whether a simulation only re-draws the baryons of another one (set BE)."""
    return simulation.startswith("BE_")


def sampled_simulations(simulations: Sequence[str]) -> list[str]:
    """Those that get an ensemble: a re-drawn truth has the condition of the one it re-draws."""
    return [name for name in simulations if not is_redraw(name)]


def redraws_of(simulation: str, runs: Mapping[str, Sequence[str]]) -> list[str]:
    """Re-drawn truths of a simulation: same run, same parameters, other baryons."""
    for members in runs.values():
        if simulation in members:
            return [name for name in members if is_redraw(name)]
    return []
