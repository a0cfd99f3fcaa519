"""Figures of painted boxes beside the truth, against cases whose answer is known."""

import numpy as np
import pytest
import xarray as xr

from analysis.benchmarks.painting_modes import LARGE, _binned, _mean_and_scatter, _window_slopes
from emulator.metrics.power_spectrum import power_spectrum

PIXEL, N, WINDOW = 0.2, 64, 16


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    white = np.fft.rfft2(rng.normal(size=(N, N)))
    away = np.hypot(np.fft.fftfreq(N)[:, None], np.fft.rfftfreq(N)[None])
    field = np.fft.irfft2(white / (0.05 + away), s=(N, N))
    return np.exp(0.3 * field / field.std())


def test_members_that_are_the_truth_have_its_power_and_no_scatter(truth):
    found = _mean_and_scatter([np.stack([truth] * 3)], [truth], PIXEL)
    for part, expected in (("member", 1.0), ("mean", 1.0), ("cross", 1.0), ("scatter", 0.0)):
        np.testing.assert_allclose(found[part], expected, atol=1e-9)


def test_mean_and_scatter_are_told_apart_whatever_the_number_of_members(truth):
    """White noise of known power upon a mean that is half of the fluctuations of the truth."""
    rng = np.random.default_rng(1)
    mean = 1.0 + 0.5 * (truth / truth.mean() - 1.0)
    for n_members in (2, 8):
        members = [mean + 0.2 * rng.normal(size=(n_members, N, N)) for _ in range(40)]
        found = _mean_and_scatter(members, [truth] * 40, PIXEL)
        for low, high in LARGE[2:]:
            assert _binned(found["mean"], low, high) == pytest.approx(0.25, rel=0.05)
            assert _binned(found["cross"], low, high) == pytest.approx(0.5, rel=0.02)
        flat = power_spectrum(xr.DataArray(truth / truth.mean(), dims=("y", "x")), pixel_mpch=PIXEL)
        noise = 0.2**2 * PIXEL**2  # power of white noise: its variance times the area of a pixel
        np.testing.assert_allclose((found["scatter"] * flat).mean(), noise, rtol=0.05)


def test_slopes_of_windows_are_those_of_a_line(truth):
    dmo = truth / truth.mean()
    members = np.stack([0.9 * dmo + 0.1, 0.9 * dmo + 0.1])
    painted, true, empty, dense = map(float, _window_slopes([members], [dmo], [dmo], WINDOW))
    assert (painted, true) == (0.9, 1.0)
    assert empty > 1.0 > dense
