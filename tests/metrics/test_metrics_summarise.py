"""Every number of the summary against a loop over runs and simulations, each run left out once."""

import numpy as np
import pytest
import xarray as xr

from emulator.fields import find_fields
from emulator.metrics import registry
from emulator.metrics.forecasts import best_forecast
from emulator.units import Unit

RUNS = np.array(["b", "a", "b", "c"])
CHANNELS = ["dm_hydro", "gas", "stars"]
FIELDS, MEMBERS, WINDOWS, N_K = [*CHANNELS, "total"], 4, 3, 5
FORECASTS = ["model", "dmo_share", "empty", "climatology", "table"]
PROBABILISTIC = [True, False, False, True, True]
SIMULATIONS = len(RUNS)


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
        "truth_below_floor": ("channel",), "truth_above_floor": ("channel",),
        "pixels_in_class": ("dmo_density",), "first_moment_truth": ("channel", "dmo_density"),
        "first_moment_members": ("channel", "dmo_density"),
        "second_moment_truth": ("channel", "dmo_density"),
        "second_moment_members": ("channel", "dmo_density"),
    }  # fmt: skip
    sizes = {
        "field": len(FIELDS), "k": N_K, "member": MEMBERS, "sample": WINDOWS, "log_mass": 2,
        "channel": len(CHANNELS), "rank": MEMBERS + 1, "forecast": len(FORECASTS), "model_seed": 2,
        "scale": 2, "dmo_density": 2,
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
    for kind in ("truth", "members"):  # E[x^2] > E[x]^2
        variables[f"second_moment_{kind}"][1][:] += 1000.0
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


def summarise(stats):
    return registry.summarise(stats, find_fields(stats["channel"].values.tolist()))


STATISTICS = make_statistics()
SUMMARY = summarise(STATISTICS)
WEIGHTS = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]])


def mean(name, values=None):
    """Mean over the simulations of each run, then over runs: of all, and without each of them."""
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
    """Over windows and members, each value as often as makes all runs weigh the same."""
    ratio, draws = STATISTICS["power_ratio"].values, []
    for weight in WEIGHTS:
        found = np.full((len(FIELDS), N_K), np.nan)
        for f, k in np.ndindex(found.shape):
            values = []
            for run, kept in zip("abc", weight, strict=True):
                rows = [ratio[i, :, :, f, k].ravel() for i in np.flatnonzero(run == RUNS)]
                rows = [row[np.isfinite(row)] for row in rows]
                rows = [row for row in rows if len(row)]
                for row in rows:
                    # 144: a common multiple of 12 and 8 values of one or two simulations
                    values += list(np.repeat(row, kept * 144 // (len(rows) * len(row))))
            if values:
                found[f, k] = np.median(values)
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


def variance(kind):
    return mean(f"second_moment_{kind}") / SHARE - (mean(f"first_moment_{kind}") / SHARE) ** 2


SHARE = mean("pixels_in_class")[:, None]
BELOW = mean("truth_below_floor")
INSIDE = SHARE * variance("truth")
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
    "suppression_error": (TRUTH - members())[:, -1] / DMO[:, 0],
    "mass_below_floor": BELOW / (BELOW + mean("truth_above_floor")),
    "variance_ratio": variance("members") / variance("truth"),
    "variance_share": INSIDE / INSIDE.sum(-1, keepdims=True),
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
def test_a_number_is_its_loop_and_its_interval_that_of_the_runs(name):
    draws, found = EXPECTED[name], SUMMARY[name]
    assert found.dims[0] == "estimate"
    assert found["estimate"].values.tolist() == ["value", "low", "high"]
    np.testing.assert_allclose(found.sel(estimate="value"), draws[0])
    expected = np.full(draws.shape[1:], np.nan)
    for where in np.ndindex(expected.shape):
        value, *others = draws[(slice(None), *where)]
        having = [other for other in others if not np.isclose(other, value, rtol=1e-10, atol=0)]
        if len(having) > 1:
            n = len(having)
            error = np.sqrt((n - 1) * np.var(having))
            expected[where] = error * {2: 1.8373, 3: 1.3213}[n]
    for sign, bound in ((-1, "low"), (1, "high")):
        np.testing.assert_allclose(
            found.sel(estimate=bound) - draws[0], sign * expected, rtol=1e-4, err_msg=bound
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
    fewer = summarise(of_two)
    of_total = {f"suppression_{what}" for what in ("truth", "members", "error")}
    of_models = {"model_share", "power_ratio_by_model", "crps_by_model"}
    assert set(EXPECTED) - set(fewer.data_vars) == of_total | of_models


def test_a_single_run_has_no_interval():
    single = summarise(STATISTICS.isel(simulation=[0, 2]))
    assert np.isfinite(single["spread_skill"].sel(estimate="value")).all()
    assert np.isnan(single["spread_skill"].sel(estimate=["low", "high"])).all()
    two = summarise(STATISTICS.isel(simulation=[0, 1]))
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
    found = summarise(STATISTICS.sel(forecast=kept))
    assert np.isnan(found["crps_gain"]).all()
    assert (found["best_baseline"] == "").all()
    alone = summarise(STATISTICS.sel(forecast=["model"]))
    for name in ("crps_gain", "crps_power_gain", "crps_over_mae"):
        assert np.isnan(alone[name]).all()
