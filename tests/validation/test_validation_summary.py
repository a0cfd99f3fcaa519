"""The bootstrap draws runs, not simulations, and averages a run before it counts."""

import numpy as np
import pytest
import xarray as xr

from emulator.metrics.bootstrap import draw_runs, estimate, resample
from emulator.units import Unit


def series(values):
    return xr.DataArray(np.asarray(values, dtype=float), dims="simulation")


def test_runs_count_once_however_many_simulations_they_hold():
    runs = np.array([0, 0, 0, 1])
    draws = resample(series([1.0, 2.0, 3.0, 10.0]), runs, draw_runs(2, 5, seed=0))
    assert float(draws[0]) == pytest.approx((2.0 + 10.0) / 2)


def test_bootstrap_error_is_that_of_the_mean_of_independent_runs():
    rng = np.random.default_rng(1)
    run_values = rng.normal(size=40)
    runs = np.repeat(np.arange(40), 5)
    draws = resample(series(np.repeat(run_values, 5)), runs, draw_runs(40, 4000, seed=2))
    result = estimate(draws, units=Unit.DIMENSIONLESS, long_name="mean")
    half = float(result.sel(estimate="high") - result.sel(estimate="low")) / 2
    # Five copies of a run add nothing: the error is sigma / sqrt(40), not / sqrt(200).
    assert half == pytest.approx(0.994 * run_values.std() / np.sqrt(40), rel=0.08)
    assert float(result.sel(estimate="value")) == pytest.approx(run_values.mean())


def test_missing_values_leave_a_run_out():
    runs = np.array([0, 1, 1])
    draws = resample(series([np.nan, 4.0, 6.0]), runs, np.array([[1.0, 1.0], [2.0, 0.0]]))
    assert float(draws[0]) == pytest.approx(5.0)
    assert np.isnan(draws[1])


def test_one_run_has_a_value_and_no_interval():
    draws = resample(series([3.0, 5.0]), np.array([0, 0]), draw_runs(1, 10, seed=0))
    draws.attrs["n_runs"] = 1
    result = estimate(draws, units=Unit.DIMENSIONLESS, long_name="mean")
    assert float(result.sel(estimate="value")) == 4.0
    assert np.isnan(result.sel(estimate=["low", "high"])).all()
