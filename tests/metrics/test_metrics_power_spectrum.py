"""Spectra against closed forms: white noise, a plane wave, Parseval, a linear filter."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics.power_spectrum import (
    build_shells,
    correlation_coefficient,
    fourier_modes,
    mode_weight,
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


@pytest.mark.parametrize("shape", [(2, 2), (8, 3)])
def test_unfit_maps_are_refused(shape):
    with pytest.raises(ValueError, match="at least 4"):
        power_spectrum(maps(np.ones((1, *shape))), pixel_mpch=PIXEL)


@pytest.mark.parametrize("shape", [(12, 32), (32, 12), (9, 16)])
def test_shells_of_maps_that_are_not_square_hold_all_modes_up_to_nyquist(shape):
    """White noise keeps the area of a pixel, and shells are those of a brute force."""
    noise = np.random.default_rng(4).normal(size=(200, *shape))
    power = power_spectrum(maps(noise), pixel_mpch=PIXEL)
    error = PIXEL**2 * np.sqrt(2.0 / (200 * power["n_modes"]))
    assert float((abs(power.mean("sample") - PIXEL**2) / error).max()) < 4.5
    longest = max(shape)
    along = [2 * np.pi * np.fft.fftfreq(n, PIXEL) for n in shape]
    radius = np.hypot(along[0][:, None], along[1][None, :])
    shell = np.rint(radius * longest * PIXEL / (2 * np.pi))
    inside = [radius[shell == s] for s in range(1, longest // 2 + 1)]
    assert power["n_modes"].values == pytest.approx([len(each) for each in inside])
    assert power["k"].values == pytest.approx([each.mean() for each in inside])


@pytest.mark.parametrize(("shape", "waves"), [((12, 32), (0, 8)), ((12, 32), (3, 0))])
def test_waves_of_one_length_fall_into_one_shell_along_either_side(shape, waves):
    y, x = np.mgrid[: shape[0], : shape[1]]
    wave = np.cos(2 * np.pi * (waves[0] * y / shape[0] + waves[1] * x / shape[1]))
    power = power_spectrum(maps(wave[None]), pixel_mpch=PIXEL)[0]
    assert int(power.values.argmax()) == 7  # four pixels, an eighth of the longer side
    assert float(power.drop_isel(k=7).max()) < 1e-10 * float(power[7])


@pytest.mark.parametrize("n", [4, 5, 8, 9])
def test_parseval_gives_back_the_variance_within_the_nyquist_shell(n):
    """Power summed over modes is the variance of what the shells hold, for odd and even maps."""
    freq = np.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.hypot(freq[:, None], freq[None, :]))
    modes = np.fft.fft2(np.random.default_rng(6).normal(size=(n, n)))
    field = np.fft.ifft2(np.where((shell >= 1) & (shell <= n // 2), modes, 0.0)).real
    power = power_spectrum(maps(field[None]), pixel_mpch=PIXEL)[0]
    assert power.sizes["k"] == n // 2
    variance = float((power * power["n_modes"]).sum()) / (n * PIXEL) ** 2
    assert variance == pytest.approx(field.var(), rel=1e-12)


def test_shells_are_built_once_and_those_of_another_map_are_others():
    assert build_shells(8, 1.0) is build_shells(8, 1.0)
    assert build_shells(8, 1.0) != build_shells(8, 2.0)


@pytest.mark.parametrize("n", [4, 5])
def test_weights_count_every_mode_of_the_full_plane_once(n):
    weight = mode_weight(n)
    assert weight.shape == (n, n // 2 + 1)
    assert weight.sum() == n * n


def test_shells_of_four_pixels_are_counted_by_hand():
    """|k| of 1 and sqrt(2) in the first shell, 2 and sqrt(5) in the second."""
    shells = build_shells(4, 0.5)
    assert shells.n_modes.tolist() == [8.0, 6.0]
    fundamental = 2 * np.pi / 2.0
    first, second = (4 + 4 * np.sqrt(2)) / 8, (2 * 2 + 4 * np.sqrt(5)) / 6
    assert shells.k_hmpc == pytest.approx([fundamental * first, fundamental * second])
    assert shells.norm == pytest.approx(2.0**2 / 4**4)
    assert shells.weight[shells.index == 0].tolist() == pytest.approx([0.0, 0.0])


def test_the_smallest_map_has_four_pixels_a_side():
    with pytest.raises(ValueError, match="at least 4 pixels a side, got 3"):
        build_shells(3, 1.0)
    assert power_spectrum(maps(np.eye(4)[None]), pixel_mpch=1.0).shape == (1, 2)


def test_a_spectrum_does_not_depend_on_the_order_of_dimensions():
    rng = np.random.default_rng(7)
    a, b = (maps(rng.normal(size=(3, 8, 8))) for _ in range(2))
    a = a.assign_coords(sample=[4, 5, 6])
    turned = power_spectrum(a, b.transpose("y", "x", "sample"), pixel_mpch=PIXEL)
    xr.testing.assert_allclose(turned, power_spectrum(a, b, pixel_mpch=PIXEL))
    xr.testing.assert_allclose(
        power_spectrum(a.transpose("y", "sample", "x"), pixel_mpch=PIXEL),
        power_spectrum(a, pixel_mpch=PIXEL),
    )
    assert turned["sample"].values.tolist() == [4, 5, 6]
    assert turned.attrs["units"] == Unit.POWER_2D


def test_cross_power_of_opposite_and_of_shifted_fields():
    field = np.random.default_rng(8).normal(size=(1, 8, 8))
    power = power_spectrum(maps(field), pixel_mpch=PIXEL)
    opposite = power_spectrum(maps(field), maps(-field), pixel_mpch=PIXEL)
    xr.testing.assert_allclose(opposite, -power)
    assert correlation_coefficient(opposite, power, power).values == pytest.approx(-1.0)
    wave = np.cos(2 * np.pi * np.arange(8) / 8) * np.ones((1, 8, 1))
    quarter = power_spectrum(maps(wave), maps(np.roll(wave, 2, axis=2)), pixel_mpch=PIXEL)
    assert np.abs(quarter.values).max() < 1e-12  # a cosine and a sine


def test_the_mean_of_a_map_is_removed():
    field = np.random.default_rng(9).normal(size=(2, 8, 8)) + 5.0
    assert fourier_modes(field)[:, 0, 0] == pytest.approx(0.0, abs=1e-12)
    assert fourier_modes(field.astype(np.float32)).dtype == np.complex64


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_ratios_of_spectra_have_no_unit(unit):
    a, b, cross = (xr.DataArray([unit * value]) for value in (4.0, 9.0, 3.0))
    assert float(correlation_coefficient(cross, a, b)[0]) == pytest.approx(0.5)
    assert float(transfer_function(cross, a)[0]) == pytest.approx(0.75)
    assert float(power_ratio(a, b)[0]) == pytest.approx(4 / 9)
    assert np.isnan(transfer_function(cross, 0 * a)).all()
    for ratio in (
        correlation_coefficient(cross, a, b), transfer_function(cross, a), power_ratio(a, b)
    ):  # fmt: skip
        assert ratio.attrs["units"] == Unit.DIMENSIONLESS
