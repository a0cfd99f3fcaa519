"""Statistics of volumes: spectra in shells of k in three dimensions, and who is measured."""

import numpy as np
import pytest
import xarray as xr

from emulator.domain import MATTER, VOLUMES
from emulator.metrics.energy import energy_score
from emulator.metrics.power_spectrum import (
    build_shells,
    correlation_coefficient,
    fourier_modes,
    power_spectrum,
    shell_power,
)
from emulator.metrics.registry import METRICS, metrics_of
from emulator.metrics.scores import square_means

PIXEL = 0.7


def array(values):
    lead = ("sample",) * (values.ndim - 3)
    return xr.DataArray(values, dims=(*lead, "z", "y", "x"))


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("shape", [(6, 6, 6), (7, 7, 7), (4, 6, 8)])
def test_power_agrees_with_a_sum_over_all_modes(rng, shape):
    """Mode by mode, from the definition, without any transform."""
    f, g = rng.normal(size=(2, *shape))
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).reshape(3, -1)
    longest, sums, cross, radii, counts = max(shape), {}, {}, {}, {}
    for m in places.T - np.array(shape) // 2:
        wave = np.exp(-2j * np.pi * (m / shape) @ places)
        radius = np.linalg.norm(m / shape) * longest
        shell = int(np.rint(radius))
        a, b = ((values - values.mean()).ravel() @ wave for values in (f, g))
        sums[shell] = sums.get(shell, 0.0) + abs(a) ** 2
        cross[shell] = cross.get(shell, 0.0) + (a * b.conj()).real
        radii[shell], counts[shell] = radii.get(shell, 0.0) + radius, counts.get(shell, 0) + 1
    volume, cells = np.prod(shape) * PIXEL**3, np.prod(shape)
    power = power_spectrum(array(f), pixel_mpch=PIXEL)
    both = power_spectrum(array(f), array(g), pixel_mpch=PIXEL)
    shells = range(1, longest // 2 + 1)
    np.testing.assert_array_equal(power["n_modes"], [counts[s] for s in shells])
    for found, expected in ((power, sums), (both, cross)):
        wanted = [volume / cells**2 * expected[s] / counts[s] for s in shells]
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    k = [2 * np.pi / (longest * PIXEL) * radii[s] / counts[s] for s in shells]
    np.testing.assert_allclose(power["k"], k, rtol=1e-12)
    assert power.attrs["units"] == "(Mpc/h)^3"


def test_white_noise_has_the_volume_of_a_voxel(rng):
    noise = array(rng.normal(size=(8, 16, 16, 16)))
    power = power_spectrum(noise, pixel_mpch=PIXEL).mean("sample")
    scatter = np.sqrt(2.0 / (8 * power["n_modes"]))
    assert (abs(power / PIXEL**3 - 1.0) < 4 * scatter).all()


def test_a_plane_wave_lies_in_its_shell():
    x = np.arange(16)
    wave = np.sqrt(2) * np.cos(2 * np.pi * (2 * x[:, None, None] + 2 * x[:, None] + x) / 16)
    power = power_spectrum(array(wave), pixel_mpch=PIXEL)
    # |k| = 3; variance one is shared by two of the modes of the shell
    total = (power * power["n_modes"]).values / (16 * PIXEL) ** 3
    np.testing.assert_allclose(total, np.arange(1, 9) == 3, atol=1e-12)


def test_correlation_of_volumes_in_closed_form(rng):
    a, noise = rng.normal(size=(2, 40, 8, 8, 8))
    b = 3.0 * a + 4.0 * noise
    spectra = [
        power_spectrum(array(f), array(g), pixel_mpch=1.0).mean("sample")
        for f, g in ((a, b), (a, a), (b, b))
    ]
    r = correlation_coefficient(*spectra)
    assert (abs(r - 0.6) < 4 * 0.64 / np.sqrt(40 * r["n_modes"] / 2)).all()
    same = correlation_coefficient(spectra[1], spectra[1], spectra[1])
    np.testing.assert_allclose(same, 1.0)


def test_a_map_that_is_repeated_along_a_third_axis_has_its_modes_alone(rng):
    flat = rng.normal(size=(8, 8))
    modes = fourier_modes(np.broadcast_to(flat, (8, 8, 8)), 3)
    np.testing.assert_allclose(modes[0], 8 * fourier_modes(flat), atol=1e-10)
    np.testing.assert_allclose(modes[1:], 0.0, atol=1e-10)
    shells = build_shells((8, 8, 8), 1.0)
    assert shell_power(modes[None, None], modes[None, None], shells).shape == (1, 1, 4)


def test_means_over_cubes_and_the_distance_of_windows(rng):
    values = rng.normal(size=(2, 8, 8, 8))
    blocks = values.reshape(2, 4, 2, 4, 2, 4, 2).mean((2, 4, 6))
    np.testing.assert_allclose(square_means(array(values), 2), blocks)
    np.testing.assert_allclose(square_means(array(values), 8)[:, 0, 0, 0], values.mean((1, 2, 3)))
    dims = ("sample", "member", "channel", "z", "y", "x")
    members = xr.DataArray(
        rng.normal(size=(2, 3, 1, 4, 4, 4)), dims=dims, coords={"channel": ["a"]}
    )
    truth = members.isel(member=0) + 1.0
    y, x = truth.values[:, 0], members.values[:, :, 0]

    def norm(d):
        return np.sqrt((d**2).mean((-3, -2, -1)))

    apart = sum(norm(x[:, i] - x[:, j]) for i in range(3) for j in range(3))
    expected = norm(x - y[:, None]).mean(1) - apart / 12
    np.testing.assert_allclose(energy_score(members, truth)[:, 0], expected)


def test_volumes_are_measured_by_metrics_that_know_them():
    assert metrics_of(MATTER) == METRICS
    names = {metric.name for metric in metrics_of(VOLUMES)}
    assert names >= {
        "power_ratio", "correlation", "scores", "spread_skill", "ranks", "masses", "response",
    }  # fmt: skip
    assert names.isdisjoint({"halo_stacks", "halo_scatter", "bispectrum", "ssim", "extrema"})
