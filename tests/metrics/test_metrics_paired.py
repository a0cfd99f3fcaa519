"""Paired ratios against brute force, and what they are for: errors without the shared scatter."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm, t

from emulator.metrics.jackknife import Jackknife
from emulator.metrics.paired import geometric_mean, paired_ratio, relative_scatter

RUNS = ["a", "a", "a", "b", "c", "c", "d"]


def as_scores(values, dims=("simulation", "channel")):
    return xr.DataArray(values, dims=dims)


def made(seed=0, n_channels=2, runs=RUNS):
    """Two scores of one suite that share a strong scatter of the runs."""
    rng = np.random.default_rng(seed)
    names, places = np.unique(runs, return_inverse=True)
    shared = np.exp(0.5 * rng.normal(size=(len(names), n_channels)))[places]
    shape = (len(runs), n_channels)
    own = [shared * np.exp(0.02 * rng.normal(size=shape)) for _ in range(2)]
    return as_scores(1.1 * own[0]), as_scores(own[1])


def brute_force(scores, reference, runs=RUNS):
    """Value and half width by hand: every run once, one run left out of both."""
    names = sorted(set(runs))

    def ratio(kept):
        means = []
        for values in (scores, reference):
            of_runs = [
                np.mean([v for v, run in zip(values, runs, strict=True) if run == name])
                for name in kept
            ]
            means.append(np.mean(of_runs))
        return means[0] / means[1]

    without = [ratio([name for name in names if name != left]) for left in names]
    n = len(names)
    variance = (n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2)
    return ratio(names), np.sqrt(variance) * t.ppf(norm.cdf(1.0), n - 1)


def estimated(scores, reference, runs=RUNS):
    jackknife = Jackknife(xr.DataArray(runs, dims="simulation"))
    return jackknife.estimate(paired_ratio(jackknife, scores, reference), "ratio")


def test_the_paired_error_is_that_of_brute_force():
    scores, reference = made()
    found = estimated(scores, reference)
    for i in range(2):
        value, half = brute_force(scores.values[:, i], reference.values[:, i])
        assert found.values[:, i] == pytest.approx([value, value - half, value + half], rel=1e-12)


def test_equal_forecasts_have_a_ratio_of_exactly_one_without_error():
    scores, _ = made()
    assert (estimated(scores, scores.copy()).values == 1.0).all()


def test_a_constant_factor_is_known_without_error_and_a_shared_scatter_cancels():
    scores, reference = made()
    exact = estimated(1.25 * reference, reference).values
    assert exact == pytest.approx(np.full((3, 2), 1.25), rel=1e-12)
    jackknife = Jackknife(xr.DataArray(RUNS, dims="simulation"))
    single = jackknife.estimate(jackknife.mean(scores), "score").values
    width = (single[2] - single[1]) / single[0]
    paired = estimated(scores, reference).values
    assert ((paired[2] - paired[1]) / paired[0] < 0.15 * width).all()


def test_the_interval_holds_the_true_ratio_as_often_as_it_says():
    runs = [str(i) for i in range(6)]
    scores, reference = made(seed=1, n_channels=4000, runs=runs)
    _, low, high = estimated(scores, reference, runs).values
    assert 0.65 < np.mean((low < 1.1) & (high > 1.1)) < 0.71


def test_only_simulations_that_have_both_are_compared():
    scores, reference = made()
    holed = scores.copy()
    holed[3] = np.nan  # the only simulation of its run
    kept = [i for i in range(len(RUNS)) if i != 3]
    value, half = brute_force(
        scores.values[kept, 0], reference.values[kept, 0], [RUNS[i] for i in kept]
    )
    found = estimated(holed, reference).values[:, 0]
    assert found == pytest.approx([value, value - half, value + half], rel=1e-12)


def test_a_geometric_mean_is_that_and_does_not_hide_what_is_undefined():
    ratios = as_scores([[0.5, 2.0], [4.0, np.nan]], ("place", "channel"))
    found = geometric_mean(ratios, "channel")
    assert found.values[0] == pytest.approx(1.0)
    assert np.isnan(found.values[1])
    assert float(geometric_mean(ratios[:, :1], ("place", "channel"))) == pytest.approx(2**0.5)


def test_the_scatter_between_models_is_that_of_their_means():
    first, second = made()
    jackknife = Jackknife(xr.DataArray(RUNS, dims="simulation"))
    scores = xr.concat([first, second, 2.0 * second], "model")
    found = relative_scatter(jackknife, scores, "model").isel(replicate=0)
    means = [jackknife.mean(each).values[0] for each in (first, second, 2.0 * second)]
    expected = np.std(means, axis=0, ddof=1) / np.mean(means, axis=0)
    assert found.values == pytest.approx(expected, rel=1e-12)
