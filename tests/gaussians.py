"""Gaussian data with their perfect denoiser: the independent truth of the tests of diffusion."""

import torch

from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.process import alpha_sigma, expand
from emulator.diffusion.times import low_discrepancy_times

TAU2 = torch.tensor([0.25, 4.0]).double()[None, :, None, None]
MEAN = torch.tensor([0.7, -1.2]).double()[None, :, None, None]


def gaussian_denoiser(z, gamma):
    """Perfect denoiser of x ~ N(MEAN, TAU2): E[x|z] by conjugacy."""
    alpha, sigma = alpha_sigma(expand(gamma.to(z), z))
    mean, tau2 = MEAN.to(z), TAU2.to(z)
    gain = alpha * tau2 / (alpha**2 * tau2 + sigma**2)
    x = mean + gain * (z - alpha * mean)
    return Prediction(x, (z - alpha * x) / sigma)


def gaussian_draws(batch, seed=0, side=4):
    """Data, noise and times."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 2, side, side)
    x = MEAN + TAU2.sqrt() * torch.randn(shape, generator=generator, dtype=torch.float64)
    eps = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, eps, low_discrepancy_times(batch, generator).double()


def network_of(parameterization, path=None):
    """Network whose reading is the perfect denoiser; it sees ``z`` in the scale of its path."""

    def network(scaled, gamma):
        z = scaled / scale_of(parameterization, path, expand(gamma, scaled))
        read = gaussian_denoiser(z, gamma)
        return parameterization.target(read.x, read.eps, gamma)

    return network


def scale_of(parameterization, path, gamma):
    """Scale of the network's input, from the definitions of the paths."""
    alpha, sigma = alpha_sigma(gamma)
    if parameterization.kind == "edm":
        return 1 / torch.sqrt(sigma**2 + (parameterization.sigma_data * alpha) ** 2)
    name = path.name if path is not None else "variance_preserving"
    return {
        "variance_preserving": torch.ones_like(alpha),
        "variance_exploding": 1 / alpha,
        "linear": 1 / (alpha + sigma),
    }[name]


def mean_and_error(values):
    """Mean and four standard errors."""
    return float(values.mean()), 4 * float(values.std()) / len(values) ** 0.5
