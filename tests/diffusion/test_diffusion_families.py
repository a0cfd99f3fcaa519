"""The rows of docs/diffusion.md select families of the literature; each trains and draws."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from gaussians import MEAN, TAU2, gaussian_draws, mean_and_error, network_of

from emulator.config import DiffusionConfig, SamplingConfig, parse_config
from emulator.diffusion.loss import training_loss
from emulator.diffusion.path import Path as DiffusionPath
from emulator.diffusion.solvers import solve
from emulator.diffusion.times import low_discrepancy_times
from emulator.model.build import build_parameterization, build_schedule, build_weight
from emulator.model.conditional import denoiser
from emulator.sampling.samplers.steering import plan

PAGE = Path(__file__).parents[2] / "docs/diffusion.md"
FAMILIES = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])


def config_of(family, **sampling):
    """Config of a row of docs/diffusion.md, with other options of sampling."""
    row = FAMILIES[family]
    return parse_config(
        {"name": "a", "diffusion": row["diffusion"], "sampling": row["sampling"] | sampling}
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_perfect_network_of_every_family_draws_the_data(family):
    config = config_of(family, n_steps=800, gamma_end=None)
    draws = draw(config.diffusion, config.sampling)
    for channel in range(2):
        mean, error = mean_and_error(draws[:, channel].flatten())
        tau2 = float(TAU2[0, channel])
        assert mean == pytest.approx(float(MEAN[0, channel]), abs=error + 0.04 * tau2**0.5)
        assert float(draws[:, channel].var()) == pytest.approx(tau2, rel=0.08)


def draw(diffusion: DiffusionConfig, sampling: SamplingConfig):
    parameterization, path = build_parameterization(diffusion), DiffusionPath(diffusion.path)
    network = parameterization.precondition(network_of(parameterization, path), path)
    solver, gammas = plan(diffusion, build_schedule(diffusion), sampling)
    generator = torch.Generator().manual_seed(0)

    def noise():
        return torch.randn(2000, 2, 1, 2, generator=generator, dtype=torch.float64)

    return solve(solver, denoiser(network, parameterization), noise(), gammas, noise)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_towards_the_data(family):
    """A network of two numbers a channel: its output is linear in z; the loss falls to its best."""
    diffusion = config_of(family).diffusion
    parameterization, path = build_parameterization(diffusion), DiffusionPath(diffusion.path)
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
            weight=weight, channel_weights=torch.ones(2).double(), data_noise=0.01,
        ).mean().backward()  # fmt: skip
        optimizer.step()
    assert float(share.detach()) == pytest.approx(1.0, abs=0.1)
