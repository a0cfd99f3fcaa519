r"""A conditional quantile table: the law of one pixel, given the DMO map and the parameters.

For every field the table holds, in cells of the DMO pixel and of its surroundings
(:mod:`emulator.validation.baselines.density_bins`), the share of empty pixels and the quantiles of

.. math:: y = \log(x / r), \qquad r = w \, (m + \epsilon \bar m),

the field :math:`x` over the mass :math:`r` that it would have if it followed the matter (share
:math:`w`, DMO mass :math:`m`). A field without a share has :math:`r = 1`, and a signed one
:math:`y = x`. Both shares and quantiles move linearly with the parameters
(:mod:`emulator.validation.baselines.field_law`), which are centred and scaled on the training
simulations, as logarithms where they are logarithmic.

One shift moves all quantiles of a cell, so none cross. Pixels are drawn *independently*: the table
is right about a pixel and knows nothing of its neighbours or of other fields, and loses where
fields are joint.

Not guaranteed: parameters move the median of the logarithm and the share of empty pixels; a scatter
or a tail that depends on them is not represented.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.data.maps import Maps
from emulator.fields import CONDITION, Field
from emulator.validation.baselines.base import Baseline, Forecast, Training
from emulator.validation.baselines.density_bins import (
    DensityBins,
    fit_bins,
    overdensities,
)
from emulator.validation.baselines.field_law import FieldLaw, fit_law
from emulator.validation.baselines.parameters import ParameterScale
from emulator.validation.baselines.windows import cut_layers

MOST_PIXELS = 1_500_000
"""Pixels that are kept of all training simulations, as many of each, drawn at random."""
FEWEST_PIXELS = 200
"""Pixels of a cell."""
EMPTY = 1.0e-5
"""Of the field's mean: a pixel with less counts as empty."""
SOFTENING = 1.0e-3
"""Epsilon: an empty DMO pixel has a ratio, too."""
SMALLEST_SHARE = 1.0e-6


class QuantileTable(Baseline):
    """Independent draws from the conditional law of every pixel, of every field.

    Attributes
    ----------
    bins
        Cells of density.
    laws
        Of each field by name.
    scale
        How parameters are centred and scaled.
    """

    forecasts = (Forecast("quantile_table", "quantile table", probabilistic=True),)
    bins: DensityBins
    laws: Mapping[str, FieldLaw]
    scale: ParameterScale

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self._rng = np.random.default_rng(training.seed)
        self._densities: list[NDArray[np.float32]] = []
        self._values: list[NDArray[np.float32]] = []
        self._params: list[Mapping[str, float]] = []
        self._logarithmic: set[str] = set()

    def add(self, maps: Maps) -> None:
        """Keep some pixels, see :data:`MOST_PIXELS`."""
        values = np.asarray(maps.maps)
        dmo = values[:, maps.species_index(CONDITION.name)]
        densities = overdensities(dmo, periodic=maps.periodic).reshape(2, -1)
        size = densities.shape[1]
        most = max(MOST_PIXELS // len(self.training.simulations), 1)
        kept = self._rng.choice(size, most, replace=False) if most < size else np.arange(size)
        mean, share = float(dmo.mean(dtype=np.float64)), self.training.shares.of(maps.attrs)
        softened = dmo.reshape(-1)[kept].astype(np.float64) + SOFTENING * mean
        rows = []
        for field in self.training.fields:
            field_maps = values[:, maps.species_index(field.name)]
            floor = EMPTY * float(field_maps.mean(dtype=np.float64))
            x = field_maps.reshape(-1)[kept].astype(np.float64)
            rows.append(_to_law(x, field, _reference(field, share, softened), floor))
        self._densities.append(densities[:, kept])
        self._values.append(np.array(rows, np.float32))
        self._params.append(maps.params)
        self._logarithmic |= {name for name, row in maps.param_ranges.items() if row.get("log")}

    def fit(self) -> None:
        """Cells, and the law of every field in them."""
        pixel, square = np.concatenate(self._densities, axis=1)
        values = np.concatenate(self._values, axis=1)
        simulations = np.repeat(np.arange(len(self._values)), [v.shape[1] for v in self._values])
        self.scale = ParameterScale.of(self._params, self._logarithmic)
        theta = np.array([self.scale(params) for params in self._params])
        self.bins = fit_bins(pixel, square, fewest=FEWEST_PIXELS)
        cells = self.bins.cell_of(pixel, square)
        self.laws = {
            field.name: fit_law(
                values[row].astype(np.float64),
                cells,
                self.bins.n_cells,
                simulations,
                theta,
                self.bins.n_bins,
            )
            for row, field in enumerate(self.training.fields)
        }
        self._densities, self._values = [], []

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        dmo = maps.select([CONDITION.name])[:, 0]
        mean, share = float(dmo.mean(dtype=np.float64)), self.training.shares.of(maps.attrs)
        densities = overdensities(dmo, periodic=maps.periodic)
        condition, pixel, square = cut_layers(maps, (dmo, *densities), ensemble)
        # every member shares the cells: (sample, 1, y, x)
        cells, bins = self.bins.cell_of(pixel, square)[:, None], self.bins.bin_of(pixel)[:, None]
        softened = (condition + np.float32(SOFTENING * mean))[:, None]
        theta = self.scale(maps.params)
        n_samples, *sides = condition.shape
        shape = (n_samples, ensemble.sizes["member"], *sides)
        drawn = np.empty((*shape[:2], len(self.training.fields), *sides), np.float32)
        for row, field in enumerate(self.training.fields):
            y = self.laws[field.name].draw(cells, bins, theta, shape, rng)
            r = _reference(field, share, softened)
            drawn[:, :, row] = y if field.signed else np.exp(y) * r
        return {
            "quantile_table": xr.DataArray(
                drawn,
                dims=("sample", "member", "channel", *maps.domain.axes),
                coords={"channel": [field.name for field in self.training.fields]},
            )
        }


def _reference(field: Field, share: Mapping[str, float], softened: NDArray[Any]) -> NDArray[Any]:
    """What the field would be if it followed the softened matter; 1 without a share."""
    if field.share is None:
        return np.ones_like(softened)
    return max(share[field.name], SMALLEST_SHARE) * softened


def _to_law(
    x: NDArray[np.float64], field: Field, reference: NDArray[np.float64], floor: float
) -> NDArray[np.float64]:
    """``y`` of values; minus infinity of those below the floor."""
    if field.signed:
        return x
    filled = x > floor
    y = np.full(x.shape, -np.inf)
    y[filled] = np.log(x[filled] / reference[filled])
    return y
