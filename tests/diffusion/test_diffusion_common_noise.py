"""Bounds with common noise: of Gaussian data exact, and far more precise in differences."""

import math

import pytest
import torch
from gaussians import MEAN, TAU2, gaussian_denoiser, gaussian_draws

from emulator.diffusion.common_noise import common_bound
from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.process import alpha_sigma, expand

NOISE = 0.3
RANGE = {"gamma_min": 2 * math.log(NOISE), "gamma_max": 13.0}


def denoiser_of(shifts):
    """Perfect denoiser of x ~ N(MEAN + shift, TAU2), a shift for each row."""

    def denoise(z, gamma):
        alpha, _ = alpha_sigma(expand(gamma.to(z), z))
        moved = alpha * shifts.to(z)[:, None, None, None]
        read = gaussian_denoiser(z - moved, gamma)
        return Prediction(read.x + shifts.to(z)[:, None, None, None], read.eps)

    return denoise


def exact(x, shifts):
    """``E ln N(x + s eps; m, tau^2 + s^2)``, summed over values."""
    mean, variance = MEAN + shifts[:, None, None, None], TAU2 + NOISE**2
    nats = (2 * math.pi * variance).log() + ((x - mean) ** 2 + NOISE**2) / variance
    return -0.5 * nats.flatten(1).sum(1)


def bounds(x, shifts, n_noise, seed):
    generator = torch.Generator().manual_seed(seed)
    return common_bound(denoiser_of(shifts), x, n_noise=n_noise, generator=generator, **RANGE)


def test_the_bound_of_a_gaussian_is_its_density_with_noise():
    x = gaussian_draws(6)[0]
    shifts = torch.zeros(6, dtype=torch.float64)
    found = torch.stack([bounds(x, shifts, 64, seed).nats for seed in range(200)])
    error = found.std(0) / math.sqrt(200)
    assert ((found.mean(0) - exact(x, shifts)).abs() < 4 * error).all()
    assert (error < 0.5).all()


def test_differences_are_right_more_precise_and_know_their_error():
    """A shift of the mean by 0.1 in 32 values: 1.3 nats in the mean over data."""
    x = gaussian_draws(1)[0].expand(3, -1, -1, -1)
    shifts = torch.tensor([0.0, 0.1, -0.1], dtype=torch.float64)
    many = [bounds(x, shifts, 64, seed) for seed in range(200)]
    values = torch.stack([bound.nats for bound in many])
    differences = values - values[:, :1]
    scatter = differences.std(0)
    truth = exact(x, shifts)
    assert ((differences.mean(0) - (truth - truth[0])).abs() <= 4 * scatter / math.sqrt(200)).all()
    assert (scatter[1:] < 0.2 * values.std(0)[1:]).all()
    said = torch.stack([bound.error_beside(0) for bound in many]).square().mean(0).sqrt()
    assert said[0] == 0
    assert (said[1:] > 0.75 * scatter[1:]).all()
    assert (said[1:] < 1.5 * scatter[1:]).all()


def test_values_that_no_loss_has_seen_are_left_out():
    """Of one channel: its density alone."""
    x = gaussian_draws(2)[0]
    counted = torch.zeros_like(x, dtype=torch.bool)
    counted[:, 1] = True
    shifts = torch.zeros(2, dtype=torch.float64)
    found = torch.stack([
        common_bound(
            denoiser_of(shifts), x, n_noise=64, counted=counted,
            generator=torch.Generator().manual_seed(seed), **RANGE,
        ).nats
        for seed in range(100)
    ])  # fmt: skip
    variance = TAU2 + NOISE**2
    nats = (2 * math.pi * variance).log() + ((x - MEAN) ** 2 + NOISE**2) / variance
    error = found.std(0) / 10
    assert ((found.mean(0) + 0.5 * nats[:, 1].flatten(1).sum(1)).abs() < 4 * error).all()


@pytest.mark.parametrize("options", [{"n_noise": 3}, {"n_noise": 0}, {"gamma_min": 14.0}])
def test_what_is_no_bound_is_refused(options):
    x = gaussian_draws(1)[0]
    given = {"n_noise": 4, **RANGE} | options
    with pytest.raises(ValueError, match="expected an even n_noise"):
        common_bound(gaussian_denoiser, x, generator=torch.Generator(), **given)
