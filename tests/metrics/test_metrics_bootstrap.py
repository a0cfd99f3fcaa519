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


def test_draws_take_as_many_runs_as_there_are():
    weights = draw_runs(4, 20_000, seed=1)
    assert weights.shape == (20_001, 4)
    assert weights[0].tolist() == [1.0] * 4
    assert (weights.sum(axis=1) == 4).all()
    error = 4 * np.sqrt(0.75 / 20_000)
    assert weights[1:].mean(axis=0) == pytest.approx(1.0, abs=error)
    assert weights[1:].var(axis=0) == pytest.approx(0.75, rel=0.05)  # n p (1 - p)
    assert (draw_runs(4, 5, seed=1) == weights[:6]).all()
    assert (draw_runs(4, 5, seed=2) != weights[:6]).any()


def test_quantiles_leave_out_undefined_draws():
    draws = xr.DataArray([[7.0, 1.0], [1.0, np.nan], [np.inf, np.nan], [3.0, np.nan]],
                         dims=("draw", "x"), coords={"x": [4, 5]})  # fmt: skip
    result = estimate(draws, units=Unit.LENGTH, long_name="a length")
    assert result.sel(x=4).values.tolist() == pytest.approx([7.0, 1 + 0.16 * 2, 1 + 0.84 * 2])
    assert result.sel(x=5, estimate="value") == 1.0
    assert np.isnan(result.sel(x=5, estimate=["low", "high"])).all()
    assert (result.attrs["units"], result.attrs["long_name"]) == ("Mpc/h", "a length")


def test_no_draws_give_no_interval():
    result = estimate(xr.DataArray([2.0], dims="draw"), units=Unit.LENGTH, long_name="one")
    assert float(result[0]) == 2.0
    assert np.isnan(result[1:]).all()
