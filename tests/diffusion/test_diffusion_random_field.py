"""Gaussian random fields of several channels: spectra that are known, recovered and drawn."""

import math

import numpy as np
import pytest
import torch

from emulator.diffusion.random_field import cross_spectrum, draw_field

SIDE, N_SHELLS = 16, 12
K = torch.arange(N_SHELLS).double()
POWER = torch.stack([30 / (1 + K) ** 1.5, 0.2 + 4 / (1 + K), 1.0 + 0.0 * K])
CORRELATION = torch.stack([0.8 - 0.07 * K, -0.4 + 0.02 * K, 0.0 * K])
"""Of channels 0 and 1, 0 and 2, 1 and 2."""


def known_spectrum():
    """``(shell, 3, 3)`` from the powers and correlations above."""
    matrix = torch.diag_embed(POWER.T)
    for row, (i, j) in zip(CORRELATION, ((0, 1), (0, 2), (1, 2)), strict=True):
        matrix[:, i, j] = matrix[:, j, i] = row * (POWER[i] * POWER[j]).sqrt()
    assert (torch.linalg.eigvalsh(matrix) > 0).all()
    return matrix


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def modes_of_shells():
    """Independent real numbers of one window in each shell: a mode and its conjugate are one."""
    k = np.fft.fftfreq(SIDE, 1 / SIDE)
    shell = np.rint(np.hypot(k[:, None], k[None, :])).astype(int)
    return torch.as_tensor(np.bincount(shell.ravel())).double()


def errors(matrix, n_samples):
    """Four standard errors of every element: Var(S_ij) = (S_ii S_jj + S_ij^2) / n."""
    power = torch.diagonal(matrix, dim1=1, dim2=2)
    variance = power[:, :, None] * power[:, None, :] + matrix**2
    return 4 * (variance / (n_samples * modes_of_shells()[:, None, None])).sqrt()


def test_the_spectrum_is_that_of_its_definition():
    """Mode by mode, from the sum that defines a Fourier transform."""
    side, x = 4, noise(3, 2, 4, 4)
    sums, counts = np.zeros((4, 2, 2)), np.zeros(4)
    rows, columns = np.mgrid[:side, :side]
    for ky in range(-2, 2):
        for kx in range(-2, 2):
            wave = np.exp(-2j * np.pi * (ky * rows + kx * columns) / side)
            modes = (x.numpy() * wave).sum((2, 3))
            shell = round(math.hypot(ky, kx))
            counts[shell] += 1
            for mode in modes:
                sums[shell] += np.outer(mode, mode.conj()).real / (len(x) * side**2)
    expected = sums / np.maximum(counts, 1)[:, None, None]
    torch.testing.assert_close(cross_spectrum(x), torch.as_tensor(expected), rtol=1e-12, atol=1e-12)


def test_the_power_of_all_modes_is_the_mean_square():
    x = noise(5, 2, SIDE, SIDE) + 3.0
    share = modes_of_shells() / SIDE**2
    total = torch.einsum("k,kij->ij", share, cross_spectrum(x))
    expected = torch.einsum("niyx,njyx->ij", x, x) / (5 * SIDE**2)
    torch.testing.assert_close(total, expected)


def test_channels_that_are_mixed_in_space_have_the_spectrum_that_follows():
    """x1 = -2 x0 + y with independent y: S01 = -2 P, S11 = 4 P + P_y. No root was taken here."""
    n = 3000
    white = noise(n, 2, SIDE, SIDE)
    x = torch.stack([white[:, 0], -2.0 * white[:, 0] + 3.0 * white[:, 1]], dim=1)
    expected = torch.tensor([[1.0, -2.0], [-2.0, 13.0]]).double().expand(N_SHELLS, 2, 2)
    assert ((cross_spectrum(x) - expected).abs() < errors(expected, n)).all()


def test_drawn_fields_have_the_spectrum_and_the_correlations():
    n, matrix = 2000, known_spectrum()
    found = cross_spectrum(draw_field(noise(n, 3, SIDE, SIDE, seed=1), matrix))
    assert ((found - matrix).abs() < errors(matrix, n)).all()
    # and the test would see a field without correlations between its channels
    alone = torch.diag_embed(torch.diagonal(matrix, dim1=1, dim2=2))
    other = cross_spectrum(draw_field(noise(n, 3, SIDE, SIDE, seed=1), alone))
    assert not ((other - matrix).abs() < errors(matrix, n)).all()


def test_a_spectrum_that_was_measured_is_drawn_again():
    """From one sample to another of other noise, as the baseline does."""
    matrix = known_spectrum()
    measured = cross_spectrum(draw_field(noise(1500, 3, SIDE, SIDE, seed=2), matrix))
    again = cross_spectrum(draw_field(noise(1500, 3, SIDE, SIDE, seed=3), measured))
    assert ((again - measured).abs() < 1.1 * errors(matrix, 1500)).all()


def test_drawn_pixels_are_gaussian_with_the_variance_of_all_modes():
    matrix = known_spectrum()
    pixels = draw_field(noise(4000, 3, SIDE, SIDE, seed=4), matrix)[:, :, 5, 7]
    variance = torch.einsum("k,kij->ij", modes_of_shells() / SIDE**2, matrix)
    found = pixels.T @ pixels / len(pixels)
    scale = variance.diagonal().sqrt()
    torch.testing.assert_close(
        found / scale / scale[:, None], variance / scale / scale[:, None], rtol=0, atol=0.1
    )
    kurtosis = ((pixels / scale) ** 4).mean(0)
    torch.testing.assert_close(kurtosis, torch.full((3,), 3.0).double(), rtol=0, atol=0.5)


def test_a_channel_that_is_zero_and_one_that_is_a_copy_can_be_drawn():
    """A Cholesky factor does not exist; the fields are what the matrix says all the same."""
    matrix = torch.zeros(N_SHELLS, 3, 3).double()
    matrix[:, :2, :2] = POWER[0][:, None, None]
    field = draw_field(noise(10, 3, SIDE, SIDE), matrix)
    torch.testing.assert_close(field[:, 0], field[:, 1])
    assert field[:, 2].abs().max() < 1e-6
    assert field[:, 0].std() > 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_shape_are_those_of_the_noise(dtype):
    field = draw_field(noise(2, 3, SIDE, SIDE).to(dtype), known_spectrum())
    assert (field.dtype, field.shape) == (dtype, (2, 3, SIDE, SIDE))
