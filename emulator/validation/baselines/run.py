"""All baselines: fitted in one pass over the training maps, and their forecasts of one ensemble."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from emulator.config import maps_file
from emulator.data.cutouts import Shape
from emulator.data.maps import Maps, read_maps
from emulator.fields import Field
from emulator.io import DataError
from emulator.validation.baselines.base import Baseline, Forecast, Training
from emulator.validation.baselines.climatology import Climatology
from emulator.validation.baselines.condition import ConditionItself
from emulator.validation.baselines.dmo_share import DmoShare
from emulator.validation.baselines.empty import Empty
from emulator.validation.baselines.linear_gaussian import LinearGaussian
from emulator.validation.baselines.linear_transfer import LinearTransfer
from emulator.validation.baselines.quantile_table import QuantileTable
from emulator.validation.baselines.regression import Regression
from emulator.validation.baselines.shares import Shares, measure_shares
from emulator.validation.baselines.training_mean import TrainingMean
from emulator.validation.baselines.windows import require_windows_of

BASELINES: tuple[type[Baseline], ...] = (
    DmoShare,
    LinearTransfer,
    TrainingMean,
    Empty,
    Climatology,
    QuantileTable,
    Regression,
)
"""Of matter, in the order of tables and figures."""

OF_ARRAYS: tuple[type[Baseline], ...] = (
    ConditionItself,
    TrainingMean,
    Climatology,
    LinearGaussian,
    Regression,
)
"""Of arrays, in that order."""


def fit_baselines(
    train: Sequence[str],
    maps_dir: Path,
    *,
    fields: Sequence[Field],
    window: int | Shape,
    seed: int = 0,
    regression: Path | None = None,
    kinds: Sequence[type[Baseline]] | None = None,
) -> tuple[Baseline, ...]:
    """Fit baselines on the maps of the training split.

    Parameters
    ----------
    train
        Names of the training simulations; ``maps_dir/{name}.h5`` is read once, one at a time.
    fields
        What is forecast.
    window
        Pixels a side of a window, or along y and x.
    seed
        Of all random choices.
    regression
        Bundle of a trained regression; None: that baseline forecasts nothing.
    kinds
        Which baselines; None: all of matter, or all of arrays.

    Raises
    ------
    DataError
        If there is no training simulation, or maps differ in size or lack a field.
    """
    if not train:
        raise DataError(maps_dir, "training simulations to fit baselines on", "an empty split")
    of_arrays = all(field.run == "array" for field in fields)
    paths = [maps_file(maps_dir, name) for name in train]
    shares = Shares((), {}) if of_arrays else measure_shares(paths, fields)
    if kinds is None:
        kinds = OF_ARRAYS if of_arrays else BASELINES
    training = Training(
        tuple(fields), shares, tuple(train), Path(maps_dir), window, seed, regression
    )
    baselines = tuple(kind(training) for kind in kinds)
    for name in train:
        maps = read_maps(maps_file(maps_dir, name))
        for baseline in baselines:
            baseline.add(maps)
    for baseline in baselines:
        baseline.fit()
    return baselines


def forecast_windows(
    baselines: Sequence[Baseline], maps: Maps, ensemble: xr.Dataset, *, seed: int = 0
) -> dict[str, xr.DataArray]:
    """Forecasts of all baselines at the windows of an ensemble.

    Parameters
    ----------
    maps
        Maps of the simulation of the ensemble.
    ensemble
        ``truth, condition, centre, projection, params`` of the ensemble contract.
    seed
        Of the draws; with it they depend on the forecast and the simulation alone, not on which
        other baselines or simulations there are.

    Returns
    -------
    Forecasts by name, see :meth:`Baseline.forecast`; ``attrs["long_name"]`` is the label.

    Raises
    ------
    DataError
        If the maps do not hold the windows of the ensemble.
    TypeError
        A forecast that is an ensemble and does not say so, or the other way round.
    """
    require_windows_of(maps, ensemble)
    simulation = str(maps.attrs.get("simulation", ""))
    forecasts = {}
    for baseline in baselines:
        first = baseline.forecasts[0].name
        rng = np.random.default_rng([seed, *first.encode(), *simulation.encode()])
        found = baseline.forecast(maps, ensemble, rng)
        for kind in baseline.forecasts:
            if kind.name in found:
                forecasts[kind.name] = _labelled(found[kind.name], kind)
    return forecasts


def _labelled(values: xr.DataArray, kind: Forecast) -> xr.DataArray:
    if ("member" in values.dims) != kind.probabilistic:
        what = "an ensemble" if kind.probabilistic else "no ensemble"
        raise TypeError(f"{kind.name}: expected {what}, got dimensions {values.dims}")
    return values.assign_attrs(long_name=kind.label)
