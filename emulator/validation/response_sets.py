"""Response sets among the ensembles: the same windows, one set, statistics along ``response``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.io import DataError


def require_same_draws(
    ensemble: xr.Dataset, first: xr.Dataset, path: Path, *, windows: bool
) -> None:
    """As many members as the first of their kind, and the same windows if they are compared."""
    expected, found = first.sizes["member"], ensemble.sizes["member"]
    if found != expected:
        raise DataError(path, f"{expected} members, as {first.attrs['simulation']}", f"{found}")
    for name in ("centre", "projection") if windows else ():
        if not np.array_equal(ensemble[name].values, first[name].values):
            raise DataError(
                f"{path}:{name}",
                f"the windows of {first.attrs['simulation']}, of the same response set",
                "others",
                "Sample again: a response is a difference at equal places.",
            )


def require_one_response_set(names: Sequence[str]) -> None:
    """Refuse a second set: its steps are in other phases."""
    if len(names) > 1:
        raise DataError(
            "ensembles",
            "one response set, whose simulations are compared with each other",
            f"{len(names)}: {', '.join(names)}",
            "Name one of them in data.split.response_sets.",
        )


def join_statistics(rows: Sequence[xr.Dataset], responses: Sequence[xr.Dataset]) -> xr.Dataset:
    """Statistics along ``simulation``, and those of response sets along ``response``."""
    if not rows:
        raise DataError(
            "ensembles",
            "at least one held-out simulation that is of no response set",
            f"{len(responses)} of response sets",
            "Sets of data.split.response_sets are judged by their responses alone.",
        )
    stats = xr.concat(rows, "simulation", join="outer", coords="minimal", compat="equals")
    if not responses:
        return stats
    moved = xr.concat(responses, "response", join="exact", coords="minimal", compat="equals")
    return xr.merge([stats, moved], compat="no_conflicts")


def parameter_places(maps: Maps) -> dict[str, float]:
    """Place of each parameter in its range, see :class:`Case`; its value if it has no range."""
    places = {}
    for name, value in maps.params.items():
        known, here = maps.param_ranges.get(name), float(value)
        if known is None:
            places[name] = here
            continue
        low, high = float(known["min"]), float(known["max"])
        if known["log"]:
            low, high, here = np.log(low), np.log(high), np.log(here)
        places[name] = float((here - low) / (high - low))
    return places
