"""Statistics of one simulation against sums written out over windows, members and pixels."""

import itertools

import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import find_fields
from emulator.metrics import calibration, one_point, registry
from emulator.metrics.base import Case
from emulator.metrics.channels import add_total, names_with_total

CHANNELS = ("dm_hydro", "gas", "stars")
FIELDS = find_fields(CHANNELS)
N, MEMBERS, WINDOWS, PIXEL, UNIT, OCCUPIED = 8, 3, 2, 0.5, 4.0, 2.0
PIXELS = ("sample", "y", "x")


def make_ensemble(seed=0):
    rng = np.random.default_rng(seed)
    mass = rng.gamma(2.0, 2.0, size=(WINDOWS, MEMBERS + 1, len(CHANNELS), N, N))
    mass[rng.random(mass.shape) < 0.2] = 0.0
    return xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), mass[:, :-1]),
            "truth": (("sample", "channel", "y", "x"), mass[:, -1]),
            "condition": (PIXELS, rng.gamma(4.0, 2.0, size=(WINDOWS, N, N))),
        },
        coords={"channel": list(CHANNELS)},
    )


def statistics_of(ensemble, forecasts=None):
    case = Case(
        ensemble=ensemble,
        fields=FIELDS,
        pixel_mpch=PIXEL,
        mean_dmo=UNIT,
        scales=xr.DataArray(3 * [UNIT], dims="channel", coords={"channel": list(CHANNELS)}),
        model_seed=np.zeros(MEMBERS, int),
        forecasts=forecasts or {},
        config=ValidationConfig(occupied_msunh=OCCUPIED),
        generator=np.random.default_rng(0),
    )
    return registry.compute(case)


ENSEMBLE = make_ensemble()
STATISTICS = statistics_of(ENSEMBLE)


def cross_power(a, b):
    """By shells of the full plane of Fourier modes of two maps in units of the mean DMO mass."""
    frequency = np.fft.fftfreq(N, 1 / N)
    shell = np.rint(np.hypot(frequency[:, None], frequency[None, :]))
    product = (np.fft.fft2(a / UNIT) * np.fft.fft2(b / UNIT).conj()).real
    product *= (N * PIXEL) ** 2 / N**4
    return np.array([product[shell == s].mean() for s in range(1, N // 2 + 1)])


def all_fields(values):
    """Channels and their sum, as an array with the field first but for samples and members."""
    return np.concatenate([values, values.sum(-3, keepdims=True)], axis=-3)


MEMBER_MAPS, TRUTH_MAPS = all_fields(ENSEMBLE.fields.values), all_fields(ENSEMBLE.truth.values)
DMO_MAPS = ENSEMBLE.condition.values


def over_windows(power):
    """Mean over windows of a spectrum ``power(window, field)``."""
    rows = [[power(i, f) for f in range(len(CHANNELS) + 1)] for i in range(WINDOWS)]
    return np.mean(rows, axis=0)


def test_the_total_is_the_sum_of_all_matter():
    total = add_total(ENSEMBLE["truth"], FIELDS)
    assert total["field"].values.tolist() == [*CHANNELS, "total"]
    np.testing.assert_allclose(total.sel(field="total"), ENSEMBLE["truth"].sum("channel"))
    assert names_with_total(FIELDS) == [*CHANNELS, "total"]
    assert names_with_total(FIELDS[1:]) == ["gas", "stars"]
    gas = add_total(ENSEMBLE["truth"].isel(channel=[1]), FIELDS[1:2])
    assert gas["field"].values.tolist() == ["gas"]


def test_spectra_of_truth_and_condition_are_means_over_windows():
    truth = over_windows(lambda i, f: cross_power(TRUTH_MAPS[i, f], TRUTH_MAPS[i, f]))
    np.testing.assert_allclose(STATISTICS.power_truth, truth)
    dmo = np.mean([cross_power(DMO_MAPS[i], DMO_MAPS[i]) for i in range(WINDOWS)], axis=0)
    np.testing.assert_allclose(STATISTICS.power_dmo, dmo)
    with_dmo = over_windows(lambda i, f: cross_power(DMO_MAPS[i], TRUTH_MAPS[i, f]))
    np.testing.assert_allclose(STATISTICS.power_dmo_truth, with_dmo)


@pytest.mark.parametrize("member", range(MEMBERS))
def test_every_member_has_its_own_spectrum(member):
    maps = MEMBER_MAPS[:, member]
    expected = over_windows(lambda i, f: cross_power(maps[i, f], maps[i, f]))
    np.testing.assert_allclose(STATISTICS.power_members.isel(member=member), expected)


def test_cross_spectra_are_means_over_members_and_over_pairs_of_them():
    with_truth = over_windows(
        lambda i, f: np.mean(
            [cross_power(MEMBER_MAPS[i, m, f], TRUTH_MAPS[i, f]) for m in range(MEMBERS)], axis=0
        )
    )
    np.testing.assert_allclose(STATISTICS.power_member_truth, with_truth)
    pairs = list(itertools.combinations(range(MEMBERS), 2))
    of_pairs = over_windows(
        lambda i, f: np.mean(
            [cross_power(MEMBER_MAPS[i, m, f], MEMBER_MAPS[i, n, f]) for m, n in pairs], axis=0
        )
    )
    np.testing.assert_allclose(STATISTICS.power_member_member, of_pairs)


def test_the_power_ratio_is_kept_of_every_window_and_member():
    assert STATISTICS.power_ratio.dims == ("sample", "member", "field", "k")
    for i, m, f in itertools.product(range(WINDOWS), range(MEMBERS), range(4)):
        member, truth = MEMBER_MAPS[i, m, f], TRUTH_MAPS[i, f]
        expected = cross_power(member, member) / cross_power(truth, truth)
        np.testing.assert_allclose(STATISTICS.power_ratio[i, m, f], expected, rtol=1e-6)


def test_wave_numbers_are_those_of_the_window():
    frequency = np.fft.fftfreq(N, 1 / N)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    for s in range(1, N // 2 + 1):
        inside = np.rint(radius) == s
        k = radius[inside].mean() * 2 * np.pi / (N * PIXEL)
        assert float(STATISTICS.k[s - 1]) == pytest.approx(k)
        assert int(STATISTICS.n_modes[s - 1]) == inside.sum()


def test_variances_are_in_units_of_the_mean_mass():
    members, truth = ENSEMBLE.fields.values, ENSEMBLE.truth.values
    mean = members.sum(axis=1) / MEMBERS
    variance = ((members - mean[:, None]) ** 2).sum(axis=1) / (MEMBERS - 1)
    np.testing.assert_allclose(STATISTICS.variance, variance.mean((0, 2, 3)) / UNIT**2)
    error = (mean - truth) ** 2
    np.testing.assert_allclose(STATISTICS.squared_error, error.mean((0, 2, 3)) / UNIT**2)


def test_ranks_are_counted_by_channel_over_all_pixels():
    """Without ties the rank is the number of members below the truth."""
    rng = np.random.default_rng(1)
    shuffled = ENSEMBLE.assign(
        fields=ENSEMBLE.fields + rng.random(ENSEMBLE.fields.shape),
        truth=ENSEMBLE.truth + rng.random(ENSEMBLE.truth.shape),
    )
    found = statistics_of(shuffled)
    below = (shuffled.fields < shuffled.truth).sum("member")
    mass = (shuffled.fields.sum(("y", "x")) < shuffled.truth.sum(("y", "x"))).sum("member")
    for rank, name in itertools.product(range(MEMBERS + 1), CHANNELS):
        where = {"rank": rank, "channel": name}
        share = (below.sel(channel=name) == rank).mean()
        assert float(found.rank_histogram.sel(where)) == pytest.approx(float(share))
        of_mass = (mass.sel(channel=name) == rank).mean()
        assert float(found.rank_histogram_mass.sel(where)) == pytest.approx(float(of_mass))


def test_masses_and_occupied_shares_are_plain_means():
    np.testing.assert_allclose(STATISTICS.mass_truth, TRUTH_MAPS.mean((0, 2, 3)))
    np.testing.assert_allclose(STATISTICS.mass_members, MEMBER_MAPS.mean((0, 1, 3, 4)))
    occupied = (ENSEMBLE.truth > OCCUPIED).mean(PIXELS)
    np.testing.assert_allclose(STATISTICS.occupancy_truth, occupied)
    occupied = (ENSEMBLE.fields > OCCUPIED).mean((*PIXELS, "member"))
    np.testing.assert_allclose(STATISTICS.occupancy_members, occupied)


def test_densities_of_mass_are_those_of_truth_and_members():
    scaled = ENSEMBLE * 1e8
    found = statistics_of(scaled)
    for name, values in (("truth", scaled.truth), ("members", scaled.fields)):
        expected = one_point.log_mass_pdf(values)
        np.testing.assert_allclose(found[f"pdf_{name}"], expected)
        assert float(expected.max()) > 0.1


def test_every_forecast_has_a_score_where_it_treats_a_channel():
    rng = np.random.default_rng(2)
    guess = ENSEMBLE.truth + rng.normal(size=ENSEMBLE.truth.shape)
    empty = xr.zeros_like(ENSEMBLE.truth.sel(channel=["stars"]))
    pool = xr.DataArray(
        rng.gamma(2.0, 2.0, size=(WINDOWS, 4, 1, N, N)),
        dims=("sample", "member", "channel", "y", "x"),
        coords={"channel": ["stars"]},
    )
    forecasts = {"guess": guess, "empty": empty, "climatology": pool}
    score = statistics_of(ENSEMBLE, forecasts).score.sel(scale=1)
    assert score.forecast.values.tolist() == ["model", "guess", "empty", "climatology"]
    model = calibration.crps(ENSEMBLE.fields, ENSEMBLE.truth).mean(PIXELS)
    np.testing.assert_allclose(score.sel(forecast="model"), model)
    error = np.abs(guess - ENSEMBLE.truth).mean(PIXELS)
    np.testing.assert_allclose(score.sel(forecast="guess"), error)
    stars = ENSEMBLE.truth.sel(channel="stars")
    for name, expected in (
        ("empty", stars.mean(PIXELS)),
        ("climatology", calibration.crps(pool.isel(channel=0), stars).mean(PIXELS)),
    ):
        row = score.sel(forecast=name)
        np.testing.assert_allclose(row.sel(channel="stars"), expected)
        assert np.isnan(row.sel(channel=["dm_hydro", "gas"])).all()


def test_without_climatology_and_forecasts_the_model_stands_alone():
    assert statistics_of(ENSEMBLE).score.forecast.values.tolist() == ["model"]


def test_units_are_said():
    units = {name: STATISTICS[name].attrs["units"] for name in STATISTICS}
    assert {units[name] for name in units if name.startswith("power_")} == {"(Mpc/h)^2", "1"}
    assert units["power_ratio"] == units["variance"] == units["rank_histogram"] == "1"
    assert units["mass_truth"] == units["score"] == "Msun/h per pixel"
    assert STATISTICS["k"].attrs["units"] == "h/Mpc"
