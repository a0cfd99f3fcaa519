"""The empty map: sparse fields flatter a model that is compared with smooth fields only."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.validation.baselines.base import Baseline, Forecast, sparse_names


class Empty(Baseline):
    """Zero everywhere, of sparse fields."""

    forecasts = (Forecast("empty", "empty map", probabilistic=False),)

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        sparse = sparse_names(self.training.fields)
        return (
            {"empty": xr.zeros_like(ensemble["truth"].sel(channel=list(sparse)))} if sparse else {}
        )
