r"""What a forecast without a network is worth: the baselines that stand beside the model.

``dmo_share`` (fields that hold a share of the matter)
    The DMO map times the share of :mod:`emulator.validation.shares`.
``linear_transfer``
    The same shares as means, and fluctuations through a linear filter of the DMO overdensity,

    .. math:: x_c = w_c \bar m \, (1 + T_c * \delta), \qquad
              T_c(k) = \frac{\sum \mathrm{Re}\, \hat u_c \hat \delta^*}{\sum |\hat \delta|^2},
              \quad u_c = x_c / (w_c \bar m),

    fitted on whole periodic maps of the training split in shells of one fundamental mode (a step
    function of ``|k|``) and applied to the whole periodic map of the held-out simulation, before
    the window is cut. A field without a share has its mean in training in place of
    :math:`w_c \bar m`, and a filter in its own unit. Negative values of fields that are not signed
    are set to zero, which can only help this baseline.
``training_mean`` (fields without a share)
    A constant, the mean of the training simulations.
``empty``, ``climatology`` (sparse fields)
    Zero; and an ensemble of windows drawn at random from the training simulations. Sparse fields
    flatter a model that is compared with smooth fields only.

Not guaranteed: shares follow ``omega_b / omega_m`` but no other parameter.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft

from emulator.config import maps_file
from emulator.data.cutouts import extract
from emulator.data.maps import Maps, read_maps
from emulator.fields import CONDITION, Field
from emulator.io import DataError
from emulator.metrics.power_spectrum import shell_index
from emulator.validation.shares import Shares, measure_shares
from emulator.validation.shell_sums import ShellSums, overdensity

WINDOWS_PER_SIMULATION = 16
"""Windows kept of each training simulation for the climatology."""


@dataclass(frozen=True)
class Baselines:
    """Fitted baselines.

    Attributes
    ----------
    fields
        What is forecast, in the order of the ensembles.
    shares
        What part of the matter is in which field.
    means
        Mean over training simulations of fields without a share, by name [unit of the field].
    transfer
        ``(channel, shell)`` filter of the DMO overdensity; shell 0 (the mean) is 0.
    n_pixels
        Pixels a side of the maps that it was fitted on.
    windows
        ``(pool, sparse channel, y, x)`` windows of the training simulations [unit of each field].
    """

    fields: tuple[Field, ...]
    shares: Shares
    means: Mapping[str, float]
    transfer: NDArray[np.float64]
    n_pixels: int
    windows: NDArray[np.float32]

    @property
    def sparse(self) -> tuple[str, ...]:
        """Names of the sparse fields."""
        return _sparse(self.fields)


def _sparse(fields: Sequence[Field]) -> tuple[str, ...]:
    return tuple(field.name for field in fields if field.sparse)


def fit_baselines(
    train: Sequence[str], maps_dir: Path, *, fields: Sequence[Field], window: int, seed: int = 0
) -> Baselines:
    """Fit shares, means, filter and climatology on the maps of the training split.

    Parameters
    ----------
    train
        Names of the training simulations; ``maps_dir/{name}.h5`` is read one at a time.
    fields
        What is forecast.
    window
        Pixels a side of a window of the climatology.
    seed
        Draws these windows.

    Raises
    ------
    DataError
        If there is no training simulation, or maps differ in size or lack a field.
    """
    if not train:
        raise DataError(maps_dir, "training simulations to fit baselines on", "an empty split")
    shares = measure_shares([maps_file(maps_dir, name) for name in train], fields)
    rng = np.random.default_rng(seed)
    sums: ShellSums | None = None
    windows = []
    for name in train:
        maps = read_maps(maps_file(maps_dir, name))
        if sums is None:
            sums = ShellSums.of(fields, maps.n_pixels)
        elif maps.n_pixels != sums.n_pixels:
            raise DataError(
                maps.path, f"{sums.n_pixels} pixels a side, as {train[0]}", f"{maps.n_pixels}"
            )
        sums.add(maps, shares)
        windows.append(_draw_windows(maps, window, _sparse(fields), rng))
    if sums is None:
        raise DataError(maps_dir, "maps of the training split", "none")
    cross, auto = sums.cross, sums.auto
    transfer = np.divide(cross, auto, out=np.zeros_like(cross), where=auto > 0)
    transfer[:, 0] = 0.0
    means = {name: float(np.mean(values)) for name, values in sums.means.items()}
    return Baselines(tuple(fields), shares, means, transfer, sums.n_pixels, np.concatenate(windows))


def _draw_windows(
    maps: Maps, window: int, species: Sequence[str], rng: np.random.Generator
) -> NDArray[np.float32]:
    n_projections, size = maps.maps.shape[0], maps.maps.shape[-1]
    rows = []
    for _ in range(WINDOWS_PER_SIMULATION if species else 0):
        projection, *centre = rng.integers(0, (n_projections, size, size)).tolist()
        # a ready window has one centre
        place = (centre[0], centre[1]) if maps.periodic else (window // 2, window // 2)
        cut = extract(
            maps, projection, place, window=window, context_factors=(), species=tuple(species)
        )
        rows.append(cut.target)
    return np.array(rows, np.float32).reshape(len(rows), len(species), window, window)


def filter_maps(baselines: Baselines, maps: Maps) -> Maps:
    """Whole periodic maps as the linear filter forecasts them, with the layout of ``maps``.

    Returns
    -------
    A copy of ``maps`` whose fields are the forecast [unit of each field], not negative unless the
    field is signed; all other species stay.

    Raises
    ------
    DataError
        If the maps do not have the size of the training maps.
    """
    values = np.array(maps.maps, dtype=np.float32)
    size = maps.n_pixels
    if size != baselines.n_pixels:
        raise DataError(
            f"{maps.attrs.get('simulation', 'maps')}",
            f"{baselines.n_pixels} pixels a side, as in training",
            f"{size}",
        )
    dmo = values[:, maps.species_index(CONDITION.name)].astype(np.float64)
    mean, delta = dmo.mean(), fft.rfft2(overdensity(dmo), axes=(-2, -1))
    share, index = baselines.shares.of(maps.attrs), shell_index(size)
    for row, field in enumerate(baselines.fields):
        fluctuation = fft.irfft2(baselines.transfer[row][index] * delta, s=(size, size))
        if field.share is None:
            forecast = baselines.means[field.name] + fluctuation
        else:
            forecast = share[field.name] * mean * (1.0 + fluctuation)
        lowest = -np.inf if field.signed else 0.0
        values[:, maps.species_index(field.name)] = np.maximum(forecast, lowest)
    return dataclasses.replace(maps, maps=values)


def forecast_windows(
    baselines: Baselines, maps: Maps, ensemble: xr.Dataset
) -> dict[str, xr.DataArray]:
    """Deterministic baselines at the windows of an ensemble.

    Parameters
    ----------
    maps
        Maps of the simulation of the ensemble.
    ensemble
        ``truth, condition, centre, projection`` of the ensemble contract.

    Returns
    -------
    ``linear_transfer`` for every channel, ``dmo_share`` and ``training_mean`` for those with and
    without a share, ``empty`` for sparse ones, each ``(sample, channel, y, x)`` [unit of each
    field]; those without any channel are left out.

    Raises
    ------
    DataError
        If the maps do not hold the windows of the ensemble.
    """
    truth = ensemble["truth"].transpose("sample", "channel", "y", "x")
    share = baselines.shares.of(maps.attrs)
    weights = _by_channel({f.name: share[f.name] for f in baselines.fields if f.share is not None})
    forecasts = {}
    if weights.size:
        forecasts["dmo_share"] = (ensemble["condition"] * weights).transpose(*truth.dims)
    linear = truth.copy(data=_cut(filter_maps(baselines, maps), maps, ensemble))
    forecasts["linear_transfer"] = linear
    if baselines.means:
        zero = xr.zeros_like(truth.sel(channel=list(baselines.means)), np.float64)
        forecasts["training_mean"] = zero + _by_channel(baselines.means)
    if baselines.sparse:
        forecasts["empty"] = xr.zeros_like(truth.sel(channel=list(baselines.sparse)))
    return forecasts


def _by_channel(numbers: Mapping[str, float]) -> xr.DataArray:
    values = np.array(list(numbers.values()), np.float64)
    return xr.DataArray(values, dims="channel", coords={"channel": list(numbers)})


def _cut(filtered: Maps, maps: Maps, ensemble: xr.Dataset) -> NDArray[np.float32]:
    window, channels = ensemble.sizes["x"], tuple(str(name) for name in ensemble["channel"].values)
    rows = []
    for i in range(ensemble.sizes["sample"]):
        centre = tuple(int(value) for value in ensemble["centre"].values[i])
        projection = int(ensemble["projection"].values[i])
        cut = extract(
            filtered,
            projection,
            (centre[0], centre[1]),
            window=window,
            context_factors=(),
            species=channels,
        )
        if not np.allclose(cut.condition, ensemble["condition"].values[i], rtol=1e-5):
            raise DataError(
                f"maps of {maps.attrs.get('simulation')}",
                f"the condition of sample {i} at centre {centre}, projection {projection}",
                "another field",
                "Draw the ensembles again from these maps.",
            )
        rows.append(cut.target)
    return np.stack(rows)


def draw_climatology(
    baselines: Baselines, ensemble: xr.Dataset, rng: np.random.Generator
) -> xr.DataArray:
    """Random windows of the training split as an ensemble of the sparse fields.

    Returns
    -------
    ``(sample, member, channel, y, x)`` [unit of each field], all channels of a member from one
    window.
    """
    n_samples, n_members = ensemble.sizes["sample"], ensemble.sizes["member"]
    draws = rng.integers(0, len(baselines.windows), size=(n_samples, n_members))
    return xr.DataArray(
        baselines.windows[draws],
        dims=("sample", "member", "channel", "y", "x"),
        coords={"channel": list(baselines.sparse)},
    )
