"""Do splits share a universe? What the files of their maps say, two splits at a time.

Three things are looked at: runs that stand in two splits, condition maps that are equal to the bit,
and the largest correlation of the phases of whole boxes, over shifts, turns and mirrors
(:mod:`~emulator.validation.audits.phases`). One simulation of each run is enough for the maps of
boxes: simulations of a run share them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.config import maps_file
from emulator.data.maps import Maps, read_maps
from emulator.data.symmetries import N_ORIENTATIONS, orient
from emulator.validation.audits.phases import (
    MOST_WAVES,
    expected_by_chance,
    largest_correlation,
    phases_of,
    waves_of,
)

SAME = 0.3
"""Phases that correlate by more are of one universe: at the worst shift a copy reaches 0.4."""

MOST_PAIRS = 1_000_000
"""Pairs of maps of two splits that are correlated, turns counted: half a minute of a core."""

LEAST_SIDE = 4 * MOST_WAVES
"""Pixels a side that are enough for the phases; coarser maps of the pyramid spare reading."""


class Content(NamedTuple):
    """What the files of one split hold."""

    runs: frozenset[str]
    digests: dict[bytes, str]
    maps: dict[str, NDArray[np.float32]]  # of whole boxes: (projection, y, x), by simulation


def find_leaks(splits: Mapping[str, Sequence[str]], maps_dir: Path) -> xr.Dataset:
    """What every two splits share.

    Parameters
    ----------
    splits
        Simulations by split, as in ``splits.json``.
    maps_dir
        Folder of ``{simulation}.h5``.

    Returns
    -------
    By ``pair`` of splits (``train, test``): ``leak_runs`` and ``leak_maps``, how many runs and
    maps are in both; of whole boxes also ``leak_correlation``, the largest of phases,
    ``leak_chance``, what independent maps reach by chance, ``leak_closest``, whose maps they are,
    and ``leak_pairs``, how many were compared.

    Raises
    ------
    DataError
        Maps that are missing or damaged.
    """
    contents = {name: read_split(names, maps_dir) for name, names in splits.items() if names}
    rows = {f"{a}, {b}": compare(contents[a], contents[b]) for a, b in combinations(contents, 2)}
    found = xr.Dataset(coords={"pair": list(rows)})
    for name in sorted({name for row in rows.values() for name in row}):
        values = [row.get(name, np.nan) for row in rows.values()]
        found[name] = ("pair", values, {"units": "1"} if name != "leak_closest" else {})
    return found


def read_split(names: Sequence[str], maps_dir: Path) -> Content:
    """Runs, checksums and maps of the conditions of one split."""
    runs: set[str] = set()
    digests: dict[bytes, str] = {}
    kept: dict[str, NDArray[np.float32]] = {}
    for name in names:
        maps = read_maps(maps_file(maps_dir, name), lazy=True, verified=False)
        run, is_new = str(maps.attrs["run"]), str(maps.attrs["run"]) not in runs
        runs.add(run)
        if is_new or not maps.periodic:
            values = coarse_conditions(maps)
            for each in values:
                digests[hashlib.sha256(np.ascontiguousarray(each).tobytes()).digest()] = name
            if maps.periodic and maps.domain.is_matter and values.ndim == 3:
                kept[name] = values
        maps.close()
    return Content(frozenset(runs), digests, kept)


def coarse_conditions(maps: Maps) -> NDArray[np.float32]:
    """First condition ``(projection, y, x)``; block means, where these are fine enough."""
    if maps.periodic:
        fine = [f for f in maps.context if maps.n_pixels // f >= LEAST_SIDE]
        if fine:
            return maps.context[max(fine)][:]
    values: NDArray[np.float32] = maps.maps[:, maps.species_index(maps.conditions[0])]
    return values


def compare(one: Content, other: Content) -> dict[str, int | float | str]:
    """What two splits share; see :func:`find_leaks`."""
    row: dict[str, int | float | str] = {
        "leak_runs": len(one.runs & other.runs),
        "leak_maps": len(one.digests.keys() & other.digests.keys()),
    }
    sides = {maps.shape[-1] for content in (one, other) for maps in content.maps.values()}
    if not one.maps or not other.maps or len(sides) != 1 or min(sides) < 4:
        return row
    (side,) = sides
    few, many = sorted((one.maps, other.maps), key=_count)
    few_names, few_maps = _listed(few)
    many_names, many_maps = _listed(many)
    turns = N_ORIENTATIONS[2]
    if _count(few) * _count(many) * turns > MOST_PAIRS:
        turns = 1
    most = max(1, MOST_PAIRS // (turns * len(few_maps)))
    chosen = np.unique(np.linspace(0, len(many_maps) - 1, min(most, len(many_maps))).round())
    turned = np.concatenate([orient(few_maps, number) for number in range(turns)])
    phases, best, pair = phases_of(turned), -1.0, ("", "")
    for place in chosen.astype(int):
        found = largest_correlation(phases_of(many_maps[place]), phases)
        if found.max() > best:
            best = float(found.max())
            pair = (many_names[place], few_names[int(found.argmax()) % len(few_names)])
    n_pairs = len(chosen) * len(turned)
    return row | {
        "leak_correlation": best,
        "leak_chance": expected_by_chance(n_pairs, waves_of(side)),
        "leak_closest": " and ".join(sorted(pair)),
        "leak_pairs": n_pairs,
    }


def _count(maps: Mapping[str, NDArray[np.float32]]) -> int:
    return sum(map(len, maps.values()))


def _listed(
    maps: Mapping[str, NDArray[np.float32]],
) -> tuple[list[str], NDArray[np.float32]]:
    """Simulation of each map, and all maps ``(map, y, x)``."""
    names = [name for name, values in maps.items() for _ in values]
    return names, np.concatenate(list(maps.values()))
