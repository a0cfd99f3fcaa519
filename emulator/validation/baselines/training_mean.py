"""The mean of the training simulations, a constant, of fields without a share."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.validation.baselines.base import Baseline, Forecast, Training, by_channel


class TrainingMean(Baseline):
    """Mean over the training simulations of their means [unit of each field]."""

    forecasts = (Forecast("training_mean", "mean of training", probabilistic=False),)

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.means: dict[str, list[float]] = {
            field.name: [] for field in training.fields if field.share is None
        }

    def add(self, maps: Maps) -> None:
        """See :meth:`Baseline.add`."""
        for name, means in self.means.items():
            means.append(field_mean(maps, name))

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        if not self.means:
            return {}
        means = {name: float(np.mean(values)) for name, values in self.means.items()}
        zero = xr.zeros_like(ensemble["truth"].sel(channel=list(means)), np.float64)
        return {"training_mean": zero + by_channel(means)}


def field_mean(maps: Maps, name: str) -> float:
    """Mean of a field over all maps of a simulation, in float64."""
    return float(np.asarray(maps.maps)[:, maps.species_index(name)].mean(dtype=np.float64))
