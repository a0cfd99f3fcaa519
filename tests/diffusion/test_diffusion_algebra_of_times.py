"""Times of a batch and their weights, from the random numbers that they are made of."""

import math

import numpy as np
import pytest
import torch

from emulator.diffusion.times import (
    AdaptiveTimes,
    TimeSampler,
    build_times,
    low_discrepancy_times,
    uniform_times,
)


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def first_number(seed=3):
    return float(torch.rand((), generator=generator(seed)))


def test_low_discrepancy_times_are_one_number_shifted_around_the_circle():
    expected = [(first_number() + i / 5) % 1.0 for i in range(5)]
    assert low_discrepancy_times(5, generator()).tolist() == pytest.approx(expected, abs=1e-6)


def test_uniform_times_are_independent_numbers():
    assert uniform_times(4, generator()).tolist() == torch.rand(4, generator=generator()).tolist()


@pytest.mark.parametrize(
    ("name", "spread"), [("low_discrepancy", low_discrepancy_times), ("uniform", uniform_times)]
)
def test_times_that_learn_nothing_have_weights_of_one(name, spread):
    sampler = build_times(name)
    draw = sampler.draw(6, generator())
    assert draw.t.tolist() == spread(6, generator()).tolist()
    assert draw.weight.tolist() == [1.0] * 6
    sampler.update(draw.t, 100 * draw.t)
    assert sampler.draw(6, generator()).t.tolist() == draw.t.tolist()
    assert TimeSampler().spread is low_discrepancy_times


def taught(uniform=0.25, decay=0.5):
    """Four bins whose root mean squares are 1, 2, 3 and 6: their mean is 3."""
    sampler = AdaptiveTimes(n_bins=4, uniform=uniform, decay=decay)
    sampler.update(torch.tensor([0.1, 0.3, 0.6, 0.9]), torch.tensor([1.0, 2.0, 3.0, 6.0]))
    return sampler


def test_the_density_is_mixed_with_a_uniform_one():
    expected = [0.75 * root / 3 + 0.25 for root in (1, 2, 3, 6)]
    assert taught().density().tolist() == pytest.approx(expected)
    assert taught(uniform=1.0).density().tolist() == pytest.approx([1.0] * 4)


def test_times_are_quantiles_of_the_density_and_weights_its_inverse():
    draw = taught().draw(8, generator())
    density = np.array([0.5, 0.75, 1.0, 1.75])
    edges = np.concatenate([[0.0], np.cumsum(density) / 4])
    probabilities = [(first_number() + i / 8) % 1.0 for i in range(8)]
    times = np.interp(probabilities, edges, [0.0, 0.25, 0.5, 0.75, 1.0])
    assert draw.t.tolist() == pytest.approx(times.tolist(), abs=1e-6)
    weights = [1 / density[int(4 * t)] for t in times]
    assert draw.weight.tolist() == pytest.approx(weights, rel=1e-6)


def test_weighted_draws_estimate_an_integral_that_the_density_does_not_know():
    draw = taught().draw(4000, generator())
    assert float((draw.weight * draw.t**2).mean()) == pytest.approx(1 / 3, abs=1e-3)
    assert float(draw.weight.mean()) == pytest.approx(1.0, abs=1e-3)


def test_old_losses_are_forgotten_at_the_rate_of_the_decay():
    sampler = taught(decay=0.5)
    sampler.update(torch.tensor([0.1, 0.2]), torch.tensor([3.0, 5.0]))
    assert sampler.mean_square.tolist() == [0.5 * 1 + 9 + 25, 2.0, 4.5, 18.0]
    assert sampler.seen.tolist() == [0.5 + 2, 0.5, 0.5, 0.5]
    roots = np.array([math.sqrt(34.5 / 2.5), 2.0, 3.0, 6.0])
    expected = 0.75 * roots / roots.mean() + 0.25
    assert sampler.density().tolist() == pytest.approx(expected.tolist())


def test_times_are_uniform_until_every_bin_was_seen():
    sampler = AdaptiveTimes(n_bins=4)
    sampler.update(torch.tensor([0.0, 0.3, 0.6]), torch.tensor([1.0, 2.0, 3.0]))
    assert sampler.density().tolist() == [1.0] * 4
    draw = sampler.draw(5, generator())
    assert draw.weight.tolist() == [1.0] * 5
    assert draw.t.tolist() == pytest.approx(low_discrepancy_times(5, generator()).tolist())
    sampler.update(torch.tensor([1.0]), torch.tensor([4.0]))  # the end belongs to the last bin
    assert sampler.seen[3] == 1.0
    assert sampler.density()[3] > 1.0


def test_losses_of_zero_leave_times_uniform():
    sampler = AdaptiveTimes(n_bins=2)
    sampler.update(torch.tensor([0.2, 0.7]), torch.zeros(2))
    assert sampler.density().tolist() == pytest.approx([1.0, 1.0])


def test_small_losses_shape_the_density_as_large_ones_do():
    for unit in (1e-6, 1e6):
        sampler = AdaptiveTimes(n_bins=2, uniform=0.0)
        sampler.update(torch.tensor([0.2, 0.7]), unit * torch.tensor([1.0, 3.0]))
        assert sampler.density().tolist() == pytest.approx([0.5, 1.5])


def test_the_defaults_are_the_stated_ones():
    sampler = build_times("adaptive")
    assert (sampler.n_bins, sampler.decay, sampler.uniform) == (32, 0.98, 0.1)
    assert not sampler.mean_square.any()
    assert not sampler.seen.any()


def test_no_time_is_one():
    """Also where rounding to single precision would make it so."""
    sampler = AdaptiveTimes(n_bins=1)
    for seed in range(200):
        draw = sampler.draw(64, generator(seed))
        assert draw.t.dtype == draw.weight.dtype == torch.float32
        assert float(draw.t.min()) >= 0.0
        assert float(draw.t.max()) < 1.0
