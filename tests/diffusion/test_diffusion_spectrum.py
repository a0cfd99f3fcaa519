"""The data's spectrum, the rules for gamma_max that follow, and the start that needs none."""

import math

import pytest
import torch

from analysis.benchmarks.gaussian_field import build_field, run_exactly
from emulator.diffusion.solvers import build_solver, gamma_grid
from emulator.diffusion.spectrum import (
    ModeStatistics,
    expected_error,
    fit_modes,
    required_gamma_max,
    spectral_start,
)

SIDE = 16


def shells():
    k = torch.fft.fftfreq(SIDE, 1 / SIDE).double()
    return torch.hypot(k[:, None], k[None, :]).round().long()


def coloured(noise, power):
    """Periodic field of the given power in each shell, in units of white noise."""
    modes = torch.fft.fft2(noise) * power[shells()].sqrt()
    return torch.fft.ifft2(modes).real


def correlated_fields(batch, seed=0):
    """A condition, and a field that follows it by a factor T(k) with residual power."""
    generator = torch.Generator().manual_seed(seed)
    k = torch.arange(12).double()
    power, transfer, residual = 30 / (1 + k) ** 1.5, 0.8 - 0.05 * k, 6 / (1 + k) ** 1.5
    shape = (batch, SIDE, SIDE)
    condition = coloured(torch.randn(shape, generator=generator, dtype=torch.float64), power)
    rest = coloured(torch.randn(shape, generator=generator, dtype=torch.float64), residual)
    x = coloured_by(condition, transfer) + rest
    total = transfer**2 * power + residual
    return x.unsqueeze(1), condition, ModeStatistics(total[None], residual[None], transfer[None])


def coloured_by(field, factor):
    return torch.fft.ifft2(torch.fft.fft2(field) * factor[shells()]).real


def test_spectra_of_a_known_field():
    x, condition, truth = correlated_fields(4000)
    found = fit_modes(x, condition)
    torch.testing.assert_close(found.power[:, :12], truth.power, rtol=0.1, atol=0)
    torch.testing.assert_close(found.residual[:, :12], truth.residual, rtol=0.1, atol=0)
    torch.testing.assert_close(found.transfer[:, :12], truth.transfer, rtol=0, atol=0.02)


def test_white_noise_has_unit_power_in_two_and_three_dimensions():
    for shape in ((2000, 1, 8, 8), (500, 1, 8, 8, 8)):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        condition = torch.randn_like(x)[:, 0]
        power = fit_modes(x, condition).power
        torch.testing.assert_close(power, torch.ones_like(power), rtol=0, atol=0.15)


def test_a_condition_without_power_explains_nothing():
    x, condition, _ = correlated_fields(10)
    found = fit_modes(x, torch.zeros_like(condition))
    torch.testing.assert_close(found.residual, found.power)
    assert not found.transfer.any()


@pytest.mark.parametrize("gamma_max", [6.0, 8.0, 11.0])
def test_the_rules_are_what_an_exact_solver_does(gamma_max):
    """The error of N(0, I) at gamma_max, of fields that can be integrated exactly."""
    solver, grid = build_solver("unipc3"), gamma_grid(gamma_max, -14.0, 300)
    field = build_field()
    found = run_exactly(field, solver, grid).power_error
    assert found == pytest.approx(float(field.power.max()) * math.exp(-gamma_max), rel=0.1)
    field = build_field(conditional=True)
    modes = ModeStatistics(field.power[None], field.residual[None], field.response[None])
    found = run_exactly(field, solver, grid).power_error
    assert found == pytest.approx(float(expected_error(modes, gamma_max)), rel=0.15)
    needed = float(required_gamma_max(modes))
    assert float(expected_error(modes, needed)) == pytest.approx(0.01)


def test_the_rules_in_numbers():
    """ln(100 P_max), and 2 ln(200 r^2 sqrt(P_c)) at the worst r^2 that is not below the known."""
    power = torch.tensor([[4.0, 1e5]])
    modes = ModeStatistics(power, torch.tensor([[2.0, 1e-2]]), 0 * power)
    assert float(required_gamma_max(modes)) == pytest.approx(math.log(1e7))
    modes = ModeStatistics(power[:, :1], torch.tensor([[0.4]]), 0 * power)
    expected = 2 * math.log(200 * 0.9 * math.sqrt(0.4))
    assert float(required_gamma_max(modes)) == pytest.approx(expected)
    modes = ModeStatistics(power[:, :1], power[:, :1], 0 * power)
    expected = 2 * math.log(200 * 2 / 3 * math.sqrt(4.0 / 3))
    assert float(required_gamma_max(modes)) == pytest.approx(expected)


def test_a_spectral_start_has_the_marginal_of_the_data():
    """At a gamma where much of the data is left: power, and regression on the condition."""
    gamma, batch = 2.0, 6000
    x, condition, truth = correlated_fields(batch)
    generator = torch.Generator().manual_seed(9)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    z = spectral_start(noise, condition, truth, gamma)
    alpha2 = 1 / (1 + math.exp(gamma))
    found = fit_modes(z, condition)
    expected = alpha2 * truth.power + (1 - alpha2)
    torch.testing.assert_close(found.power[:, :12], expected, rtol=0.1, atol=0)
    torch.testing.assert_close(
        found.transfer[:, :12], math.sqrt(alpha2) * truth.transfer, rtol=0, atol=0.02
    )
    # where nothing is left of the data it is the noise itself, bit for bit up to rounding
    torch.testing.assert_close(spectral_start(noise, condition, truth, 60.0), noise)


def test_statistics_survive_json():
    _, _, truth = correlated_fields(2)
    again = ModeStatistics.from_lists(truth.to_lists())
    torch.testing.assert_close(again.power.double(), truth.power)
    torch.testing.assert_close(again.transfer.double(), truth.transfer)
