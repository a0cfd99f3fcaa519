r"""Statistics of one simulation: means over its windows, ready to be averaged over simulations.

Everything kept is *linear* (a mean over windows and pixels), except the power ratio of every
window and member, which is kept whole for its median. Ratios and correlations are formed later from
means over simulations (:mod:`emulator.validation.summary`), because a mean of ratios is biased.

Spectra are of mass in units of the box's mean DMO mass per pixel, so that simulations of different
matter density compare, and the spectrum of the total is the matter power spectrum.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from emulator.metrics import calibration, one_point
from emulator.metrics.power_spectrum import (
    Shells,
    build_shells,
    fourier_modes,
    power_ratio,
    shell_power,
)
from emulator.units import Unit

TOTAL = "total"
ALL_MATTER = {"dm_hydro", "gas", "stars"}
"""Channels that add up to all matter (of a model without black holes)."""


def field_names(channels: Sequence[str]) -> list[str]:
    """Channels, and their sum where it is all matter: that of gas alone is no total."""
    return [*channels, *([TOTAL] if set(channels) >= ALL_MATTER else [])]


def with_total(fields: xr.DataArray) -> xr.DataArray:
    """Name the dimension ``field``; append the sum ``total`` if the channels make up all matter."""
    if TOTAL not in field_names([str(name) for name in fields["channel"].values]):
        return fields.rename(channel="field")
    total = fields.sum("channel").expand_dims(channel=[TOTAL])
    return xr.concat([fields, total], "channel").rename(channel="field")


def compute_statistics(
    ensemble: xr.Dataset,
    *,
    mean_dmo_msunh: float,
    occupied_msunh: float,
    forecasts: Mapping[str, xr.DataArray],
    climatology: xr.DataArray | None,
    rng: np.random.Generator,
) -> xr.Dataset:
    """All statistics of one simulation.

    Parameters
    ----------
    ensemble
        ``fields, truth, condition`` of the ensemble contract [Msun/h per pixel].
    mean_dmo_msunh
        Mean DMO mass per pixel of the whole box [Msun/h per pixel], the unit of the spectra.
    occupied_msunh
        A pixel with more mass is occupied [Msun/h per pixel].
    forecasts
        Deterministic baselines by name, ``(sample, channel, y, x)`` [Msun/h per pixel]; a baseline
        may leave out channels.
    climatology
        Ensemble ``(sample, member, y, x)`` of the channel ``stars``, or None.
    rng
        Breaks the ties of ranks.

    Returns
    -------
    Variables by ``field`` (channels, and the total where they are all matter) or ``channel``; see
    the attrs of each.
    """
    parts = [
        _spectra(ensemble, mean_dmo_msunh),
        _calibration(ensemble, mean_dmo_msunh, rng),
        _one_point(ensemble, occupied_msunh),
        _scores(ensemble, forecasts, climatology).to_dataset(name="score"),
    ]
    return xr.merge(parts, join="exact", compat="no_conflicts", combine_attrs="override")


def _spectra(ensemble: xr.Dataset, mean_dmo_msunh: float) -> xr.Dataset:
    shells = build_shells(ensemble.sizes["x"], float(ensemble.attrs["pixel_mpch"]))
    windows = [
        _window_spectra(ensemble.isel(sample=i), mean_dmo_msunh, shells)
        for i in range(ensemble.sizes["sample"])
    ]
    dims = {"members": ("member", "field", "k"), "dmo": ("k",)}
    spectra = {
        name: xr.DataArray(
            np.asarray([window[name] for window in windows]),
            dims=("sample", *dims.get(name, ("field", "k"))),
        )
        for name in windows[0]
    }
    ratio = power_ratio(spectra["members"], spectra["truth"]).transpose("sample", "member", ...)
    result = xr.Dataset({f"power_{name}": value.mean("sample") for name, value in spectra.items()})
    for value in result.values():
        value.attrs = {"units": str(Unit.POWER_2D)}
    k = ("k", shells.k_hmpc, {"units": str(Unit.WAVE_NUMBER), "long_name": "wave number"})
    n_modes = ("k", shells.n_modes, {"units": str(Unit.DIMENSIONLESS)})
    return result.assign(power_ratio=ratio.astype(np.float32)).assign_coords(
        field=field_names([str(name) for name in ensemble["channel"].values]),
        k=k,
        n_modes=n_modes,
    )


def _window_spectra(
    window: xr.Dataset, mean_dmo_msunh: float, shells: Shells
) -> dict[str, np.ndarray]:
    """Spectra ``(field, k)`` of one window; ``members`` have a leading axis, ``dmo`` no field."""
    truth = _modes(with_total(window["truth"]), mean_dmo_msunh)
    members = _modes(with_total(window["fields"]), mean_dmo_msunh)
    dmo = fourier_modes(window["condition"].values / mean_dmo_msunh)
    mean = members.mean(axis=0)
    power = shell_power(members, members, shells)
    return {
        "truth": shell_power(truth, truth, shells),
        "members": power,
        "dmo": shell_power(dmo, dmo, shells),
        "member_truth": shell_power(mean, truth, shells),
        "member_member": calibration.member_pair_power(
            power.mean(axis=0), shell_power(mean, mean, shells), len(members)
        ),
        "dmo_truth": shell_power(np.broadcast_to(dmo, truth.shape), truth, shells),
    }


def _modes(fields: xr.DataArray, mean_dmo_msunh: float) -> np.ndarray:
    return fourier_modes(fields.transpose(..., "field", "y", "x").values / mean_dmo_msunh)


def _calibration(
    ensemble: xr.Dataset, mean_dmo_msunh: float, rng: np.random.Generator
) -> xr.Dataset:
    fields, truth = ensemble["fields"], ensemble["truth"]
    n_members = fields.sizes["member"]
    variance, squared_error = calibration.spread_and_skill(fields, truth)
    pixels = ("sample", "y", "x")
    ranks = calibration.truth_ranks(fields, truth, rng)
    mass_ranks = calibration.truth_ranks(fields.mean(("y", "x")), truth.mean(("y", "x")), rng)

    def histogram(values: xr.DataArray) -> xr.DataArray:
        by_channel = values.transpose("channel", ...).values
        shares = [calibration.rank_histogram(row, n_members) for row in by_channel]
        return xr.DataArray(
            np.asarray(shares),
            dims=("channel", "rank"),
            attrs={"units": str(Unit.DIMENSIONLESS), "long_name": "share of each rank"},
        )

    variance = (variance / mean_dmo_msunh**2).mean(pixels)
    squared_error = (squared_error / mean_dmo_msunh**2).mean(pixels)
    square = {"units": str(Unit.DIMENSIONLESS), "mass_unit": "mean DMO mass per pixel, squared"}
    return xr.Dataset(
        {
            "variance": variance.assign_attrs(square, long_name="ensemble variance"),
            "squared_error": squared_error.assign_attrs(
                square, long_name="squared error of the ensemble mean"
            ),
            "rank_histogram": histogram(ranks),
            "rank_histogram_mass": histogram(mass_ranks),
        },
        coords={"rank": np.arange(n_members + 1)},
    ).drop_vars("member", errors="ignore")


def _one_point(ensemble: xr.Dataset, occupied_msunh: float) -> xr.Dataset:
    fields, truth = ensemble["fields"], ensemble["truth"]
    occupied = {
        name: one_point.occupancy(values, occupied_msunh)
        for name, values in (("truth", truth), ("members", fields))
    }
    return xr.Dataset(
        {
            "mass_truth": one_point.mean_mass(with_total(truth)).mean("sample"),
            "mass_members": one_point.mean_mass(with_total(fields)).mean(("sample", "member")),
            "occupancy_truth": occupied["truth"].mean("sample"),
            "occupancy_members": occupied["members"].mean(("sample", "member")),
            "pdf_truth": one_point.log_mass_pdf(truth),
            "pdf_members": one_point.log_mass_pdf(fields),
        }
    )


def _scores(
    ensemble: xr.Dataset,
    forecasts: Mapping[str, xr.DataArray],
    climatology: xr.DataArray | None,
) -> xr.DataArray:
    """Mean score ``(forecast, channel)``; NaN where a baseline does not treat a channel."""
    truth, pixels = ensemble["truth"], ("sample", "y", "x")
    scores = {"model": calibration.crps(ensemble["fields"], truth).mean(pixels)}
    for name, forecast in forecasts.items():
        # A deterministic forecast is an ensemble without spread: its score is the absolute error.
        scores[name] = abs(forecast - truth).mean(pixels)
    if climatology is not None:
        stars = truth.sel(channel=["stars"])
        scores["climatology"] = calibration.crps(
            climatology.expand_dims(channel=["stars"]), stars
        ).mean(pixels)
    channels = truth["channel"]
    table = [
        score.reindex(channel=channels).drop_vars("forecast", errors="ignore")
        for score in scores.values()
    ]
    crps = xr.concat(table, dim=xr.DataArray(list(scores), dims="forecast", name="forecast"))
    crps.attrs = {"units": str(Unit.MASS_PER_PIXEL), "long_name": "fair CRPS"}
    return crps
