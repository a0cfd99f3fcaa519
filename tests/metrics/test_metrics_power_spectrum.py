"""Spectra against closed forms: white noise, a plane wave, Parseval, a linear filter."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics.power_spectrum import (
    build_shells,
    correlation_coefficient,
    fourier_modes,
    power_ratio,
    power_spectrum,
    shell_index,
    shell_power,
    transfer_function,
)
from emulator.units import Unit

PIXEL = 0.25


def maps(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("sample", "y", "x"))


def test_white_noise_has_the_area_of_a_pixel():
    noise = np.random.default_rng(1).normal(size=(64, 32, 32)).astype(np.float32)
    power = power_spectrum(maps(noise), pixel_mpch=PIXEL)
    mean, modes = power.mean("sample"), power["n_modes"]
    error = PIXEL**2 * np.sqrt(2.0 / (64 * modes))
    assert float((abs(mean - PIXEL**2) / error).max()) < 4.0
    assert power.attrs["units"] == Unit.POWER_2D
    assert power["k"].attrs["units"] == Unit.WAVE_NUMBER


@pytest.mark.parametrize(("n_rows", "n_columns"), [(3, 0), (0, 3), (4, 3), (0, 15)])
def test_plane_wave_fills_one_shell(n_rows, n_columns):
    n, amplitude = 32, 2.0
    y, x = np.mgrid[:n, :n]
    wave = amplitude * np.cos(2 * np.pi * (n_rows * y + n_columns * x) / n) + 7.0
    power = power_spectrum(maps(wave[None]), pixel_mpch=PIXEL)[0]
    shell = round(np.hypot(n_rows, n_columns)) - 1
    # Variance amplitude^2 / 2 sits in the two modes +-k of a shell of n_modes.
    expected = (n * PIXEL) ** 2 * amplitude**2 / 2 / float(power["n_modes"][shell])
    assert power[shell] == pytest.approx(expected, rel=1e-10)
    assert float(abs(power.drop_isel(k=shell)).max()) < 1e-10 * expected


@pytest.mark.parametrize("n", [16, 17])
def test_shells_match_a_brute_force_sum_over_the_full_plane(n):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, n, n))
    shells = build_shells(n, PIXEL)
    freq = np.fft.fftfreq(n, 1 / n)
    radius = np.hypot(freq[:, None], freq[None, :])
    cross = (np.fft.fft2(a) * np.fft.fft2(b).conj()).real * shells.norm
    got = shell_power(fourier_modes(a), fourier_modes(b), shells)
    for s in range(1, n // 2 + 1):
        inside = np.rint(radius) == s
        assert shells.n_modes[s - 1] == inside.sum()
        assert got[s - 1] == pytest.approx(cross[inside].mean(), rel=1e-9)
        assert shells.k_hmpc[s - 1] == pytest.approx(
            radius[inside].mean() * 2 * np.pi / (n * PIXEL)
        )


def test_float32_keeps_a_small_signal_on_a_large_mean():
    rng = np.random.default_rng(3)
    field = 1e4 + rng.normal(size=(1, 32, 32))
    exact = power_spectrum(maps(field), pixel_mpch=PIXEL)
    single = power_spectrum(maps(field.astype(np.float32)), pixel_mpch=PIXEL)
    assert single.values == pytest.approx(exact.values, rel=2e-3)


def test_filter_is_its_own_transfer_function_and_correlates_fully():
    rng = np.random.default_rng(4)
    n = 32
    field = rng.normal(size=(3, n, n))
    gain = 1.0 / (1.0 + shell_index(n))
    filtered = np.fft.irfft2(np.fft.rfft2(field) * gain, s=(n, n))
    a, b = maps(field), maps(filtered)
    p_a, p_b = power_spectrum(a, pixel_mpch=PIXEL), power_spectrum(b, pixel_mpch=PIXEL)
    cross = power_spectrum(a, b, pixel_mpch=PIXEL)
    expected = 1.0 / (1.0 + np.arange(1, n // 2 + 1))
    assert transfer_function(cross, p_a).values == pytest.approx(np.tile(expected, (3, 1)))
    assert power_ratio(p_b, p_a).values == pytest.approx(np.tile(expected**2, (3, 1)))
    assert correlation_coefficient(cross, p_a, p_b).values == pytest.approx(1.0)


def test_empty_fields_have_no_correlation_and_an_undefined_ratio():
    empty = power_spectrum(maps(np.zeros((1, 8, 8))), pixel_mpch=PIXEL)
    noise = power_spectrum(maps(np.random.default_rng(5).normal(size=(1, 8, 8))), pixel_mpch=PIXEL)
    assert np.isnan(correlation_coefficient(empty, empty, noise)).all()
    assert np.isnan(power_ratio(empty, empty)).all()
    assert np.isposinf(power_ratio(noise, empty)).all()


@pytest.mark.parametrize("shape", [(2, 2), (8, 6)])
def test_unfit_maps_are_refused(shape):
    with pytest.raises(ValueError, match=r"square|at least 4"):
        power_spectrum(maps(np.ones((1, *shape))), pixel_mpch=PIXEL)
