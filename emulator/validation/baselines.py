r"""What a forecast without a network is worth: the baselines that stand beside the model.

``dmo_share``
    The DMO map times a constant share: dark matter ``1 - f_b``, stars the mean stellar share ``s``
    of the training simulations, gas ``f_b - s``; ``f_b = omega_b / omega_m`` of the simulation.
``linear_transfer``
    The same shares as means, and fluctuations through a linear filter of the DMO overdensity,

    .. math:: x_c = w_c \bar m \, (1 + T_c * \delta), \qquad
              T_c(k) = \frac{\sum \mathrm{Re}\, \hat u_c \hat \delta^*}{\sum |\hat \delta|^2},
              \quad u_c = x_c / (w_c \bar m),

    fitted on whole periodic maps of the training split in shells of one fundamental mode (a step
    function of ``|k|``) and applied to the whole periodic map of the held-out simulation, before
    the window is cut. Negative masses are set to zero, which can only help this baseline.
``empty``, ``climatology`` (stars)
    Zero mass; and an ensemble of star windows drawn at random from the training simulations. Sparse
    fields flatter a model that is compared with smooth fields only.

Not guaranteed: shares follow ``omega_b / omega_m`` but no other parameter.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft

from emulator.config import maps_file
from emulator.data.cutouts import extract
from emulator.data.maps import Maps, read_maps
from emulator.io import DataError, open_hdf5, require_attribute
from emulator.metrics.power_spectrum import fourier_modes, mode_weight, shell_index

WINDOWS_PER_SIMULATION = 16
"""Star windows kept of each training simulation for the climatology."""


@dataclass(frozen=True)
class Baselines:
    """Fitted baselines.

    Attributes
    ----------
    channels
        Names, in the order of the ensembles.
    star_share
        Mean over training simulations of stellar over DMO mass.
    transfer
        ``(channel, shell)`` filter of the DMO overdensity; shell 0 (the mean) is 0.
    n_pixels
        Pixels a side of the maps that it was fitted on.
    star_windows
        ``(pool, y, x)`` star windows of the training simulations [Msun/h per pixel].
    """

    channels: tuple[str, ...]
    star_share: float
    transfer: NDArray[np.float64]
    n_pixels: int
    star_windows: NDArray[np.float32]


def shares(omega_m: float, omega_b: float, star_share: float) -> dict[str, float]:
    """Share of the DMO mass in each channel; they sum to one."""
    baryons = omega_b / omega_m
    return {"dm_hydro": 1.0 - baryons, "gas": max(baryons - star_share, 0.0), "stars": star_share}


def fit_baselines(
    train: Sequence[str], maps_dir: Path, *, channels: Sequence[str], window: int, seed: int = 0
) -> Baselines:
    """Fit shares, filter and climatology on the maps of the training split.

    Parameters
    ----------
    train
        Names of the training simulations; ``maps_dir/{name}.h5`` is read one at a time.
    channels
        Fields to forecast, among ``dm_hydro, gas, stars``.
    window
        Pixels a side of a star window.
    seed
        Draws the star windows.

    Raises
    ------
    DataError
        If there is no training simulation, or maps differ in size.
    """
    if not train:
        raise DataError(maps_dir, "training simulations to fit baselines on", "an empty split")
    star_share = float(np.mean([_star_share(maps_file(maps_dir, name)) for name in train]))
    rng = np.random.default_rng(seed)
    cross = auto = None
    size, windows = 0, []
    for name in train:
        maps = read_maps(maps_file(maps_dir, name))
        fields, n_pixels = np.asarray(maps.maps), int(maps.maps.shape[-1])
        if cross is None or auto is None:
            size = n_pixels
            shells = int(shell_index(size).max()) + 1
            cross, auto = np.zeros((len(channels), shells)), np.zeros(shells)
        elif n_pixels != size:
            raise DataError(maps.path, f"{size} pixels a side, as {train[0]}", f"{n_pixels}")
        _accumulate(maps, fields, channels, star_share, cross, auto)
        windows.append(_draw_windows(maps, window, rng))
    if cross is None or auto is None:
        raise DataError(maps_dir, "maps of the training split", "none")
    transfer = np.divide(cross, auto, out=np.zeros_like(cross), where=auto > 0)
    transfer[:, 0] = 0.0
    return Baselines(tuple(channels), star_share, transfer, size, np.concatenate(windows))


def _star_share(path: Path) -> float:
    with open_hdf5(path) as handle:
        # netCDF4 writers store scalar attributes as arrays of one value.
        stars, dmo = (
            np.asarray(require_attribute(handle.attrs, f"mass_map_{name}", str(path))).item()
            for name in ("stars", "dmo")
        )
    return stars / dmo


def _overdensity(dmo: NDArray) -> NDArray[np.float64]:
    return dmo / dmo.mean(axis=(-2, -1), keepdims=True, dtype=np.float64) - 1.0


def _accumulate(
    maps: Maps,
    fields: NDArray,
    channels: Sequence[str],
    star_share: float,
    cross: NDArray[np.float64],
    auto: NDArray[np.float64],
) -> None:
    """Add the shell sums of all projections of one simulation."""
    species = list(maps.species)
    dmo = fields[:, species.index("dmo")].astype(np.float64)
    mean = dmo.mean()
    share = shares(float(maps.attrs["omega_m"]), float(maps.attrs["omega_b"]), star_share)
    index, weight = shell_index(dmo.shape[-1]).ravel(), mode_weight(dmo.shape[-1])
    delta = fourier_modes(_overdensity(dmo))
    auto += np.bincount(index, (weight * (np.abs(delta) ** 2).sum(axis=0)).ravel(), auto.size)
    for row, name in enumerate(channels):
        scale = share[name] * mean
        if scale > 0:
            modes = fourier_modes(fields[:, species.index(name)] / scale)
            product = (modes * delta.conj()).real.sum(axis=0)
            cross[row] += np.bincount(index, (weight * product).ravel(), auto.size)


def _draw_windows(maps: Maps, window: int, rng: np.random.Generator) -> NDArray[np.float32]:
    n_projections, size = maps.maps.shape[0], maps.maps.shape[-1]
    rows = []
    for _ in range(WINDOWS_PER_SIMULATION):
        projection, *centre = rng.integers(0, (n_projections, size, size)).tolist()
        # a ready window has one centre
        place = (centre[0], centre[1]) if maps.periodic else (window // 2, window // 2)
        cut = extract(
            maps,
            projection,
            place,
            window=window,
            context_factors=(),
            species=("stars",),
        )
        rows.append(cut.target[0])
    return np.stack(rows)


def filter_maps(baselines: Baselines, maps: Maps) -> Maps:
    """Whole periodic maps as the linear filter forecasts them, with the layout of ``maps``.

    Returns
    -------
    A copy of ``maps`` whose channels are the forecast [Msun/h per pixel], not negative; the species
    ``dmo`` stays.

    Raises
    ------
    DataError
        If the maps do not have the size of the training maps.
    """
    fields = np.array(maps.maps, dtype=np.float32)
    species, size = list(maps.species), fields.shape[-1]
    if size != baselines.n_pixels:
        raise DataError(
            f"{maps.attrs.get('simulation', 'maps')}",
            f"{baselines.n_pixels} pixels a side, as in training",
            f"{size}",
        )
    dmo = fields[:, species.index("dmo")].astype(np.float64)
    mean, delta = dmo.mean(), fft.rfft2(_overdensity(dmo), axes=(-2, -1))
    share = shares(float(maps.attrs["omega_m"]), float(maps.attrs["omega_b"]), baselines.star_share)
    index = shell_index(size)
    for row, name in enumerate(baselines.channels):
        fluctuation = fft.irfft2(baselines.transfer[row][index] * delta, s=(size, size))
        forecast = share[name] * mean * (1.0 + fluctuation)
        fields[:, species.index(name)] = np.maximum(forecast, 0.0)
    return dataclasses.replace(maps, maps=fields)


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
    ``dmo_share, linear_transfer`` for every channel and ``empty`` for stars, each
    ``(sample, channel, y, x)`` [Msun/h per pixel].

    Raises
    ------
    DataError
        If the maps do not hold the windows of the ensemble.
    """
    share = shares(float(maps.attrs["omega_m"]), float(maps.attrs["omega_b"]), baselines.star_share)
    weights = xr.DataArray(
        [share[name] for name in baselines.channels],
        dims="channel",
        coords={"channel": list(baselines.channels)},
    )
    truth = ensemble["truth"].transpose("sample", "channel", "y", "x")
    dmo_share = (ensemble["condition"] * weights).transpose(*truth.dims)
    linear = truth.copy(data=_cut(filter_maps(baselines, maps), maps, ensemble))
    forecasts = {"dmo_share": dmo_share, "linear_transfer": linear}
    if "stars" in baselines.channels:
        forecasts["empty"] = xr.zeros_like(truth.sel(channel=["stars"]))
    return forecasts


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
    """Random star windows of the training split as an ensemble ``(sample, member, y, x)``."""
    n_samples, n_members = ensemble.sizes["sample"], ensemble.sizes["member"]
    pool = baselines.star_windows
    draws = rng.integers(0, len(pool), size=(n_samples, n_members))
    return xr.DataArray(pool[draws], dims=("sample", "member", "y", "x"))
