"""The DMO map times the cosmic share: what a field would be if it followed the matter."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.validation.baselines.base import Baseline, Forecast, by_channel


class DmoShare(Baseline):
    """The DMO map times :mod:`~emulator.validation.baselines.shares`, of fields that have one."""

    forecasts = (Forecast("dmo_share", "DMO times share", probabilistic=False),)

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        share = self.training.shares.of(maps.attrs)
        weights = {f.name: share[f.name] for f in self.training.fields if f.share is not None}
        if not weights:
            return {}
        product = ensemble["condition"] * by_channel(weights)
        return {"dmo_share": product.transpose(*ensemble["truth"].dims)}
