"""Windows of an ensemble, cut out of whole maps of its simulation."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.data.cutouts import Cutout, extract
from emulator.data.maps import Maps
from emulator.io import DataError


def cut_targets(maps: Maps, ensemble: xr.Dataset) -> NDArray[np.float32]:
    """Fields of ``maps`` at the windows of an ensemble, ``(sample, channel, y, x)``."""
    channels = tuple(str(name) for name in ensemble["channel"].values)
    cuts = [_cut(maps, ensemble, i, channels) for i in range(ensemble.sizes["sample"])]
    return np.stack([cut.target for cut in cuts])


def cut_conditions(maps: Maps, ensemble: xr.Dataset) -> NDArray[np.float32]:
    """The species ``dmo`` of ``maps`` at the windows of an ensemble, ``(sample, y, x)``."""
    cuts = [_cut(maps, ensemble, i, ()) for i in range(ensemble.sizes["sample"])]
    return np.stack([cut.condition for cut in cuts])


def require_windows_of(maps: Maps, ensemble: xr.Dataset) -> None:
    """Refuse maps that do not hold the windows of the ensemble.

    Raises
    ------
    DataError
        The condition of a window is another field than that of the maps.
    """
    for i, found in enumerate(cut_conditions(maps, ensemble)):
        if not np.allclose(found, ensemble["condition"].values[i], rtol=1e-5):
            projection, centre = _place(ensemble, i)
            raise DataError(
                f"maps of {maps.attrs.get('simulation')}",
                f"the condition of sample {i} at centre {centre}, projection {projection}",
                "another field",
                "Draw the ensembles again from these maps.",
            )


def _cut(maps: Maps, ensemble: xr.Dataset, sample: int, channels: tuple[str, ...]) -> Cutout:
    projection, centre = _place(ensemble, sample)
    return extract(
        maps,
        projection,
        centre,
        window=ensemble.sizes["x"],
        context_factors=(),
        species=channels,
    )


def _place(ensemble: xr.Dataset, sample: int) -> tuple[int, tuple[int, int]]:
    row, column = (int(value) for value in ensemble["centre"].values[sample])
    return int(ensemble["projection"].values[sample]), (row, column)
