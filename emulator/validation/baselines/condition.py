"""The condition itself, of arrays whose unit it has: persistence, interpolation, the input."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.validation.baselines.base import Baseline, Forecast
from emulator.validation.baselines.windows import cut_species


class ConditionItself(Baseline):
    """The first condition of the unit of a field, as its forecast."""

    forecasts = (Forecast("condition", "the condition itself", probabilistic=False),)

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        pairs = {
            field.name: given.name
            for field in self.training.fields
            for given in reversed(maps.domain.conditions)
            if given.unit == field.unit
        }
        if not pairs:
            return {}
        values = cut_species(maps, ensemble, tuple(pairs.values()))
        like = ensemble["truth"].sel(channel=list(pairs)).transpose("sample", "channel", "y", "x")
        return {"condition": like.copy(data=values)}
