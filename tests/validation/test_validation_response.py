"""Responses: the true law passes, and a model that ignores, mutes or inverts a parameter fails."""

import dataclasses

import fabricated
import numpy as np
import one_parameter
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, read_dataset, write_dataset
from emulator.validation.acceptance import acceptance_table
from emulator.validation.evaluate import evaluate
from emulator.validation.response_sets import parameter_places

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)
WINDOWS = {"n_windows": 12, "n_members": 2}
FIELDS = ("dark matter", "gas", "stars")


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Ordinary held-out simulations, whose statistics responses stand beside."""
    return fabricated.write_suite(tmp_path_factory.mktemp("responses"), n_cv=2, n_windows=2)


def evaluated(suite, knowing):
    paths, maps_dir, splits = suite
    responses = one_parameter.write_ensembles(maps_dir.parent, knowing, **WINDOWS)
    return evaluate([*paths, *responses], maps_dir, splits, CONFIG)


def verdicts(metrics):
    bars = acceptance_table(metrics, CONFIG)
    return {bar["name"]: bar["verdict"] for bar in bars if "responses" in bar["name"]}


@pytest.fixture(scope="module")
def metrics(suite):
    return evaluated(suite, 1.0)


def test_the_true_law_meets_both_bars_of_every_field(metrics):
    found = verdicts(metrics)
    for field in FIELDS:
        assert found[f"sign of responses, {field}"] == "met"
        assert found[f"size of responses, {field}"] == "met"


def test_responses_are_those_of_the_law(metrics):
    """Shares of the matter: 1 - f_b of dark matter, f_b - s of gas, s of stars; power squares."""
    f_b = [fabricated.OMEGA_B / omega_m for omega_m in (0.25, 0.35)]
    fiducial = fabricated.OMEGA_B / 0.3
    expected = {
        ("Omega_m", "dm_hydro"): np.log((1 - f_b[1]) / (1 - f_b[0])) / 0.1,
        ("Omega_m", "gas"): np.log((f_b[1] - 0.0125) / (f_b[0] - 0.0125)) / 0.1,
    }
    steps = np.array([0.008, 0.0125, 0.017])  # the fiducial is in the middle: it has no weight
    expected["A_SN1", "stars"] = np.log(steps[2] / steps[0]) / 0.009
    expected["A_SN1", "gas"] = np.log((fiducial - 0.017) / (fiducial - 0.008)) / 0.009
    for (parameter, field), value in expected.items():
        for kind in ("truth", "members"):
            found = metrics[f"response_{kind}"].sel(
                estimate="value", parameter=parameter, field=field
            )
            assert found.sel(summary="mass").item() == pytest.approx(value, rel=1e-4)
            rest = found.drop_sel(summary="mass")
            assert rest.sizes["summary"] == 5
            assert rest.values == pytest.approx(2 * value, rel=1e-3)
        assert bool(metrics["response_judged"].sel(parameter=parameter, field=field).all())
    # exactly nothing happens to dark matter with stars: round-off is no response
    none = metrics["response_judged"].sel(parameter="A_SN1", field="dm_hydro")
    assert not none.any()
    assert np.isnan(metrics["response_slope"].sel(parameter="A_SN1", field="dm_hydro")).all()


@pytest.mark.parametrize(
    ("knowing", "sign", "slope"), [(0.0, "missed", 0.0), (0.5, "met", 0.5), (-1.0, "missed", -1.0)]
)
def test_a_model_that_does_not_follow_the_parameters_is_refused(suite, knowing, sign, slope):
    metrics = evaluated(suite, knowing)
    found = verdicts(metrics)
    for field in FIELDS:
        assert found[f"sign of responses, {field}"] == sign
        assert found[f"size of responses, {field}"] == "missed"
    stars = metrics["response_slope"].sel(parameter="A_SN1", field="stars", estimate="value")
    assert float(stars) == pytest.approx(slope, abs=0.01)


def test_a_member_without_the_field_has_no_right_sign(suite, metrics):
    paths, maps_dir, splits = suite
    responses = one_parameter.write_ensembles(maps_dir.parent, 1.0, **WINDOWS)
    for path in responses:
        ensemble = read_dataset(path)
        ensemble["fields"].loc[{"channel": "stars"}] = 0.0
        write_dataset(ensemble, path)
    found = verdicts(evaluate([*paths, *responses], maps_dir, splits, CONFIG))
    assert found["sign of responses, stars"] == found["size of responses, stars"] == "missed"
    assert found["sign of responses, gas"] == "met"


def test_a_parameter_that_the_model_is_not_told_is_not_judged(suite):
    paths, maps_dir, splits = suite
    responses = one_parameter.write_ensembles(maps_dir.parent, 0.0, **WINDOWS)
    for path in responses:
        write_dataset(read_dataset(path).isel(parameter=[0]), path)
    metrics = evaluate([*paths, *responses], maps_dir, splits, CONFIG)
    assert not metrics["response_judged"].sel(parameter="A_SN1").any()
    assert "sign of responses, stars" not in verdicts(metrics)
    assert abs(metrics["response_truth"].sel(parameter="A_SN1", field="stars")).min() > 50


@pytest.mark.parametrize(
    ("log", "value", "place"), [(False, 1.75, 0.4), (True, 1.0, 0.5), (True, 4.0, 1.0)]
)
def test_the_place_of_a_parameter_is_that_in_which_it_was_sampled(suite, log, value, place):
    maps = read_maps(suite[1] / "CV_0.h5")
    known = {"a": {"min": 0.25, "max": 4.0, "fiducial": 1.0, "log": log}}
    given = dataclasses.replace(maps, params={"a": value, "b": 7.0}, param_ranges=known)
    assert parameter_places(given) == pytest.approx({"a": place, "b": 7.0})


def test_other_statistics_do_not_see_the_response_set(suite, metrics):
    without = evaluate(*suite, CONFIG)
    assert not [name for name in without.data_vars if str(name).startswith("response")]
    assert not verdicts(without)
    both = metrics.drop_dims(["response", "window", "summary", "parameter"], errors="ignore")
    for name in without.data_vars:
        xr.testing.assert_equal(without[name].drop_vars("parameter", errors="ignore"), both[name])
    assert metrics.sizes["simulation"] == 2
    assert metrics.attrs["n_runs"] == without.attrs["n_runs"]


def test_windows_must_be_common_and_something_else_be_held_out(suite):
    paths, maps_dir, splits = suite
    responses = one_parameter.write_ensembles(maps_dir.parent, 1.0, **WINDOWS)
    with pytest.raises(DataError, match="of no response set"):
        evaluate(responses, maps_dir, splits, CONFIG)
    ensemble = read_dataset(responses[-1])
    write_dataset(ensemble.assign_attrs(response_set="2P"), responses[-1])
    with pytest.raises(DataError, match=r"one response set, .*got 2: 1P, 2P"):
        evaluate([*paths, *responses], maps_dir, splits, CONFIG)
    write_dataset(ensemble.isel(sample=slice(None, None, -1)), responses[-1])
    with pytest.raises(DataError, match="same response set"):
        evaluate([*paths, *responses], maps_dir, splits, CONFIG)
