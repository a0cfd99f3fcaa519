"""Posteriors that are learned, where the right ones are known: linear, with Gaussian noise."""

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats

from emulator.inference.coverage import measure_coverage
from emulator.inference.neural import train_posterior
from emulator.inference.posterior import add_ranks, intervals
from emulator.inference.prior import BoxPrior
from emulator.io import EmulatorError

SLOPES = torch.tensor([[1.0, 0.5], [-0.3, 1.0], [0.2, 0.2]])
NOISE, SIDE, N_CASES = 0.3, 3.0, 64
PRIOR = BoxPrior(("a", "b"), (-SIDE, -SIDE), (SIDE, SIDE), (False, False))


def simulate(theta, seed):
    noise = torch.randn(len(theta), 3, generator=torch.Generator().manual_seed(seed))
    return theta @ SLOPES.T + NOISE * noise


def wrap(theta, nats, names):
    weights = torch.full(nats.shape, 1.0 / nats.shape[1])
    dims = ("sample", "draw")
    return xr.Dataset(
        {
            "draws": ((*dims, "param"), theta.numpy()), "log_prob": (dims, nats.numpy()),
            "weight": (dims, weights.numpy()),
        },
        coords={"param": list(names)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def posterior():
    theta = PRIOR.design(2000, 0)
    return train_posterior(theta, simulate(theta, 1), PRIOR, seed=2)


@pytest.fixture(scope="module")
def cases(posterior):
    """Truths of the prior, what was seen, and 1000 draws of each posterior."""
    truth = PRIOR.of_share(torch.rand(N_CASES, 2, generator=torch.Generator().manual_seed(5)))
    x = simulate(truth, 6)
    return truth, x, *posterior.draw(x, 1000, 7)


@pytest.mark.slow
def test_it_is_the_gaussian_that_it_must_be(cases):
    """Away from the ends of the prior: means, widths and densities."""
    _, x, draws, nats = cases
    covariance = torch.linalg.inv(SLOPES.T @ SLOPES / NOISE**2)
    mean = (x @ SLOPES / NOISE**2) @ covariance
    width = covariance.diag().sqrt()
    inner = ((mean.abs() + 3 * width) < SIDE).all(1)
    assert inner.sum() > 20
    off = (draws.mean(1) - mean)[inner] / width
    assert off.square().mean().sqrt() < 0.35
    torch.testing.assert_close(
        (draws.std(1)[inner] / width).mean(0), torch.ones(2), rtol=0.2, atol=0.0
    )
    exact = torch.distributions.MultivariateNormal(mean[:, None], covariance).log_prob(draws)
    assert (nats - exact)[inner].mean().abs() < 0.2


@pytest.mark.slow
def test_it_covers_the_truth_of_64_cases(cases):
    truth, _, draws, nats = cases
    rows = [dict(zip("ab", row, strict=True)) for row in truth.tolist()]
    found = add_ranks(wrap(draws, nats, "ab"), rows)
    coverage = measure_coverage(found)["coverage"].mean("param")
    assert abs(float(coverage.sel(level=0.68)) - 0.68) < 0.10
    assert abs(float(coverage.sel(level=0.90)) - 0.90) < 0.10


@pytest.mark.slow
def test_draws_stay_in_the_prior_and_are_of_their_seed(posterior, cases):
    _, x, draws, _ = cases
    assert (draws.abs() <= SIDE).all()
    again, other = posterior.draw(x[:3], 50, 8)[0], posterior.draw(x[:3], 50, 9)[0]
    torch.testing.assert_close(again, posterior.draw(x[:3], 50, 8)[0])
    assert not torch.equal(again, other)


@pytest.mark.slow
def test_one_parameter_in_its_logarithm_and_what_tells_nothing():
    """Of pure noise the posterior is the prior: density and quantiles."""
    prior = BoxPrior(("a",), (0.25,), (4.0,), (True,))
    theta = prior.design(1000, 0)
    noise = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    found = train_posterior(theta, noise, prior, seed=1)
    draws, nats = found.draw(torch.zeros(1, 3), 2000, 3)
    logs = np.log(draws[0, :, 0].numpy())
    assert stats.kstest(logs, "uniform", (np.log(0.25), np.log(16))).statistic < 0.12
    assert (nats - prior.log_prob(draws)).abs().mean() < 0.25
    ends = intervals(wrap(draws, nats, "a"), 0.68).isel(sample=0, param=0)
    assert np.log(float(ends["high"] / ends["low"])) == pytest.approx(0.68 * np.log(16), rel=0.15)


def test_what_trains_nothing_is_refused():
    theta = PRIOR.design(128, 0)
    with pytest.raises(EmulatorError, match="expected 100 or more, got 50"):
        train_posterior(theta[:50], simulate(theta[:50], 0), PRIOR)
    bad = simulate(theta, 0)
    bad[3, 1] = torch.nan
    with pytest.raises(EmulatorError, match="1 of 128 simulations"):
        train_posterior(theta, bad, PRIOR)
