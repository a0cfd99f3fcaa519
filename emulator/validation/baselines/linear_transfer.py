r"""A linear filter of the DMO map: fields as they would be if they answered linearly.

.. math:: x_c = w_c \bar m \, (1 + T_c * \delta), \qquad
          T_c(k) = \frac{\sum \mathrm{Re}\, \hat u_c \hat \delta^*}{\sum |\hat \delta|^2},
          \quad u_c = x_c / (w_c \bar m),

with the shares :math:`w_c` of :mod:`emulator.validation.baselines.shares`, fitted on whole periodic
maps of the training split in shells of one fundamental mode (a step function of ``|k|``) and
applied to the whole periodic map of the held-out simulation, before the window is cut. A field
without a share has its mean in training in place of :math:`w_c \bar m`, and a filter in its own
unit. Negative values of fields that are not signed are set to zero, which can only help.

Not guaranteed: shares follow ``omega_b / omega_m`` but no other parameter.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft

from emulator.data.maps import Maps
from emulator.fields import CONDITION
from emulator.io import DataError
from emulator.metrics.power_spectrum import shell_index
from emulator.validation.baselines.base import Baseline, Forecast
from emulator.validation.baselines.shell_sums import ShellSums, overdensity
from emulator.validation.baselines.windows import cut_targets


class LinearTransfer(Baseline):
    """The filter, of every field.

    Attributes
    ----------
    transfer
        ``(channel, shell)`` filter of the DMO overdensity; shell 0 (the mean) is 0.
    means
        Mean over training simulations of fields without a share, by name [unit of the field].
    n_pixels
        Pixels a side of the maps that it was fitted on.
    """

    forecasts = (Forecast("linear_transfer", "linear transfer function", probabilistic=False),)
    transfer: NDArray[np.float64]
    means: Mapping[str, float]
    n_pixels: int
    _sums: ShellSums | None = None

    def add(self, maps: Maps) -> None:
        """See :meth:`Baseline.add`."""
        if self._sums is None:
            self._sums = ShellSums.of(self.training.fields, maps.shape)
        elif maps.shape != self._sums.shape:
            raise DataError(
                maps.path,
                f"{self._sums.shape[0]} pixels a side, as {self.training.simulations[0]}",
                f"{maps.n_pixels}",
            )
        self._sums.add(maps, self.training.shares)

    def fit(self) -> None:
        """Filter and means from the sums over all simulations.

        Raises
        ------
        DataError
            If there was none.
        """
        if self._sums is None:
            raise DataError(self.training.maps_dir, "maps of the training split", "none")
        cross, auto = self._sums.cross, self._sums.auto
        self.transfer = np.divide(cross, auto, out=np.zeros_like(cross), where=auto > 0)
        self.transfer[:, 0] = 0.0
        self.means = {name: float(np.mean(values)) for name, values in self._sums.means.items()}
        self.n_pixels = self._sums.shape[-1]

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        truth = ensemble["truth"].transpose("sample", "channel", *maps.domain.axes)
        return {"linear_transfer": truth.copy(data=cut_targets(self.filter(maps), ensemble))}

    def filter(self, maps: Maps) -> Maps:
        """Whole periodic maps as the filter forecasts them, with the layout of ``maps``.

        Returns
        -------
        A copy of ``maps`` whose fields are the forecast [unit of each field], not negative unless
        the field is signed; all other species stay.

        Raises
        ------
        DataError
            If the maps do not have the size of the training maps.
        """
        values = np.array(maps.maps, dtype=np.float32)
        size = maps.n_pixels
        if size != self.n_pixels:
            raise DataError(
                f"{maps.attrs.get('simulation', 'maps')}",
                f"{self.n_pixels} pixels a side, as in training",
                f"{size}",
            )
        dmo = values[:, maps.species_index(CONDITION.name)].astype(np.float64)
        shape, axes = maps.shape, tuple(range(-maps.dimensions, 0))
        mean, delta = dmo.mean(), fft.rfftn(overdensity(dmo), axes=axes)
        share, index = self.training.shares.of(maps.attrs), shell_index(shape)
        for row, field in enumerate(self.training.fields):
            fluctuation = fft.irfftn(self.transfer[row][index] * delta, s=shape, axes=axes)
            if field.share is None:
                forecast = self.means[field.name] + fluctuation
            else:
                forecast = share[field.name] * mean * (1.0 + fluctuation)
            lowest = -np.inf if field.signed else 0.0
            values[:, maps.species_index(field.name)] = np.maximum(forecast, lowest)
        return dataclasses.replace(maps, maps=values)
