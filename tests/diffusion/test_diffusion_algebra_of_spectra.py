"""Spectra by loops over modes, and the rules and starts that follow from them."""

import math

import numpy as np
import pytest
import torch

from emulator.diffusion.spectrum import (
    ModeStatistics,
    expected_error,
    fit_modes,
    required_gamma_max,
    spectral_start,
)


def draws(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def shells(rows, columns):
    """Nearest integer of |k| in units of the longest wave, of windows that need not be square."""
    longest = max(rows, columns)
    y, x = (np.fft.fftfreq(n) * longest for n in (rows, columns))
    return np.rint(np.hypot(y[:, None], x[None, :])).astype(int)


@pytest.mark.parametrize("side", [(4, 4), (6, 3)])
def test_spectra_are_means_over_samples_and_modes_of_a_shell(side):
    x, condition = draws(3, 2, *side), draws(3, *side, seed=1)
    found, shell = fit_modes(x, condition), shells(*side)
    known = np.fft.fft2(condition.numpy())
    for channel in range(2):
        modes = np.fft.fft2(x.numpy()[:, channel])
        for s in range(shell.max() + 1):
            inside = shell == s
            power = (np.abs(modes[:, inside]) ** 2).mean() / math.prod(side)
            cross = (modes * known.conj()).real[:, inside].mean() / math.prod(side)
            basis = (np.abs(known[:, inside]) ** 2).mean() / math.prod(side)
            assert float(found.power[channel, s]) == pytest.approx(power)
            assert float(found.transfer[channel, s]) == pytest.approx(cross / basis)
            assert float(found.residual[channel, s]) == pytest.approx(power - cross**2 / basis)


def test_a_field_that_is_its_condition_leaves_no_power():
    condition = draws(2, 4, 4)
    found = fit_modes(2.0 * condition[:, None], condition)
    torch.testing.assert_close(found.transfer, torch.full_like(found.transfer, 2.0))
    assert (found.residual >= 0).all()
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), atol=1e-9, rtol=0)


def statistics(power, residual):
    power, residual = (torch.tensor(values).double() for values in (power, residual))
    return ModeStatistics(power, residual, torch.zeros_like(power))


def test_each_channel_has_its_own_rule():
    """By power alone, by the mean of a half-known mode, and with modes that have no power."""
    modes = statistics(
        [[300.0, 2.0, 0.0], [9.0, 1.0, 1.0], [4.0, 0.5, 0.0]],
        [[300.0, 2.0, 0.0], [1.8, 1.0, 0.1], [4.0, 0.5, 0.0]],
    )
    factors = [
        max(2 * r2 * math.sqrt(p * (1 - r2)) for p, r2 in rows)
        for rows in (
            [(300.0, 2 / 3), (2.0, 2 / 3)],
            [(9.0, 0.8), (1.0, 2 / 3), (1.0, 0.9)],
            [(4.0, 2 / 3), (0.5, 2 / 3)],
        )
    ]
    powers = [300.0, 9.0, 4.0]
    gamma, tolerance = 3.0, 0.02
    errors = [
        max(p * math.exp(-gamma), f * math.exp(-gamma / 2))
        for p, f in zip(powers, factors, strict=True)
    ]
    assert expected_error(modes, gamma).tolist() == pytest.approx(errors)
    needed = [
        max(math.log(p / tolerance), 2 * math.log(f / tolerance))
        for p, f in zip(powers, factors, strict=True)
    ]
    assert required_gamma_max(modes, tolerance).tolist() == pytest.approx(needed)
    torch.testing.assert_close(required_gamma_max(modes), required_gamma_max(modes, 0.01))


def test_a_large_power_rules_at_low_gamma():
    modes = statistics([[1e6]], [[1e6]])
    assert float(expected_error(modes, 2.0)) == pytest.approx(1e6 * math.exp(-2.0))
    assert float(expected_error(modes, 30.0)) == pytest.approx(
        4 / 3 * math.sqrt(1e6 / 3) * math.exp(-15.0)
    )


@pytest.mark.parametrize("side", [(4, 4), (6, 3)])
def test_a_spectral_start_filters_noise_and_condition(side):
    noise, condition, gamma = draws(2, 2, *side), draws(2, *side, seed=1), 0.7
    shell = shells(*side)
    n = shell.max() + 1
    generator = np.random.default_rng(0)
    transfer, residual = generator.normal(size=(2, n)), generator.gamma(2.0, 1.0, (2, n))
    modes = ModeStatistics(*(torch.tensor(v) for v in (residual + 1.0, residual, transfer)))
    found = spectral_start(noise, condition, modes, gamma)
    alpha2 = 1 / (1 + math.exp(gamma))
    for i, c in np.ndindex(2, 2):
        spread = np.sqrt(alpha2 * residual[c] + 1 - alpha2)[shell]
        z = spread * np.fft.fft2(noise[i, c])
        z = z + math.sqrt(alpha2) * transfer[c][shell] * np.fft.fft2(condition[i])
        np.testing.assert_allclose(found[i, c], np.fft.ifft2(z).real, rtol=1e-9, atol=1e-12)
    assert spectral_start(noise.float(), condition, modes, gamma).dtype == torch.float32


def test_statistics_are_told_as_lists_by_name():
    modes = statistics([[1.0, 2.0]], [[0.5, 1.0]])
    assert modes.to_lists() == {
        "power": [[1.0, 2.0]], "residual": [[0.5, 1.0]], "transfer": [[0.0, 0.0]],
    }  # fmt: skip
