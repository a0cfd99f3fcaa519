"""Windows of an ensemble, cut out of whole maps of its simulation."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.data.cutouts import extract
from emulator.data.maps import Maps
from emulator.io import DataError


def cut_targets(maps: Maps, ensemble: xr.Dataset) -> NDArray[np.float32]:
    """Fields of ``maps`` at the windows of an ensemble, ``(sample, channel, y, x)``."""
    channels = tuple(str(name) for name in ensemble["channel"].values)
    return _cut(maps, ensemble, channels)


def cut_species(maps: Maps, ensemble: xr.Dataset, species: tuple[str, ...]) -> NDArray[np.float32]:
    """Named species of ``maps`` at the windows of an ensemble, ``(sample, species, y, x)``."""
    return _cut(maps, ensemble, species)


def cut_layers(
    maps: Maps, layers: Sequence[NDArray[np.float32]], ensemble: xr.Dataset
) -> NDArray[np.float32]:
    """Whole maps of any kind, each ``(projection, y, x)``, at the windows of an ensemble.

    Returns
    -------
    ``(layer, sample, y, x)``; of volumes ``(..., z, y, x)``.
    """
    names = [maps.conditions[0], *(f"layer {i}" for i in range(1, len(layers)))]
    values = np.stack([np.asarray(layer, np.float32) for layer in layers], axis=1)
    layered = dataclasses.replace(maps, maps=values, species=tuple(names))
    return np.moveaxis(_cut(layered, ensemble, tuple(names)), 1, 0)


def require_windows_of(maps: Maps, ensemble: xr.Dataset) -> None:
    """Refuse maps that do not hold the windows of the ensemble.

    Raises
    ------
    DataError
        The condition of a window is another field than that of the maps.
    """
    for i, (found,) in enumerate(_cut(maps, ensemble, maps.conditions[:1])):
        if not np.allclose(found, ensemble["condition"].values[i], rtol=1e-5):
            projection, centre = _place(ensemble, i)
            raise DataError(
                f"maps of {maps.attrs.get('simulation')}",
                f"the condition of sample {i} at centre {centre}, projection {projection}",
                "another field",
                "Draw the ensembles again from these maps.",
            )


def _cut(maps: Maps, ensemble: xr.Dataset, species: tuple[str, ...]) -> NDArray[np.float32]:
    """Species at all windows ``(sample, species, y, x)``."""
    rows = []
    for i in range(ensemble.sizes["sample"]):
        projection, centre = _place(ensemble, i)
        cut = extract(
            maps,
            projection,
            centre,
            window=tuple(ensemble.sizes[axis] for axis in maps.domain.axes),
            context_factors=(),
            species=species,
        )
        rows.append(cut.target)
    return np.stack(rows)


def _place(ensemble: xr.Dataset, sample: int) -> tuple[int, tuple[int, ...]]:
    centre = tuple(int(value) for value in ensemble["centre"].values[sample])
    return int(ensemble["projection"].values[sample]), centre
