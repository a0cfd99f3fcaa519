"""Runs count once, and an interval of 68 % holds the truth 68 times in 100."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics.jackknife import (
    Jackknife,
    average,
    estimate,
    half_width,
    leave_one_out,
    weighted_median,
)
from emulator.units import Unit

T_OF_ONE, T_OF_TWO, T_OF_39 = 1.8373, 1.3213, 1.0130
"""Quantiles of Student's t at 84.13 %, from tables."""


def series(values):
    return xr.DataArray(np.asarray(values, dtype=float), dims="simulation")


def replicates(values):
    return xr.DataArray(np.asarray(values, dtype=float), dims="replicate")


def interval(found):
    return found.sel(estimate=["low", "high"]).values


def test_runs_count_once_however_many_simulations_they_hold():
    runs = np.array([0, 0, 0, 1])
    draws = average(series([1.0, 2.0, 3.0, 10.0]), runs, leave_one_out(2))
    assert draws.values.tolist() == [(2.0 + 10.0) / 2, 10.0, 2.0]


def test_the_error_of_a_mean_is_that_of_independent_runs():
    run_values = np.random.default_rng(1).normal(size=40)
    over = Jackknife(xr.DataArray(np.repeat(np.arange(40), 5), dims="simulation"))
    found = over.estimate(over.mean(series(np.repeat(run_values, 5))), "mean")
    # Five copies of a run add nothing: the error is sigma / sqrt(40), not / sqrt(200).
    error = run_values.std(ddof=1) / np.sqrt(40)
    expected = run_values.mean() + T_OF_39 * error * np.array([-1, 1])
    assert interval(found) == pytest.approx(expected, rel=1e-3)
    assert float(found.sel(estimate="value")) == pytest.approx(run_values.mean())


def test_a_run_without_the_number_is_left_out_and_does_not_count():
    runs = np.array([0, 1, 1, 2, 3])
    over = Jackknife(xr.DataArray(runs, dims="simulation"))
    found = over.estimate(over.mean(series([np.nan, 4.0, 6.0, 9.0, np.nan])), "mean")
    assert float(found.sel(estimate="value")) == pytest.approx(7.0)
    # two runs, 5 and 9: standard error 2, one degree of freedom
    assert interval(found) == pytest.approx(7.0 + 2 * T_OF_ONE * np.array([-1, 1]), rel=1e-4)


def test_a_number_of_one_run_has_no_interval():
    for values, runs in (([3.0, 5.0], [0, 0]), ([np.nan, 4.0], [0, 1])):
        over = Jackknife(xr.DataArray(runs, dims="simulation"))
        found = over.estimate(over.mean(series(values)), "mean")
        assert float(found.sel(estimate="value")) == 4.0
        assert np.isnan(interval(found)).all()


def test_a_number_without_scatter_has_an_interval_without_width():
    found = estimate(replicates([2.0, 2.0, 2.0]), units=Unit.LENGTH, long_name="a length")
    assert found.values.tolist() == [2.0, 2.0, 2.0]
    assert (found.attrs["units"], found.attrs["long_name"]) == ("Mpc/h", "a length")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_defined_without_one_run_has_no_interval(bad):
    found = estimate(replicates([1.0, 0.9, bad, 1.1]), units=Unit.LENGTH, long_name="one")
    assert float(found[0]) == 1.0
    assert np.isnan(interval(found)).all()


EXPERIMENTS = 20_000
SCATTER = {
    "normal": lambda rng, shape: (1 + 0.2 * rng.standard_normal(shape), 1.0),
    "lognormal 0.3": lambda rng, shape: (np.exp(0.3 * rng.standard_normal(shape)), np.exp(0.045)),
    "lognormal 0.5": lambda rng, shape: (np.exp(0.5 * rng.standard_normal(shape)), np.exp(0.125)),
}


def covers(value, true):
    """Share of experiments ``(replicate, experiment)`` whose interval holds the truth."""
    return np.mean(np.abs(value[0] - true) <= half_width(value))


@pytest.mark.parametrize("n_runs", [4, 6, 10, 20, 40])
@pytest.mark.parametrize("name", SCATTER)
def test_intervals_cover_what_they_say(name, n_runs):
    rng, draw = np.random.default_rng([9, n_runs]), SCATTER[name]
    over = Jackknife(xr.DataArray(np.arange(n_runs), dims="simulation"))

    def mean(values):
        return over.mean(xr.DataArray(values, dims=("simulation", "experiment"))).values

    x, true = draw(rng, (n_runs, EXPERIMENTS))
    y, _ = draw(rng, (n_runs, EXPERIMENTS))
    near = y * np.exp(0.1 * rng.standard_normal(y.shape))
    found = {
        "mean": covers(mean(x), true),
        "ratio": covers(mean(x) / mean(y), 1.0),
        "ratio of what varies together": covers(mean(near) / mean(y), np.exp(0.005)),
    }
    assert all(0.65 <= share <= 0.71 for share in found.values()), found


@pytest.mark.parametrize("n_runs", [4, 10, 40])
def test_intervals_of_medians_cover_what_they_say(n_runs):
    rng, windows, experiments = np.random.default_rng([3, n_runs]), 24, 2000
    over = Jackknife(xr.DataArray(np.arange(n_runs), dims="simulation"))
    values = 0.2 * rng.standard_normal((n_runs, 1, experiments)) + rng.standard_normal(
        (n_runs, windows, experiments)
    )
    table = xr.DataArray(values, dims=("simulation", "sample", "experiment"))
    assert 0.65 <= covers(over.median(table, over=("sample",)).values, 0.0) <= 0.71


def test_every_run_weighs_the_same_in_a_median():
    """Run a has three simulations around 10, runs b and c one each around 1."""
    over = Jackknife(xr.DataArray(list("aaabc"), dims="simulation"))
    values = xr.DataArray(
        [[9, 10, 11], [9.5, 10, 10.5], [10, np.nan, 10.2], [1, 1.1, 0.9], [1.2, 1, 1.3]],
        dims=("simulation", "sample"),
    )
    found = over.median(values, over=("sample",))
    assert float(found[0]) == 1.2  # of 3 units of weight the upper half begins at 1.2
    assert float(found[1]) == pytest.approx(np.median([1.0, 1.1, 0.9, 1.2, 1, 1.3]))
    gone = over.median(xr.full_like(values, np.nan), over=("sample",))
    assert np.isnan(gone).all()


def test_a_weighted_median_is_that_of_repeated_values():
    rng = np.random.default_rng(4)
    for _ in range(50):
        values, counts = np.sort(rng.normal(size=7)), rng.integers(0, 4, 7)
        counts[0] += 1
        expected = np.median(np.repeat(values, counts))
        assert weighted_median(values, counts.astype(float)) == pytest.approx(expected, abs=1e-12)
