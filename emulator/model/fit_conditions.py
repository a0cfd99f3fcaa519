"""Fit which conditions a training sees; of its windows only their summaries are kept in memory."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emulator.data.maps import Maps, read_maps
from emulator.fields import CONDITION
from emulator.model.condition_summaries import mean_mass, summarise, summary_names
from emulator.model.seen_conditions import SHARES, SeenConditions, distance

LEAST_RUNS = 4
"""Runs with other phases or cosmologies, without which nothing is known of the next one."""

LEAST_WINDOWS = 30
"""For each summary; fewer give no covariance."""

_MANY = 64


def fit_conditions(paths: Sequence[Path], window: int) -> SeenConditions | None:
    """Stream over the maps of the training split; None where there are too few to know.

    Windows tile each map, by half their side where there are few of them; ready windows are used
    whole. Maps that simulations share, as those of a run with several outcomes do, count once.

    Parameters
    ----------
    paths
        ``maps/{simulation}.h5`` of the training split only.
    window
        Pixels a side.
    """
    seen: set[bytes] = set()
    parts: dict[str, list[NDArray[np.float64]]] = {}
    for path in paths:
        maps = read_maps(path, lazy=True)
        dmo, attrs = maps.species_index(CONDITION.name), maps.attrs
        mean = mean_mass(*(float(attrs[key]) for key in ("omega_m", "pixel_mpch", "depth_mpch")))
        for projection in range(maps.n_projections):
            field = np.asarray(maps.maps[projection, dmo])
            digest = hashlib.sha256(field.tobytes()).digest()
            if digest not in seen:
                seen.add(digest)
                found = summarise(_windows(maps, field, window), np.array([mean]))
                parts.setdefault(str(attrs["run"]), []).append(found)
        maps.close()
    return _fit([np.concatenate(of_run) for of_run in parts.values()], summary_names(window))


def _windows(maps: Maps, field: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Windows ``(window, y, x)`` of one map."""
    if not maps.periodic:
        return field[None]
    few = field.size < _MANY * window**2
    step = max(1, window // 2) if few else window
    rows, cols = (range(0, size - size % step, step) for size in field.shape)
    ahead = np.pad(field, (0, window), mode="wrap")
    return np.stack([ahead[r : r + window, c : c + window] for r in rows for c in cols])


def _fit(runs: Sequence[NDArray[np.float64]], names: tuple[str, ...]) -> SeenConditions | None:
    """The law of all, calibrated on each run by that of the others."""
    n_windows = sum(map(len, runs))
    if len(runs) < LEAST_RUNS or n_windows < LEAST_WINDOWS * len(names):
        return None
    # about a common origin, so that sums of squares keep their digits
    origin = np.concatenate(runs).mean(axis=0)
    moments = [_moments(part - origin) for part in runs]
    total = tuple(np.sum(parts, axis=0) for parts in zip(*moments, strict=True))
    law = _law(total)
    if law is None:
        return None
    left_out = []
    for part, own in zip(runs, moments, strict=True):
        others = _law(tuple(a - b for a, b in zip(total, own, strict=True)))
        if others is None:
            return None
        left_out.append(distance(part - origin, *others))
    return SeenConditions(
        summaries=names,
        mean=tuple((law[0] + origin).tolist()),
        precision=tuple(map(tuple, law[1].tolist())),
        distances=tuple(np.quantile(np.concatenate(left_out), SHARES).tolist()),
        windows=n_windows,
        runs=len(runs),
    )


_Moments = tuple[NDArray[np.float64], ...]


def _moments(part: NDArray[np.float64]) -> _Moments:
    """Number, sum, and sum of products."""
    return np.array(float(len(part))), part.sum(axis=0), part.T @ part


def _law(moments: _Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Mean and inverse covariance; None where summaries are no numbers of their own."""
    number, total, products = moments
    mean = total / number
    covariance = products / number - np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if (scale <= 0).any():
        return None
    correlation = covariance / np.outer(scale, scale)
    if np.linalg.eigvalsh(correlation)[0] < 1.0e-9:
        return None
    inverse = np.linalg.inv(correlation) / np.outer(scale, scale)
    return mean, 0.5 * (inverse + inverse.T)
