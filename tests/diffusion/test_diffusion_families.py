"""A config row selects a family of the literature; each one trains, and draws Gaussians rightly."""

import pytest
import torch
from gaussians import MEAN, TAU2, gaussian_draws, mean_and_error, network_of

from emulator.config import DiffusionConfig, SamplingConfig, parse_config
from emulator.diffusion.loss import training_loss
from emulator.diffusion.path import Path
from emulator.diffusion.solvers import solve
from emulator.diffusion.times import low_discrepancy_times
from emulator.sampling.steering import plan
from emulator.training.build import (
    build_parameterization,
    build_schedule,
    build_weight,
    denoiser,
)

FAMILIES = {
    "vdm": (
        {"schedule": "fixed_linear", "prediction": "eps", "weight": "bound"},
        {"solver": "ancestral"},
    ),
    "ddpm": (
        {"schedule": "ddpm_linear", "prediction": "eps", "weight": "simple"},
        {"solver": "ancestral", "spacing": "t"},
    ),
    "improved_ddpm": (
        {"schedule": "ddpm_cosine", "prediction": "eps", "weight": "simple"},
        {"solver": "ddim", "spacing": "t"},
    ),
    "vp_sde": (
        {"schedule": "ddpm_linear", "prediction": "eps", "weight": "simple"},
        {"solver": "pc", "langevin_step": 0.02},
    ),
    "ve_sde": (
        {"path": "variance_exploding", "schedule": "fixed_linear", "gamma_min": -9.2,
         "gamma_max": 7.8, "prediction": "eps", "weight": "simple"},
        {"solver": "pc", "langevin_step": 0.02},
    ),
    "edm": (
        {"path": "variance_exploding", "schedule": "edm", "prediction": "edm", "weight": "edm",
         "sigma_data": 0.5},
        {"solver": "heun", "spacing": "karras"},
    ),
    "flow_matching": (
        {"path": "linear", "schedule": "logistic", "logistic_loc": 0.0, "logistic_scale": 2.0,
         "prediction": "velocity", "weight": "plain"},
        {"solver": "euler", "spacing": "t"},
    ),
    "default": ({}, {"solver": "abm2", "spacing": "logistic"}),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_perfect_network_of_every_family_draws_the_data(family):
    diffusion, sampling = FAMILIES[family]
    config = parse_config(
        {"name": "a", "diffusion": diffusion,
         "sampling": {**sampling, "n_steps": 800, "gamma_end": None}}
    )  # fmt: skip
    draws = draw(config.diffusion, config.sampling)
    for channel in range(2):
        mean, error = mean_and_error(draws[:, channel].flatten())
        tau2 = float(TAU2[0, channel])
        assert mean == pytest.approx(float(MEAN[0, channel]), abs=error + 0.04 * tau2**0.5)
        assert float(draws[:, channel].var()) == pytest.approx(tau2, rel=0.08)


def draw(diffusion: DiffusionConfig, sampling: SamplingConfig):
    parameterization, path = build_parameterization(diffusion), Path(diffusion.path)
    network = parameterization.precondition(network_of(parameterization, path), path)
    solver, gammas = plan(diffusion, build_schedule(diffusion), sampling)
    generator = torch.Generator().manual_seed(0)

    def noise():
        return torch.randn(2000, 2, 1, 2, generator=generator, dtype=torch.float64)

    return solve(solver, denoiser(network, parameterization), noise(), gammas, noise)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_towards_the_data(family):
    """A network of two numbers a channel: its output is linear in z; the loss falls to its best."""
    diffusion = DiffusionConfig(**FAMILIES[family][0])
    parameterization, path = build_parameterization(diffusion), Path(diffusion.path)
    schedule, weight = build_schedule(diffusion), build_weight(diffusion)
    perfect = parameterization.precondition(network_of(parameterization, path), path)
    share = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)

    def network(z, gamma):  # between nothing and the perfect network
        return share * perfect(z, gamma)

    optimizer = torch.optim.Adam([share], lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for step in range(150):
        x, eps, _ = gaussian_draws(64, seed=step)
        t = low_discrepancy_times(64, generator).double()
        optimizer.zero_grad()
        training_loss(
            network, x, eps, t, schedule=schedule, parameterization=parameterization,
            weight=weight, channel_weights=torch.ones(2).double(),
        ).mean().backward()  # fmt: skip
        optimizer.step()
    assert float(share.detach()) == pytest.approx(1.0, abs=0.1)
