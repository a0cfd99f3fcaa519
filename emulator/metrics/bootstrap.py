r"""From simulations to numbers with errors: means over runs, ratios of means, bootstrap over runs.

Simulations of one run share initial phases and are not independent: they are averaged first, every
run counts once, and the bootstrap draws *runs* with replacement. Every statistic is then

.. math:: s = g\Big(\frac1R \sum_r w_r \bar x_r\Big)

with means :math:`\bar x_r` of linear quantities and a ratio or correlation :math:`g` formed last.
Each result has the dimension ``estimate``: ``value``, and the 16 % and 84 % quantiles ``low`` and
``high`` of the bootstrap, NaN with fewer than 2 runs.
"""

import numpy as np
import xarray as xr

from emulator.units import Unit

ESTIMATES = ("value", "low", "high")
QUANTILES = (0.16, 0.84)


def draw_runs(n_runs: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """Weights ``(1 + n_bootstrap, n_runs)``; row 0 takes every run once, the others resample."""
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(n_runs, np.full(n_runs, 1.0 / n_runs), size=n_bootstrap)
    return np.concatenate([np.ones((1, n_runs)), rows]).astype(np.float64)


def resample(values: xr.DataArray, runs: np.ndarray, weights: np.ndarray) -> xr.DataArray:
    """Means over runs, one for each row of weights.

    Parameters
    ----------
    values
        ``(simulation, ...)``; NaN marks a simulation without this statistic.
    runs
        ``(simulation,)`` index of the run of each simulation.
    weights
        From :func:`draw_runs`.

    Returns
    -------
    ``(draw, ...)``; simulations are averaged within their run first.
    """
    flat = values.transpose("simulation", ...)
    shape = flat.shape[1:]
    table = flat.values.reshape(len(runs), -1).astype(np.float64)
    members = (np.arange(weights.shape[1])[:, None] == runs[None, :]).astype(np.float64)
    valid = np.isfinite(table)
    counts = members @ valid
    means = (members @ np.where(valid, table, 0.0)) / np.maximum(counts, 1)
    present = (counts > 0).astype(np.float64)
    total = weights @ present
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weights @ (means * present)) / total
    coords = {name: flat[name] for name in flat.dims[1:] if name in flat.coords}
    return xr.DataArray(mean.reshape(-1, *shape), dims=("draw", *flat.dims[1:]), coords=coords)


def estimate(draws: xr.DataArray, *, units: str, long_name: str) -> xr.DataArray:
    """Value of row 0 and quantiles of the other rows, along ``estimate``."""
    values = draws.transpose("draw", ...)
    boot = values.isel(draw=slice(1, None))
    if values.attrs.get("n_runs", 2) < 2 or boot.sizes["draw"] == 0:
        bounds = np.full((2, *values.shape[1:]), np.nan)
    else:
        table = np.where(np.isfinite(boot.values), boot.values, np.nan)
        empty = np.isnan(table).all(axis=0)
        bounds = np.nanquantile(np.where(empty, 0.0, table), QUANTILES, axis=0)
        bounds = np.where(empty, np.nan, bounds)
    stacked = np.concatenate([values.values[:1], bounds])
    return xr.DataArray(
        stacked,
        dims=("estimate", *values.dims[1:]),
        coords={"estimate": list(ESTIMATES), **{n: values[n] for n in values.dims[1:]}},
        attrs={"units": str(units), "long_name": long_name},
    )


class Resampler:
    """Means over runs of variables ``(simulation, ...)``, with one set of bootstrap weights.

    Parameters
    ----------
    runs
        ``(simulation,)`` name of the run of each simulation.
    n_bootstrap, seed
        Draws over runs.
    """

    def __init__(self, runs: xr.DataArray, *, n_bootstrap: int, seed: int) -> None:
        names, self.runs = np.unique(runs.values.astype(str), return_inverse=True)
        self.n_runs = len(names)
        self.weights = draw_runs(self.n_runs, n_bootstrap, seed)

    def mean(self, values: xr.DataArray) -> xr.DataArray:
        """Means over runs ``(draw, ...)``, see :func:`resample`."""
        return resample(values, self.runs, self.weights)

    def median(self, values: xr.DataArray) -> xr.DataArray:
        """Median over simulations ``(simulation, ...)``, resampled by run."""
        table = values.transpose("simulation", ...)
        rows = []
        for weight in self.weights:
            picked = np.repeat(np.arange(len(self.runs)), weight[self.runs].astype(int))
            rows.append(nanmedian(np.moveaxis(table.values[picked], 0, -1)))
        dims = ("draw", *table.dims[1:])
        return xr.DataArray(
            np.asarray(rows), dims=dims, coords={n: table[n] for n in table.dims[1:]}
        )

    def estimate(
        self, draws: xr.DataArray, long_name: str, units: str = str(Unit.DIMENSIONLESS)
    ) -> xr.DataArray:
        """Value and interval of a statistic ``(draw, ...)``, see :func:`estimate`."""
        draws.attrs["n_runs"] = self.n_runs
        return estimate(draws, units=units, long_name=long_name)


def nanmedian(values: np.ndarray) -> np.ndarray:
    """Median over the last axis without NaN; NaN only where nothing else is."""
    undefined = np.asarray(np.isnan(values).all(axis=-1))
    filled = np.where(undefined[..., None], 0.0, values)
    return np.where(undefined, np.nan, np.nanmedian(filled, axis=-1))
