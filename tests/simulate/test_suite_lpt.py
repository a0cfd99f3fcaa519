"""Noise and displacements against identities and plane waves."""

import numpy as np

from emulator.simulate.cosmology import Cosmology, Growth, LinearPower
from emulator.simulate.lpt import (
    initial_particles,
    lagrangian_displacements,
    linear_density_modes,
    white_noise_modes,
)

BOX = 20.0


def lattice(n: int) -> tuple[np.ndarray, ...]:
    side = np.arange(n) * BOX / n
    return tuple(np.meshgrid(side, side, side, indexing="ij"))


def test_noise_is_nested_bit_for_bit() -> None:
    small, large = white_noise_modes(16, 3), white_noise_modes(24, 3)
    index = np.fft.fftfreq(16, 1 / 16).astype(int)
    inside = np.abs(index) < 8
    i = index[inside]
    np.testing.assert_array_equal(
        small[np.ix_(inside, inside, range(8))], large[np.ix_(i, i, range(8))]
    )
    assert not np.array_equal(small, white_noise_modes(16, 4))


def test_noise_is_white_and_real() -> None:
    n = 32
    modes = white_noise_modes(n, 1)
    field = np.fft.irfftn(modes)
    # Only a Hermitian set of modes survives the round trip.
    np.testing.assert_allclose(np.fft.rfftn(field), modes, atol=1e-12)
    drawn = np.abs(modes[modes != 0]) ** 2
    assert len(drawn) == (n - 1) ** 2 * (n // 2) - 1
    assert abs(drawn.mean() - 1.0) < 5.0 / np.sqrt(len(drawn))
    assert abs(np.corrcoef(modes.real[modes != 0], modes.imag[modes != 0])[0, 1]) < 0.03


def test_density_modes_have_the_linear_power() -> None:
    n, power = 32, LinearPower(Cosmology(0.3, 0.8))
    density = np.fft.irfftn(linear_density_modes(n, BOX, power, 5))
    frequency = 2 * np.pi / BOX * np.fft.fftfreq(n, 1 / n)
    k = np.sqrt(sum(np.meshgrid(frequency**2, frequency**2, frequency**2)))
    # Without the Nyquist planes, the power of each mode over its expectation averages to one.
    used = (np.abs(np.stack(np.meshgrid(*[frequency] * 3))) < np.pi * n / BOX * 0.99).all(axis=0)
    used[0, 0, 0] = False
    measured = np.abs(np.fft.fftn(density)) ** 2 * BOX**3 / n**6
    ratio = measured[used] / power(k[used])
    assert abs(ratio.mean() - 1.0) < 5.0 / np.sqrt(len(ratio) / 2)


def test_plane_wave_is_zeldovich() -> None:
    n, amplitude, k = 16, 0.3, 2 * np.pi / BOX * 2
    x, _, _ = lattice(n)
    fields = lagrangian_displacements(np.fft.rfftn(amplitude * np.cos(k * x)), BOX)
    np.testing.assert_allclose(fields.first[0], -amplitude / k * np.sin(k * x), atol=1e-12)
    np.testing.assert_allclose(fields.first[1:], 0.0, atol=1e-12)
    np.testing.assert_allclose(fields.second, 0.0, atol=1e-12)


def test_crossed_waves_have_their_closed_second_order() -> None:
    n, a, b, k = 16, 0.3, 0.2, 2 * np.pi / BOX
    x, y, _ = lattice(n)
    density = a * np.cos(k * x) + b * np.cos(k * y)
    second = lagrangian_displacements(np.fft.rfftn(density), BOX).second
    # phi_2 = -(ab / 2k^2) cos kx cos ky
    scale = a * b / (2 * k)
    np.testing.assert_allclose(second[0], scale * np.sin(k * x) * np.cos(k * y), atol=1e-12)
    np.testing.assert_allclose(second[1], scale * np.cos(k * x) * np.sin(k * y), atol=1e-12)
    np.testing.assert_allclose(second[2], 0.0, atol=1e-12)


def test_momenta_are_the_time_derivative_of_positions() -> None:
    n, cosmology = 8, Cosmology(0.3, 0.8)
    growth = Growth(cosmology)
    x, y, z = lattice(n)
    k = 2 * np.pi / BOX
    density = 2.0 * np.cos(k * x) + 2.0 * np.cos(k * y) * np.cos(k * z)
    fields = lagrangian_displacements(np.fft.rfftn(density), BOX)
    a, step = 0.1, 1e-3
    _, momenta = initial_particles(fields, BOX, a, growth)
    later, _ = initial_particles(fields, BOX, a + step, growth)
    earlier, _ = initial_particles(fields, BOX, a - step, growth)
    expected = a**3 * cosmology.expansion_rate(a) * (later - earlier) / (2 * step)
    np.testing.assert_allclose(momenta, expected, rtol=0.01, atol=2e-3 * np.abs(momenta).max())
