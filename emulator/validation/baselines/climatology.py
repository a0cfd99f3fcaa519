"""Climatology: windows of the training split drawn at random, as an ensemble.

Of fields of matter that are sparse, which smooth forecasts flatter; and of all arrays.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.data.cutouts import extract, sides_of
from emulator.data.maps import Maps
from emulator.domain import space_of
from emulator.fields import Field
from emulator.validation.baselines.base import Baseline, Forecast, Training, sparse_names

WINDOWS_PER_SIMULATION = 16
"""Windows kept of each training simulation."""


def treated(fields: Sequence[Field]) -> tuple[str, ...]:
    """Names of the fields that have a climatology."""
    arrays = tuple(field.name for field in fields if field.run == "array")
    return arrays or sparse_names(fields)


class Climatology(Baseline):
    """Random training windows; all channels of a member are of one window.

    Attributes
    ----------
    windows
        ``(channel, y, x)`` windows of the training simulations [unit of each field].
    """

    forecasts = (Forecast("climatology", "climatology", probabilistic=True),)

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.windows: list[NDArray[np.float32]] = []
        self._rng = np.random.default_rng(training.seed)

    def add(self, maps: Maps) -> None:
        """See :meth:`Baseline.add`."""
        species, window = treated(self.training.fields), self.training.window
        limits = (maps.n_projections, *(maps.n_pixels,) * maps.dimensions)
        middle = tuple(side // 2 for side in sides_of(window, maps.dimensions))
        for _ in range(WINDOWS_PER_SIMULATION if species else 0):
            projection, *centre = self._rng.integers(0, limits).tolist()
            # a ready window has one centre
            place = tuple(centre) if maps.periodic else middle
            cut = extract(
                maps, projection, place, window=window, context_factors=(), species=species
            )
            self.windows.append(cut.target)

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        species = treated(self.training.fields)
        if not species:
            return {}
        shape = (ensemble.sizes["sample"], ensemble.sizes["member"])
        draws = rng.integers(0, len(self.windows), size=shape)
        return {
            "climatology": xr.DataArray(
                np.stack(self.windows)[draws],
                dims=("sample", "member", "channel", *space_of(self.windows[0].ndim - 1)),
                coords={"channel": list(species)},
            )
        }
