"""An ensemble that is right by construction must come out right, and a wrong one wrong."""

import itertools
import json

import fabricated
import numpy as np
import pytest
import xarray as xr
from perfect import with_bars

from emulator.io import DataError, EmulatorError, read_dataset, read_json, write_dataset
from emulator.validation import acceptance
from emulator.validation.evaluate import evaluate, validate

NO_GAIN = dict.fromkeys(
    ("crps_gain", "crps_gain_squares", "crps_gain_windows", "crps_gain_power"), -0.2
)


def value(metrics, name, **where):
    return metrics[name].sel(estimate="value", **where).values


def test_calibrated_ensemble_passes_every_test_of_calibration(metrics):
    assert value(metrics, "spread_skill") == pytest.approx(1.0, abs=0.08)
    assert value(metrics, "rank_share") == pytest.approx(1 / 9, abs=0.012)
    coverage = metrics["coverage"].sel(estimate="value")
    assert float(abs(coverage - metrics["nominal"]).max()) < 0.03
    with_truth = value(metrics, "correlation_member_truth")
    with_member = value(metrics, "correlation_member_member")
    assert with_truth == pytest.approx(with_member, abs=0.04)


def test_calibrated_ensemble_has_the_power_and_the_mass_of_the_truth(metrics):
    # 84 windows of lognormal noise: 0.25 in the logarithm for gas, 0.05 for dark matter
    for field, tolerance in {"dm_hydro": 0.05, "gas": 0.15, "total": 0.05}.items():
        for name in ("power_ratio_summed", "power_ratio_median"):
            assert value(metrics, name, field=field) == pytest.approx(1.0, abs=tolerance)
    assert value(metrics, "mass_ratio") == pytest.approx(1.0, abs=0.08)
    assert value(metrics, "suppression_members") == pytest.approx(
        value(metrics, "suppression_truth"), rel=0.06
    )


def test_simulations_side_by_side_give_the_same_numbers(calibrated_suite, metrics, config):
    in_threads = evaluate(*calibrated_suite, config, workers=3)
    xr.testing.assert_identical(in_threads.drop_attrs(), metrics.drop_attrs())


def test_a_calibrated_ensemble_meets_all_bars(metrics, config):
    # pixels are independent here: nobody gains on the table, see the next test; and the dip of
    # these few windows is hardly more than the noise of the truth
    kind = with_bars(config, **NO_GAIN, suppression=0.3)
    table = acceptance.acceptance_table(metrics, kind)
    assert {bar["verdict"] for bar in table} == {"met"}
    assert len(table) == 4 * 3 + 2 * 4 + 2 * 3 + 2 * 3 + 3 + 1 + 4
    acceptance.enforce(table)


def test_the_table_is_as_good_as_the_truth_where_pixels_are_independent(metrics):
    assert value(metrics, "crps_gain", scale=[1, 2, 4]) == pytest.approx(0.0, abs=0.025)
    assert value(metrics, "oracle_gain", scale=[1, 2, 4]) == pytest.approx(0.0, abs=0.025)


def test_the_oracle_cannot_be_beaten_and_a_perfect_model_reaches_it(metrics):
    assert value(metrics, "oracle_ratio", scale=[1, 2, 4]) == pytest.approx(1.0, abs=0.04)
    assert value(metrics, "oracle_ratio") == pytest.approx(1.0, abs=0.10)
    assert value(metrics, "oracle_ratio_power") == pytest.approx(1.0, abs=0.10)


def test_best_ensemble_has_the_lowest_score_and_gives_the_gain(metrics):
    crps = metrics["crps"].sel(estimate="value")
    ensembles = ("climatology", "quantile_table")
    for scale, name in itertools.product((1, 8, 16), fabricated.CHANNELS):
        scores = crps.sel(scale=scale, channel=name)
        finite = {k: float(scores.sel(forecast=k)) for k in ensembles if scores.sel(forecast=k) > 0}
        best = min(finite, key=finite.get)
        where = {"scale": scale, "channel": name}
        assert metrics["best_baseline"].sel(where).item() == best
        gain = float(value(metrics, "crps_gain", **where))
        assert gain == pytest.approx(1 - float(scores.sel(forecast="model")) / finite[best])
    pixels = crps.sel(scale=1)
    assert np.isfinite(pixels.sel(forecast=["empty", "climatology"], channel="stars")).all()
    assert np.isnan(pixels.sel(forecast="empty", channel="gas"))
    assert metrics["probabilistic"].values.tolist() == [True, False, False, False, True, True]


def test_too_narrow_an_ensemble_misses_the_spread_bar(tmp_path, config):
    suite = fabricated.write_suite(tmp_path, n_cv=2, n_windows=3, scatter=0.4)
    metrics = evaluate(*suite, config)
    assert (value(metrics, "spread_skill", channel=["dm_hydro", "gas"]) < 0.7).all()
    ends = metrics["rank_share"].sel(estimate="value", channel="gas", rank=[0, 8])
    assert float(ends.mean()) > 1.5 / 9
    table = acceptance.acceptance_table(metrics, config)
    verdicts = {bar["name"]: bar["verdict"] for bar in table}
    assert verdicts["spread-skill, gas"] == "missed"
    assert np.isnan(metrics["oracle_ratio"]).all()
    with pytest.raises(EmulatorError, match=r"bars are missed[\s\S]*spread-skill, gas"):
        acceptance.enforce(table)


def test_statistics_depend_neither_on_order_nor_on_other_files(calibrated_suite, config, metrics):
    paths, *rest = calibrated_suite
    there, back = (evaluate(files, *rest, config) for files in (paths[:3], paths[2::-1]))
    xr.testing.assert_identical(there, back)
    for name in ("score", "rank_histogram", "power_members"):
        same = metrics[name].sel(simulation=there["simulation"])
        xr.testing.assert_equal(there[name], same)


def test_files_are_written_and_describe_themselves(tmp_path, calibrated_suite, config):
    metrics_path, table_path = tmp_path / "metrics.nc", tmp_path / "acceptance.json"
    bars = NO_GAIN | {"crps_gain": 0.99, "suppression": 0.3}
    strict = with_bars(config, **bars).model_copy(update={"enforce": True})
    with pytest.raises(EmulatorError, match="CRPS gain, gas"):
        validate(*calibrated_suite, strict, metrics_path, table_path)
    metrics, table = read_dataset(metrics_path), read_json(table_path)
    assert table["met"] + table["missed"] == len(table["bars"])
    assert table["missed"] == 3
    assert json.loads(metrics.attrs["config"])["bars"]["crps_gain"] == 0.99
    assert metrics.attrs["notice"] == "fabricated fields for tests"
    labels = {"best_baseline", "best_baseline_power"}
    assert {n for n in metrics.data_vars if "units" not in metrics[n].attrs} == labels
    assert metrics["spectrum_truth"].attrs["units"] == "(Mpc/h)^2"
    assert metrics["crps"].attrs["units"] == "Msun/h per pixel"


def broken(name, change):
    def edit(ensemble):
        values = ensemble[name].values.copy()
        values.flat[7] = change
        ensemble[name] = (ensemble[name].dims, values)
        return ensemble

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (broken("fields", np.nan), "fields: expected finite masses >= 0, got 1 of"),
        (broken("fields", -1.0), "NaN, infinite or negative"),
        (broken("truth", np.inf), "truth: expected finite"),
        (lambda e: e.isel(member=[0]), "at least 2 members, got 1"),
        (lambda e: e.drop_vars("truth"), "variable 'truth'"),
        (lambda e: e.assign_attrs(simulation="SB_0"), "held-out simulation, got SB_0"),
        (lambda e: e.isel(channel=[0, 1]), "channels, window, pixel"),
        (lambda e: e.assign(centre=e["centre"] + 1), "the condition of sample 0"),
    ],
)
def test_bad_ensembles_are_refused(tmp_path, calibrated_suite, config, edit, message):
    paths, maps_dir, splits = calibrated_suite
    good = next(path for path in paths if path.stem == "CV_0")
    bad = tmp_path / "CV_1.nc"
    write_dataset(edit(read_dataset(next(p for p in paths if p.stem == "CV_1"))), bad)
    with pytest.raises(DataError, match=message):
        evaluate([good, bad], maps_dir, splits, config)


def test_no_held_out_simulation_is_an_error(calibrated_suite, config):
    with pytest.raises(DataError, match="at least one held-out simulation"):
        evaluate([], *calibrated_suite[1:], config)
