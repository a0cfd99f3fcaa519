"""Windows of the validation split, for the stages that look at a model after its training."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from emulator.config import SamplingConfig, maps_file
from emulator.data.maps import read_maps
from emulator.domain import space_in
from emulator.sampling.ensemble import Emulator
from emulator.sampling.held_out import HeldOut, cut_windows


class Task(NamedTuple):
    """Windows of several simulations, one after the other, and the truth there.

    Masses are in units of the mean dark-matter-only mass of their box, as in the validation.
    """

    conditions: xr.Dataset
    params: list[dict[str, float]]
    truth: xr.DataArray
    units: xr.DataArray
    owners: list[int]
    simulations: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Checksum of all that a draw and its score are functions of, besides the model."""
        digest = hashlib.sha256(str(self.params).encode())
        for values in (*self.conditions.values(), self.truth):
            digest.update(np.ascontiguousarray(values.values).tobytes())
        return digest.hexdigest()


def cut_task(
    model: Emulator,
    maps_dir: Path,
    simulations: Sequence[str],
    options: SamplingConfig,
    n_windows: int,
) -> Task:
    """Cut about ``n_windows`` windows, as many of each simulation.

    Where there are more simulations than windows, as many as windows are taken, evenly spaced.

    Raises
    ------
    DataError
        If maps do not fit the model.
    """
    places = np.linspace(0, len(simulations) - 1, min(n_windows, len(simulations)))
    names = [simulations[int(place)] for place in places.round()]
    each = options.model_copy(update={"windows_per_simulation": -(-n_windows // len(names))})
    paths = [maps_file(maps_dir, name) for name in names]
    held = [cut_windows(model, path, [], each, split="validation") for path in paths]
    owners = [i for i, windows in enumerate(held) for _ in range(_count(windows))]
    has_masses = any(field.adds_up for field in model.fields)
    boxes = [_mean_dmo(path) if has_masses else 1.0 for path in paths]
    units = [[boxes[i] if field.adds_up else 1.0 for field in model.fields] for i in owners]
    scale = xr.DataArray(np.array(units), dims=("sample", "channel"))
    truth = xr.concat([windows.facts["truth"] for windows in held], "sample") / scale
    return Task(
        xr.concat([windows.conditions for windows in held], "sample"),
        [held[i].params for i in owners],
        truth.transpose("sample", "channel", *space_in(truth.dims)),
        scale,
        owners,
        tuple(names),
    )


def _mean_dmo(path: Path) -> float:
    """Of the whole box [Msun/h per pixel]; of what is on disk only this map is read."""
    maps = read_maps(path, lazy=True)
    return float(maps.select(maps.conditions[:1]).mean(dtype=np.float64))


def _count(windows: HeldOut) -> int:
    return windows.conditions.sizes["sample"]
