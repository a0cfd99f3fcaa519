r"""Moments of windows that responses are made of: mean, mean square, power in bins of wave number.

Moments are linear in windows, so that they are averaged before a summary (mass, variance, power) is
formed of them.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.metrics.base import Case
from emulator.metrics.channels import add_total
from emulator.metrics.spectra import window_spectra
from emulator.units import Unit

Array = NDArray[np.float64]

N_BINS = 4
"""Bins of wave number, equal in the logarithm; those without a shell are left out."""


def window_moments(case: Case) -> xr.Dataset:
    """Moments of every window, of truth, members and DMO map.

    Returns
    -------
    ``response_moments_truth (window, field, moment)``, ``response_moments_members (window,
    response_member, field, moment)`` and ``response_moments_dmo (window, moment)``: powers of the
    mean DMO mass per pixel, or of the unit of a field that is no mass; the first moment is the
    mean, the second the mean square, the others power over the area of a pixel
    (of volumes, the volume of a voxel).
    """
    ensemble, names = case.ensemble, [field.name for field in case.fields]
    unit = xr.DataArray(
        [case.mean_dmo if field.adds_up else 1.0 for field in case.fields],
        dims="channel",
        coords={"channel": names},
    )
    spectra, pixels = case.shared(window_spectra), case.domain.axes
    # spectra are in units of case.scales, the total in those of the mean DMO mass
    scales = xr.ones_like(spectra["field"], float)
    scales[: len(names)] = (case.scales.values / unit.values) ** 2
    stats = {}
    for kind, variable in (("truth", "truth"), ("members", "fields")):
        maps = add_total(ensemble[variable].astype(np.float64) / unit, case.fields)
        power = power_bins(spectra[kind] * scales, case)
        stats[kind] = _stack(maps.mean(pixels), (maps**2).mean(pixels), power)
    dmo = ensemble["condition"].astype(np.float64) / case.mean_dmo
    power = power_bins(spectra["dmo"], case)
    stats["dmo"] = _stack(dmo.mean(pixels), (dmo**2).mean(pixels), power)
    meaning = "mean, mean square and power, in units of the mean DMO mass or of the field"
    attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": meaning}
    order = ("window", "response_member", "field", "moment")
    return xr.Dataset(
        {
            f"response_moments_{kind}": values.rename(_renamed(values))
            .transpose(*order, missing_dims="ignore")
            .assign_attrs(attrs)
            for kind, values in stats.items()
        }
    )


def _renamed(values: xr.DataArray) -> dict[str, str]:
    """Dimensions of their own: response sets have other windows and members than the rest."""
    names = {"sample": "window", "member": "response_member"}
    return {old: new for old, new in names.items() if old in values.dims}


def power_bins(power: xr.DataArray, case: Case) -> list[tuple[str, xr.DataArray]]:
    """Mean power over the modes of each bin of the range of wave numbers, and its name."""
    k, n_modes = power["k"].values, power["n_modes"]
    edges = np.geomspace(*case.config.wave_numbers, N_BINS + 1)
    place = np.clip(np.searchsorted(edges, k, side="right") - 1, 0, N_BINS - 1)
    inside = (k >= edges[0]) & (k <= edges[-1])
    found = []
    for number in range(N_BINS):
        here = np.flatnonzero(inside & (place == number))
        if len(here):
            mean = (power * n_modes).isel(k=here).sum("k") / float(n_modes.isel(k=here).sum())
            found.append((f"P({edges[number]:.2g}-{edges[number + 1]:.2g})", mean))
    return [(name, values / case.pixel_mpch ** len(case.shape)) for name, values in found]


def _stack(
    mean: xr.DataArray, square: xr.DataArray, power: list[tuple[str, xr.DataArray]]
) -> xr.DataArray:
    """Moments along one dimension."""
    names = ["mean", "square", *(name for name, _ in power)]
    parts = [part.reset_coords(drop=True) for part in (mean, square, *(p for _, p in power))]
    label = xr.DataArray(names, dims="moment", name="moment")
    return xr.concat(parts, label, coords="minimal", compat="override")


def weighted_means(weights: Array, moments: Array) -> Array:
    """Weighted means over windows ``(draw, simulation, ..., moment)``."""
    result: Array = np.einsum("dw,rw...->dr...", weights, moments)
    return result


def summaries(means: Array) -> Array:
    """Mass, variance, power: of moments, along the last axis."""
    result = means.copy()
    result[..., 1] -= means[..., 0] ** 2
    return result


def log_of(values: Array) -> Array:
    """Logarithm; NaN of what has none."""
    result: Array = np.log(np.where(values > 0, values, np.nan))
    return result
