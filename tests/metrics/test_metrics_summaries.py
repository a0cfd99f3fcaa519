"""Summaries of maps against brute force."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics.power_spectrum import build_shells
from emulator.metrics.summaries import N_BINS, binned_power, log_variance, profile

DIMS = ("sample", "channel", "y", "x")
MAPS = xr.DataArray(np.random.default_rng(0).lognormal(size=(3, 2, 16, 16)), dims=DIMS)


def test_bins_of_power_hold_all_modes_once():
    """Their mean over modes is the variance that lies in shells: Parseval."""
    found = binned_power(MAPS, 0.2)
    assert found.dims == ("sample", "channel", "bin")
    shells = build_shells(16, 0.2)
    place = np.minimum(N_BINS * np.log(np.arange(1, 9)) / np.log(8), N_BINS - 1).astype(int)
    counts = np.array([shells.n_modes[place == number].sum() for number in range(N_BINS)])
    assert (counts > 0).all()
    modes = np.fft.fft2(MAPS.values - MAPS.values.mean((-2, -1), keepdims=True))
    rows = np.fft.fftfreq(16, 1 / 16)
    inside = np.rint(np.hypot(rows[:, None], rows)) <= 8
    total = (np.abs(modes) ** 2 * inside).sum((-2, -1)) / 16**2
    np.testing.assert_allclose((found.values * counts).sum(-1), total, rtol=1e-10)


def test_small_maps_have_no_bins():
    with pytest.raises(ValueError, match="16 pixels a side, got 8"):
        binned_power(MAPS[..., :8, :8], 0.2)


def test_a_profile_is_the_mean_of_pixels_of_a_rank():
    dmo = xr.DataArray(
        np.random.default_rng(1).permuted(np.tile(np.arange(256.0), (3, 1)), axis=1).reshape(
            3, 16, 16
        ),
        dims=("sample", "y", "x"),
    )  # fmt: skip
    found = profile(MAPS, dmo).transpose("sample", "channel", "dmo_density").values
    for sample in range(3):
        ranks = dmo.values[sample]
        for place, (low, high) in enumerate([(0, 128), (128, 230), (230, 253), (253, 256)]):
            own = MAPS.values[sample][:, (ranks >= low) & (ranks < high)]
            np.testing.assert_allclose(found[sample, :, place], own.mean(1))


def test_the_variance_of_logarithms_is_finite_without_mass_and_has_no_unit():
    empty = log_variance(MAPS * 0.0)
    assert (empty == 0).all()
    np.testing.assert_allclose(log_variance(MAPS), log_variance(1e9 * MAPS))
    # far above its mean, asinh is the logarithm of twice the value
    sparse = np.zeros((1, 1, 16, 16))
    sparse[..., :2, 0] = [1.0, 3.0]
    expected = np.arcsinh(sparse / sparse.mean()).var()
    np.testing.assert_allclose(log_variance(xr.DataArray(sparse, dims=DIMS)), expected)
