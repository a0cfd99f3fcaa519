"""Moments of windows against direct sums, in units that do not depend on the simulation."""

import dataclasses
import itertools

import judged
import numpy as np
import pytest
import refused
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import Field, find_fields
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.response import Response
from emulator.metrics.window_moments import summaries, window_moments

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)
SIMULATION = refused.simulations()[-1]


def make_case(**changes):
    ensemble = refused.make_ensemble(SIMULATION, n_members=2, n_windows=3)
    return dataclasses.replace(judged.make_case(ensemble, config=CONFIG), **changes)


def direct_power(window, low, high):
    """Mean power over all modes between two wave numbers, over the area of a pixel."""
    n = len(window)
    modes = np.abs(np.fft.fft2(window)) ** 2 / n**2
    freq = np.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.hypot(freq[:, None], freq[None, :])).astype(int)
    k = np.array(
        [
            2 * np.pi / (n * 0.2) * np.hypot(freq[:, None], freq[None, :])[shell == s].mean()
            for s in range(n // 2 + 1)
        ]
    )
    picked = [s for s in range(1, n // 2 + 1) if low <= k[s] <= high]
    return modes[np.isin(shell, picked)].mean()


def test_moments_are_means_squares_and_mean_power_over_modes():
    case = make_case()
    found = window_moments(case)
    edges = np.geomspace(2.0, 12.0, 5)
    assert found["moment"].values[:2].tolist() == ["mean", "square"]
    truth = found["response_moments_truth"]
    places = itertools.product(range(3), enumerate(("dm_hydro", "gas", "stars")))
    for sample, (channel, name) in places:
        window = case.ensemble["truth"].values[sample, channel].astype(float) / case.mean_dmo
        row = truth.sel(field=name)[sample]
        assert row.sel(moment="mean").item() == pytest.approx(window.mean())
        assert row.sel(moment="square").item() == pytest.approx((window**2).mean())
        for number in range(4):
            power = row[2 + number].item()
            expected = direct_power(window, *edges[number : number + 2])
            assert power == pytest.approx(expected, rel=1e-4)
    dmo = case.ensemble["condition"].values[1].astype(float) / case.mean_dmo
    assert found["response_moments_dmo"][1, 3].item() == pytest.approx(
        direct_power(dmo, *edges[1:3]), rel=1e-4
    )
    members = found["response_moments_members"]
    assert members.dims == ("window", "response_member", "field", "moment")
    one = case.ensemble["fields"].values[2, 1].astype(float).sum(0) / case.mean_dmo
    assert members.sel(field="total")[2, 1, 1].item() == pytest.approx((one**2).mean(), rel=1e-5)


def test_the_variance_is_that_of_all_pixels_together():
    case = make_case()
    moments = window_moments(case)["response_moments_truth"].sel(field="gas").values.mean(0)
    pixels = case.ensemble["truth"].sel(channel="gas").values.astype(float) / case.mean_dmo
    assert summaries(moments)[1] == pytest.approx(pixels.var())


def with_temperature(scale):
    """A mass and a field whose unit of spectra differs from simulation to simulation."""
    ensemble = refused.make_ensemble(SIMULATION, n_members=2, n_windows=3)
    names = ["gas", "gas_temperature"]
    ensemble = ensemble.isel(channel=[1, 2]).assign_coords(channel=names)
    ensemble["truth"].loc[{"channel": "gas_temperature"}] += 1.0
    case = judged.make_case(ensemble, config=CONFIG)
    scales = case.scales.copy(data=[case.mean_dmo, scale])
    return dataclasses.replace(case, fields=find_fields(names), scales=scales)


def test_fields_that_are_no_masses_keep_their_own_unit():
    """Their scale is the root mean square of the truth: it would hide the response."""
    first, second = (window_moments(with_temperature(scale)) for scale in (3.0, 7.0))
    xr.testing.assert_allclose(first, second, rtol=1e-5)
    case = with_temperature(3.0)
    values = case.ensemble["truth"].sel(channel="gas_temperature").values.astype(float)
    row = first["response_moments_truth"].sel(field="gas_temperature")
    assert row.sel(moment="mean").values == pytest.approx(values.mean((1, 2)))
    edges = np.geomspace(2.0, 12.0, 5)
    assert row[0, 2].item() == pytest.approx(direct_power(values[0], *edges[:2]), rel=1e-4)


def test_the_mean_of_a_signed_field_has_no_response():
    velocity = Field(
        name="velocity", label="velocity", unit="km/s", color="#000000", particles=("gas",),
        mean_of="Velocities", transform="asinh", floor=1.0, signed=True,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    rows = []
    for place in (0.0, 0.5, 1.0):
        ensemble = refused.make_ensemble(SIMULATION, n_members=2, n_windows=12)
        ensemble = ensemble.isel(channel=[1]).assign_coords(channel=["gas"])
        case = judged.make_case(ensemble, config=CONFIG)
        for name in ("fields", "truth"):
            shape = ensemble[name].shape
            ensemble[name] = ensemble[name].dims, (1 + place) * rng.normal(size=shape)
        named = ensemble.assign_coords(channel=["velocity"])
        case = dataclasses.replace(
            case, ensemble=named, fields=(velocity,), params={"a": place}, response_set="1P",
            scales=xr.DataArray([2.0], dims="channel", coords={"channel": ["velocity"]}),
        )  # fmt: skip
        rows.append(Response().compute(case))
    stats = xr.concat(rows, "response", coords="minimal", compat="equals")
    stats["response_told"][:] = True
    found = Response().summarise(Jackknife(xr.DataArray(["r"])), stats, (velocity,))
    truth = found["response_truth"].sel(estimate="value", parameter="a", field="velocity")
    assert np.isnan(truth.sel(summary="mass"))
    # least squares through (0, 0), (0.5, ln 1.5^2), (1, ln 4): the middle has no weight
    assert truth.sel(summary="variance").item() == pytest.approx(np.log(4.0), abs=0.1)
