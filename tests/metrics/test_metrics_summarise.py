"""Every number of the summary against a loop over runs, simulations and draws of the bootstrap."""

import numpy as np
import pytest
import xarray as xr

from emulator.fields import find_fields
from emulator.metrics import registry
from emulator.metrics.bootstrap import draw_runs
from emulator.metrics.forecasts import best_forecast
from emulator.units import Unit

RUNS = np.array(["b", "a", "b", "c"])
CHANNELS = ["dm_hydro", "gas", "stars"]
FIELDS, MEMBERS, WINDOWS, N_K = [*CHANNELS, "total"], 4, 3, 5
FORECASTS = ["model", "dmo_share", "empty", "climatology", "table"]
PROBABILISTIC = [True, False, False, True, True]
SIMULATIONS, N_BOOTSTRAP, SEED = len(RUNS), 40, 5


def make_statistics():
    """Arbitrary positive statistics of four simulations in three runs."""
    rng = np.random.default_rng(0)
    shapes = {
        "power_truth": ("field", "k"), "power_dmo": ("k",),
        "power_members": ("member", "field", "k"),
        "power_ratio": ("sample", "member", "field", "k"), "power_dmo_truth": ("field", "k"),
        "power_member_truth": ("field", "k"), "power_member_member": ("field", "k"),
        "variance": ("channel",), "squared_error": ("channel",),
        "rank_histogram": ("channel", "rank"), "rank_histogram_mass": ("channel", "rank"),
        "mass_truth": ("field",), "mass_members": ("field",),
        "occupancy_truth": ("channel",), "occupancy_members": ("channel",),
        "pdf_truth": ("channel", "log_mass"), "pdf_members": ("channel", "log_mass"),
        "score": ("scale", "forecast", "channel"), "score_oracle": ("scale", "channel"),
        "score_power": ("forecast", "channel"), "score_power_oracle": ("channel",),
        "variance_between": ("channel",), "variance_within": ("channel",),
        "power_by_model": ("model_seed", "field", "k"), "score_by_model": ("model_seed", "channel"),
    }  # fmt: skip
    sizes = {
        "field": len(FIELDS), "k": N_K, "member": MEMBERS, "sample": WINDOWS, "log_mass": 2,
        "channel": len(CHANNELS), "rank": MEMBERS + 1, "forecast": len(FORECASTS), "model_seed": 2,
        "scale": 2,
    }  # fmt: skip
    variables = {
        name: (
            ("simulation", *dims),
            rng.gamma(3.0, 1.0, (SIMULATIONS, *(sizes[dim] for dim in dims))),
        )
        for name, dims in shapes.items()
    }
    for name in ("score", "score_power"):
        for kind in ("empty", "climatology"):  # of stars alone
            variables[name][1][..., FORECASTS.index(kind), :2] = np.nan
        variables[f"{name}_oracle"][1][1] = np.nan  # no re-drawn truths of that simulation
    variables["power_ratio"][1][0, 1] = np.nan  # a window without power
    variables["power_ratio"][1][2, :, :, 1, 3] = np.nan  # a shell of a simulation without power
    return xr.Dataset(
        variables,
        coords={
            "field": FIELDS, "channel": CHANNELS, "forecast": FORECASTS, "model_seed": [3, 8],
            "scale": [1, 8], "forecast_label": ("forecast", [name.upper() for name in FORECASTS]),
            "probabilistic": ("forecast", PROBABILISTIC),
            "k": np.arange(1.0, N_K + 1), "rank": np.arange(MEMBERS + 1),
            "run": ("simulation", RUNS),
        },
    )  # fmt: skip


def summarise(stats, **options):
    fields = find_fields(stats["channel"].values.tolist())
    return registry.summarise(stats, fields, **options)


STATISTICS = make_statistics()
SUMMARY = summarise(STATISTICS, n_bootstrap=N_BOOTSTRAP, seed=SEED)
WEIGHTS = draw_runs(3, N_BOOTSTRAP, SEED)


def mean(name, values=None):
    """Mean over the simulations of each run, then over runs, for every draw."""
    values = STATISTICS[name].values if values is None else values
    by_run = []
    for run in ("a", "b", "c"):
        rows = values[run == RUNS]
        known = np.isfinite(rows)
        by_run.append(np.where(known, rows, 0).sum(0) / np.maximum(known.sum(0), 1))
    present = np.array([np.isfinite(values[run == RUNS]).any(0) for run in ("a", "b", "c")])
    draws = []
    for weight in WEIGHTS:
        weights = weight.reshape(3, *(1,) * (values.ndim - 1)) * present
        with np.errstate(invalid="ignore"):
            draws.append((weights * np.array(by_run)).sum(0) / weights.sum(0))
    return np.array(draws)


def members(name="power_members"):
    return mean(name, STATISTICS[name].values.mean(1))


def median():
    """Over windows and members of each simulation, then over the simulations that were drawn."""
    by_simulation = np.full((SIMULATIONS, len(FIELDS), N_K), np.nan)
    for i, f, k in np.ndindex(by_simulation.shape):
        values = STATISTICS["power_ratio"].values[i, :, :, f, k].ravel()
        if np.isfinite(values).any():
            by_simulation[i, f, k] = np.median(values[np.isfinite(values)])
    draws = []
    for weight in WEIGHTS:
        rows = [i for i in range(SIMULATIONS) for _ in range(int(weight["abc".index(RUNS[i])]))]
        found = np.full((len(FIELDS), N_K), np.nan)
        for f, k in np.ndindex(found.shape):
            values = by_simulation[rows, f, k]
            if np.isfinite(values).any():
                found[f, k] = np.median(values[np.isfinite(values)])
        draws.append(found)
    return np.array(draws)


def correlation(cross, a, b):
    return mean(cross) / np.sqrt(a * b)


def best(name, probabilistic):
    """Row of the forecast that is best in the mean over runs, by place; never the model."""
    score = mean(name)[0]
    rows = [i for i, kind in enumerate(PROBABILISTIC) if i and kind == probabilistic]
    return np.array(rows)[np.nanargmin(score[..., rows, :], axis=-2)]


def over_best(name, probabilistic, values=None):
    """Score of the model over that of the best forecast, in every draw."""
    score = mean(name, values)
    reference = np.take_along_axis(score, best(name, probabilistic)[None, ..., None, :], axis=-2)
    return score[..., 0, :] / reference[..., 0, :]


def where_known(name):
    """Scores of the simulations that have an oracle."""
    known = np.isfinite(STATISTICS[f"{name}_oracle"].values)
    return np.where(known[..., None, :], STATISTICS[name].values, np.nan)


def oracle_ratio(name):
    return mean(name, where_known(name))[..., 0, :] / mean(f"{name}_oracle")


def oracle_gain(name):
    return 1 - over_best(name, True, where_known(name)) / oracle_ratio(name)


def coverage(name):
    ranks = mean(name)
    return np.stack([ranks[..., 2:3].sum(-1), ranks[..., 1:4].sum(-1)], axis=1)


BETWEEN, WITHIN = mean("variance_between"), mean("variance_within")
TRUTH, DMO = mean("power_truth"), mean("power_dmo")[:, None]
EXPECTED = {
    "spectrum_truth": TRUTH,
    "spectrum_members": members(),
    "power_ratio_summed": members() / TRUTH,
    "power_ratio_median": median(),
    "correlation_dmo_truth": correlation("power_dmo_truth", DMO, TRUTH),
    "correlation_member_truth": correlation("power_member_truth", members(), TRUTH),
    "correlation_member_member": correlation("power_member_member", members(), members()),
    "suppression_truth": TRUTH[:, -1] / DMO[:, 0],
    "suppression_members": members()[:, -1] / DMO[:, 0],
    "spread_skill": np.sqrt(5 / 4 * mean("variance") / mean("squared_error")),
    "rank_share": mean("rank_histogram"),
    "rank_share_mass": mean("rank_histogram_mass"),
    "coverage": coverage("rank_histogram"),
    "coverage_mass": coverage("rank_histogram_mass"),
    "mass_ratio": mean("mass_members") / mean("mass_truth"),
    "occupied_truth": mean("occupancy_truth"),
    "occupied_members": mean("occupancy_members"),
    "density_truth": mean("pdf_truth"),
    "density_members": mean("pdf_members"),
    "crps": mean("score"),
    "crps_gain": 1 - over_best("score", probabilistic=True),
    "crps_over_mae": over_best("score", probabilistic=False),
    "oracle_crps": mean("score_oracle"),
    "oracle_ratio": oracle_ratio("score"),
    "oracle_gain": oracle_gain("score"),
    "crps_power": mean("score_power"),
    "crps_power_gain": 1 - over_best("score_power", probabilistic=True),
    "crps_power_over_mae": over_best("score_power", probabilistic=False),
    "oracle_crps_power": mean("score_power_oracle"),
    "oracle_ratio_power": oracle_ratio("score_power"),
    "oracle_gain_power": oracle_gain("score_power"),
    "model_share": BETWEEN / (BETWEEN + WITHIN),
    "power_ratio_by_model": mean("power_by_model") / TRUTH[:, None],
    "crps_by_model": mean("score_by_model"),
}


def test_nothing_is_left_out_of_the_expectations():
    assert set(SUMMARY.data_vars) == {*EXPECTED, "best_baseline", "best_baseline_power"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_number_is_its_loop_and_its_interval_that_of_the_draws(name):
    draws, found = EXPECTED[name], SUMMARY[name]
    assert found.dims[0] == "estimate"
    assert found["estimate"].values.tolist() == ["value", "low", "high"]
    np.testing.assert_allclose(found.sel(estimate="value"), draws[0])
    known = np.isfinite(draws[1:]).any(0)
    for bound, share in (("low", 0.16), ("high", 0.84)):
        expected = np.nanquantile(np.where(known, draws[1:], 0.0), share, axis=0)
        np.testing.assert_allclose(
            found.sel(estimate=bound), np.where(known, expected, np.nan), err_msg=bound
        )


def test_units_of_the_summary():
    units = {name: SUMMARY[name].attrs["units"] for name in EXPECTED}
    for name, unit in units.items():
        if name.startswith("spectrum"):
            assert unit == Unit.POWER_2D
        elif name in ("crps", "oracle_crps", "crps_by_model"):
            assert unit == Unit.MASS_PER_PIXEL
        else:
            assert unit == Unit.DIMENSIONLESS


def test_without_a_total_or_models_there_is_no_number_of_them():
    names = ["variance_between", "variance_within", "power_by_model", "score_by_model"]
    of_two = STATISTICS.drop_vars(names).isel(field=[1, 2], channel=[1, 2])
    fewer = summarise(of_two, n_bootstrap=3)
    gone = {"suppression_truth", "suppression_members", "model_share", "power_ratio_by_model"}
    assert set(EXPECTED) - set(fewer.data_vars) == {*gone, "crps_by_model"}


def test_the_seed_draws_the_intervals_and_is_zero_if_none_is_given():
    default, zero, other = (
        summarise(STATISTICS, n_bootstrap=5, **seed) for seed in ({}, {"seed": 0}, {"seed": 1})
    )
    xr.testing.assert_identical(default, zero)
    assert not default["crps"].equals(other["crps"])


def test_a_single_run_has_no_interval():
    single = summarise(STATISTICS.isel(simulation=[0, 2]), n_bootstrap=10)
    assert np.isfinite(single["spread_skill"].sel(estimate="value")).all()
    assert np.isnan(single["spread_skill"].sel(estimate=["low", "high"])).all()
    two = summarise(STATISTICS.isel(simulation=[0, 1]), n_bootstrap=10)
    assert np.isfinite(two["spread_skill"]).all()


def test_the_best_baseline_is_that_of_the_gain():
    for name, score in (("best_baseline", "score"), ("best_baseline_power", "score_power")):
        expected = np.array(FORECASTS)[best(score, probabilistic=True)]
        np.testing.assert_array_equal(SUMMARY[name], expected)


def test_the_best_baseline_is_the_lowest_of_those_that_count_and_never_the_model():
    crps = xr.DataArray(
        [[0.1, 0.1], [2.0, 3.0], [np.nan, 2.5], [9.0, np.nan], [9.5, np.nan]],
        dims=("forecast", "channel"),
        coords={"forecast": FORECASTS, "channel": ["gas", "stars"]},
    )
    candidates = xr.DataArray(PROBABILISTIC, dims="forecast", coords={"forecast": FORECASTS})
    assert best_forecast(crps, candidates).values.tolist() == ["climatology", ""]
    found = best_forecast(crps, ~candidates)
    assert found.values.tolist() == ["dmo_share", "empty"]
    assert found["channel"].values.tolist() == ["gas", "stars"]


def test_without_a_probabilistic_baseline_there_is_no_gain():
    kept = ["model", "dmo_share", "empty"]
    found = summarise(STATISTICS.sel(forecast=kept), n_bootstrap=3)
    assert np.isnan(found["crps_gain"]).all()
    assert (found["best_baseline"] == "").all()
    alone = summarise(STATISTICS.sel(forecast=["model"]), n_bootstrap=3)
    for name in ("crps_gain", "crps_power_gain", "crps_over_mae"):
        assert np.isnan(alone[name]).all()
