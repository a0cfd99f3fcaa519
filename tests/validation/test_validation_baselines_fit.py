"""What baselines learn from training maps, against regressions written out over all modes."""

import dataclasses
from pathlib import Path

import fabricated
import numpy as np
import pytest
import xarray as xr

from emulator.data.maps import read_maps
from emulator.fields import FIELDS as TABLE
from emulator.fields import find_fields
from emulator.io import DataError, read_dataset, write_dataset
from emulator.validation.baselines import Training, fit_baselines, forecast_windows
from emulator.validation.baselines.climatology import Climatology
from emulator.validation.baselines.dmo_share import DmoShare
from emulator.validation.baselines.linear_transfer import LinearTransfer
from emulator.validation.baselines.shares import Shares

N, WINDOW = fabricated.N_PIXELS, fabricated.WINDOW
CHANNELS = fabricated.CHANNELS
FIELDS = find_fields(CHANNELS)


def radius():
    frequency = np.fft.fftfreq(N, 1 / N)
    return np.hypot(frequency[:, None], frequency[None, :])


def star_share(baseline):
    return baseline.training.shares.measured["stars"]


def fit_filter(names, folder, window=WINDOW):
    (fitted,) = fit_baselines(names, folder, fields=FIELDS, window=window, kinds=[LinearTransfer])
    return fitted


@pytest.fixture(scope="module")
def suite():
    return fabricated.simulations(n_train=2, n_cv=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, suite):
    path = tmp_path_factory.mktemp("maps")
    for simulation in suite:
        fabricated.write_maps(path, simulation)
    return path


@pytest.fixture(scope="module")
def train(suite):
    return [s.name for s in suite if s.name.startswith("SB")]


@pytest.fixture(scope="module")
def fitted(folder, train):
    return fit_filter(train, folder)


@pytest.fixture(scope="module")
def held_out(folder):
    return read_maps(folder / "CV_0.h5")


def test_the_star_share_is_the_mean_over_simulations_of_the_ratio_of_masses(folder, train, fitted):
    maps = [read_maps(folder / f"{name}.h5").maps.astype(np.float64) for name in train]
    ratios = [values[:, 3].sum() / values[:, 0].sum() for values in maps]
    assert len(set(ratios)) == 4
    assert star_share(fitted) == pytest.approx(np.mean(ratios), rel=1e-6)


def test_the_filter_is_the_regression_over_modes_of_all_training_maps(folder, train, fitted):
    shell = np.rint(radius()).astype(int)
    cross, auto = np.zeros((3, shell.max() + 1)), np.zeros(shell.max() + 1)
    for name in train:
        maps = read_maps(folder / f"{name}.h5")
        values = maps.maps.astype(np.float64)
        mean = values[:, 0].mean()
        f_b, s = (
            fabricated.OMEGA_B / maps.attrs["omega_m"],
            star_share(fitted),
        )
        for projection in values:
            delta = np.fft.fft2(projection[0] / projection[0].mean() - 1)
            np.add.at(auto, shell, np.abs(delta) ** 2)
            for row, share in enumerate((1 - f_b, f_b - s, s)):
                modes = np.fft.fft2(projection[row + 1] / (share * mean))
                np.add.at(cross[row], shell, (modes * delta.conj()).real)
    assert fitted.transfer[:, 1:] == pytest.approx(cross[:, 1:] / auto[1:], rel=1e-4, abs=1e-5)
    assert (fitted.transfer[:, 0] == 0).all()
    assert (fitted.training.fields, fitted.n_pixels) == (FIELDS, N)


def test_a_training_split_alone_is_read(folder, train, fitted):
    """The fit is that of the named simulations, one or many, and no other file of the folder."""
    one = fit_filter(train[:1], folder)
    assert star_share(one) != pytest.approx(star_share(fitted), rel=1e-3)
    assert not np.allclose(one.transfer, fitted.transfer, rtol=1e-3)


def test_maps_without_structure_have_no_filter(tmp_path, suite):
    flat = np.ones((3, 4, N, N)) * np.array([8.0, 4.0, 1.0, 2.0])[None, :, None, None]
    fabricated.write_maps(tmp_path, suite[0], flat)
    found = fit_filter([suite[0].name], tmp_path)
    assert not found.transfer.any()
    assert star_share(found) == 0.25


def of_matter(star_share):
    return Shares(FIELDS, {"gas": 0.1, "stars": star_share})


def shares(omega_m, omega_b, star_share):
    return of_matter(star_share).of({"omega_m": omega_m, "omega_b": omega_b})


def test_shares_follow_the_baryons_and_gas_is_never_negative():
    assert shares(0.4, 0.1, 0.05) == pytest.approx({"dm_hydro": 0.75, "gas": 0.2, "stars": 0.05})
    assert shares(0.4, 0.1, 0.3) == {"dm_hydro": 0.75, "gas": 0.0, "stars": 0.3}


def test_a_channel_without_mass_has_no_filter(tmp_path, suite):
    """More stars than baryons leave no gas to forecast."""
    maps = fabricated.truth_maps(suite[0])
    maps[:, 3] *= 100.0
    fabricated.write_maps(tmp_path, suite[0], maps)
    found = fit_filter([suite[0].name], tmp_path)
    assert star_share(found) > fabricated.OMEGA_B / suite[0].omega_m
    assert not found.transfer[1].any()
    assert found.transfer[[0, 2]].any(axis=1).all()


def strong_filter(channels=CHANNELS):
    """One factor for all shells but the mean, so strong that voids come out negative."""
    transfer = np.full((len(channels), int(np.rint(radius().max())) + 1), 3.0)
    transfer[:, 0] = 0.0
    return filter_of(transfer, training_of(find_fields(channels), of_matter(0.01)))


def training_of(fields, shares):
    return Training(fields, shares, ("SB_0",), Path("maps"), WINDOW)


def filter_of(transfer, training, means=None):
    fitted = LinearTransfer(training)
    fitted.transfer, fitted.means, fitted.n_pixels = transfer, means or {}, N
    return fitted


def test_a_forecast_is_cut_at_zero_and_only_there(held_out):
    dmo = held_out.maps[:, 0].astype(np.float64)
    forecast = strong_filter().filter(held_out)
    delta = dmo / dmo.mean(axis=(1, 2), keepdims=True) - 1
    share = shares(held_out.attrs["omega_m"], held_out.attrs["omega_b"], 0.01)
    for row, name in enumerate(CHANNELS):
        whole = share[name] * dmo.mean() * (1 + 3 * delta)
        assert (whole < 0).any()
        expected = np.where(whole < 0, 0.0, whole)
        assert forecast.maps[:, row + 1] == pytest.approx(expected, rel=1e-4, abs=1e-3 * dmo.mean())
        assert forecast.maps[:, row + 1].min() == 0.0
    np.testing.assert_array_equal(forecast.maps[:, 0], held_out.maps[:, 0])


def test_channels_that_are_not_forecast_stay_as_they_are(held_out):
    before = held_out.maps.copy()
    forecast = strong_filter(("gas",)).filter(held_out)
    for index in (0, 1, 3):
        np.testing.assert_array_equal(forecast.maps[:, index], before[:, index])
    assert not np.allclose(forecast.maps[:, 2], before[:, 2])
    np.testing.assert_array_equal(held_out.maps, before)


def test_maps_of_another_size_are_refused(held_out, fitted):
    smaller = dataclasses.replace(held_out, maps=held_out.maps[..., :32, :32])
    with pytest.raises(DataError, match=r"CV_0.*64 pixels a side, as in training.*32"):
        fitted.filter(smaller)


def test_training_maps_of_two_sizes_are_refused(tmp_path, suite, monkeypatch):
    fabricated.write_maps(tmp_path, suite[0])
    monkeypatch.setattr(fabricated, "N_PIXELS", 32)
    fabricated.write_maps(tmp_path, suite[1])
    names = [suite[0].name, suite[1].name]
    with pytest.raises(DataError, match=r"64 pixels a side, as SB_0.*32"):
        fit_filter(names, tmp_path)


def test_the_share_of_the_condition_is_that_of_each_channel(suite, held_out, fitted):
    ensemble = fabricated.make_ensemble(suite[-1]).isel(channel=[1, 0])
    training = training_of(find_fields(["gas", "dm_hydro"]), fitted.training.shares)
    swapped = (DmoShare(training), filter_of(fitted.transfer[[1, 0]], training))
    forecasts = forecast_windows(swapped, held_out, ensemble)
    assert list(forecasts) == ["dmo_share", "linear_transfer"]
    f_b = fabricated.OMEGA_B / suite[-1].omega_m
    for name, share in (
        ("gas", f_b - star_share(fitted)),
        ("dm_hydro", 1 - f_b),
    ):
        found = forecasts["dmo_share"].sel(channel=name)
        np.testing.assert_allclose(found, share * ensemble["condition"], rtol=1e-6)
    truth = ensemble["truth"]
    assert forecasts["dmo_share"].dims == forecasts["linear_transfer"].dims == truth.dims
    # the filter takes away most of the error of a share that does not know its bias
    linear, share = (abs(forecasts[n] - truth).mean() for n in ("linear_transfer", "dmo_share"))
    assert float(linear) < 2 * float(share)


def test_an_ensemble_of_other_maps_is_refused(suite, held_out, fitted):
    ensemble = fabricated.make_ensemble(suite[-1])
    moved = ensemble.assign(condition=ensemble["condition"] * (1 + 1e-3))
    with pytest.raises(DataError, match="the condition of sample 0 at centre"):
        forecast_windows([fitted], held_out, moved)
    rounded = ensemble.assign(condition=ensemble["condition"] * (1 + 1e-6))
    assert list(forecast_windows([fitted], held_out, rounded)) == ["linear_transfer"]


@pytest.fixture(scope="module")
def numbered(tmp_path_factory, suite):
    """Maps whose star pixels say where they are: projection, row and column."""
    folder = tmp_path_factory.mktemp("numbered")
    maps = fabricated.truth_maps(suite[0])
    maps[:, 3] = np.arange(3 * N * N).reshape(3, N, N)
    fabricated.write_maps(folder, suite[0], maps)
    return folder


def star_windows(folder, window=WINDOW, **seed):
    kinds = [Climatology]
    (pool,) = fit_baselines(["SB_0"], folder, fields=FIELDS, window=window, kinds=kinds, **seed)
    windows = np.stack(pool.windows)
    assert windows.shape[1] == 1
    return windows[:, 0]


def test_star_windows_are_cut_anywhere_in_the_periodic_maps(numbered):
    windows = star_windows(numbered)
    assert windows.shape == (16, WINDOW, WINDOW)
    projection, pixel = np.divmod(windows.astype(int), N * N)
    row, column = np.divmod(pixel, N)
    assert {len(np.unique(values)) for values in projection} == {1}
    assert set(projection.ravel()) == {0, 1, 2}
    offset = np.arange(WINDOW)
    assert (row == (row[:, :1, :1] + offset[:, None]) % N).all()
    assert (column == (column[:, :1, :1] + offset) % N).all()
    assert len({(r, c) for r, c in zip(row[:, 0, 0], column[:, 0, 0], strict=True)}) == len(windows)
    assert max(row[:, 0, 0].max(), column[:, 0, 0].max()) > N - WINDOW  # across the edge


def test_star_windows_are_drawn_by_the_seed(numbered):
    first, again, other = (star_windows(numbered, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(star_windows(numbered), star_windows(numbered, seed=0))


def test_ready_windows_are_taken_whole(numbered, tmp_path):
    """Maps that are windows already have one centre, and the pool holds nothing but them."""
    maps = read_dataset(numbered / "SB_0.h5").drop_vars(["context_2", "context_4"])
    write_dataset(maps.assign_attrs(periodic=0), tmp_path / "SB_0.h5")
    found = star_windows(tmp_path, window=N)
    assert found.shape == (16, N, N)
    first = found[:, 0, 0]
    np.testing.assert_array_equal(found[np.argsort(first)[[0, -1]]], maps["maps"].values[[0, 2], 3])
    assert set(first) == {0, N * N, 2 * N * N}


def test_every_training_simulation_gives_as_many_star_windows(folder, train):
    kinds = [Climatology]
    (pool,) = fit_baselines(train, folder, fields=FIELDS, window=WINDOW, kinds=kinds)
    assert len(pool.windows) == 16 * len(train)


def pool_of(windows, fields=FIELDS):
    pool = Climatology(training_of(fields, of_matter(0.01)))
    pool.windows = list(windows)
    return pool


def test_climatology_draws_each_window_of_the_pool_alike_and_independently():
    pool = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((4, 2, 2), np.float32)
    ensemble = xr.Dataset(coords={"sample": np.arange(500), "member": np.arange(8)})
    rng = np.random.default_rng(0)
    drawn = pool_of(pool[:, None]).forecast(None, ensemble, rng)["climatology"]
    assert drawn.dims == ("sample", "member", "channel", "y", "x")
    assert drawn["channel"].values.tolist() == ["stars"]
    number = drawn.values[:, :, 0, 0, 0]
    assert (drawn.values == number[:, :, None, None, None]).all()
    counts = np.bincount(number.astype(int).ravel(), minlength=4) / number.size
    assert counts == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / number.size))
    pairs = np.corrcoef(number.T)
    assert np.abs(pairs - np.eye(8)).max() < 4.5 / np.sqrt(500)


def test_sparse_channels_of_a_member_are_of_one_window():
    """Two sparse fields whose pixels say which window of the pool, and which field they are."""
    dust = TABLE["stars"].model_copy(update={"name": "dust"})
    pool = np.arange(4)[:, None] + np.array([0, 10])
    windows = np.broadcast_to(pool[..., None, None], (4, 2, 2, 2)).astype(np.float32)
    two = (*FIELDS, dust)
    ensemble = xr.Dataset(coords={"sample": np.arange(20), "member": np.arange(8)})
    rng = np.random.default_rng(0)
    drawn = pool_of(windows, two).forecast(None, ensemble, rng)["climatology"]
    assert drawn["channel"].values.tolist() == ["stars", "dust"]
    assert set(np.unique(drawn.sel(channel="stars"))) == {0, 1, 2, 3}
    np.testing.assert_array_equal(drawn.sel(channel="dust"), drawn.sel(channel="stars") + 10)
