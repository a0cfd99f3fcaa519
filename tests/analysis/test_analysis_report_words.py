"""Words and digits of the report: what is said is what the numbers say."""

import math

import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.io import read_dataset
from emulator.report.findings import find, rank_width
from emulator.report.numbers import numbers_of
from emulator.report.text import of_runs, with_error, with_interval


@pytest.fixture(scope="module")
def metrics(results):
    return read_dataset(results[0] / "metrics.nc")


def said(metrics, title):
    config = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0).model_dump(mode="json")
    return " ".join(dict(find(metrics, config)).get(title, []))


def with_values(metrics, name, **values):
    """A copy in which a variable has other estimates ``(value, low, high)`` for some fields."""
    changed = metrics.copy()
    changed[name] = metrics[name].copy()
    dim = "field" if "field" in metrics[name].dims else "channel"
    for field, three in values.items():
        place = {"estimate": ["value", "low", "high"], dim: field}
        for estimate, value in zip(place["estimate"], three, strict=True):
            changed[name].loc[{"estimate": estimate, dim: field}] = value
    return changed


@pytest.mark.parametrize(
    ("values", "form", "text"),
    [
        ((1.01, 0.97, 1.06), ".2f", "1.01 (0.97 to 1.06)"),
        ((1.00033, 1.0, 1.00065), ".2f", "1.0003 (1.0000 to 1.0007)"),
        ((0.0428, 0.0357, 0.0493), ".0%", "4.3% (3.6% to 4.9%)"),
        ((-0.035, -0.17, 0.10), ".0%", "-4% (-17% to 10%)"),
        ((12345.0, 12344.0, 12346.0), ".3g", "12345 (12344 to 12346)"),
        ((0.5, 0.5, 0.5), ".2f", "0.50 (0.50 to 0.50)"),
        ((0.5, 0.5 - 1e-12, 0.5 + 1e-12), ".2f", "0.50 (0.50 to 0.50)"),
        ((0.5, math.nan, math.nan), ".2f", "0.50"),
        ((math.nan, 0.0, 1.0), ".2f", "–"),
    ],
)
def test_an_interval_is_never_rounded_away(values, form, text):
    assert with_interval(values, form) == text


@pytest.mark.parametrize(
    ("value", "error", "options", "text"),
    [
        (1.0138, 0.0486, {}, "1.014 ± 0.049"),
        (-0.1112, 0.0178, {"scale": 100.0, "sign": True}, "-11.1 ± 1.8"),
        (0.00033, 0.00033, {"scale": 100.0, "sign": True}, "+0.033 ± 0.033"),
        (321.4, 17.0, {}, "321 ± 17"),
        (1.0138, math.nan, {}, "1.01"),
    ],
)
def test_errors_have_two_digits(value, error, options, text):
    assert with_error(value, error, **options) == text


def test_simulations_that_share_phases_are_not_called_independent():
    assert of_runs(6, 16) == "16 simulations of 6 runs (those of one run share phases)."
    assert of_runs(4, 4) == "4 simulations of 4 runs."
    assert of_runs(1, 3) == "3 simulations of 1 run: no interval."


def test_a_wrong_mass_is_named_and_a_right_one_is_not(metrics):
    right, wrong = (1.0003, 0.999, 1.0016), (0.889, 0.871, 0.907)
    fields = metrics["field"].values.astype(str)
    changed = with_values(
        metrics, "mass_ratio", **(dict.fromkeys(fields, right) | {"stars": wrong})
    )
    words = said(changed, "Mass")
    assert "stars -11.1 ± 1.8 %" in words
    assert words.endswith("Off beyond two errors: stars.")
    changed = with_values(metrics, "mass_ratio", **dict.fromkeys(fields, right))
    assert said(changed, "Mass").endswith("None of these is off beyond two errors.")


def test_power_is_quoted_where_it_is_furthest_off_within_the_bars(metrics):
    changed = with_values(
        metrics, "power_ratio_summed", **dict.fromkeys(metrics["field"].values, (1.0, 0.99, 1.01))
    )
    k = metrics["k"].values
    inside, above = (np.flatnonzero(k <= 12.0)[-2], np.flatnonzero(k > 12.0)[-1])
    for place, value in ((inside, 1.2), (above, 3.0)):
        ratio = changed["power_ratio_summed"]
        ratio.loc[{"field": "gas", "k": k[place]}] = [value, value - 0.05, value + 0.05]
    words = said(changed, "Power")
    assert f"gas +20.0 ± 5.0 % (k = {k[inside]:.3g})" in words
    assert words.endswith("Off beyond two errors: gas.")
    assert f"gas +200.0 ± 5.0 % (k = {k[above]:.3g})" in said(changed, "What no bar sees")


def test_an_ensemble_that_is_too_wide_is_called_so(metrics):
    changed = with_values(
        metrics, "spread_skill", dm_hydro=(1.2, 1.15, 1.25), gas=(0.8, 0.75, 0.85),
        stars=(1.05, 1.0, 1.1),
    )  # fmt: skip
    words = said(changed, "Calibration")
    assert words.endswith("the ensemble is too wide for dark matter and too narrow for gas.")


def test_a_dome_in_the_ranks_of_masses_is_said(metrics):
    n_ranks = metrics.sizes["rank"]
    flat, dome = np.full(n_ranks, 1 / n_ranks), np.zeros(n_ranks)
    dome[n_ranks // 2] = 1.0
    assert rank_width(flat) == pytest.approx(1.0)
    assert rank_width(dome) == pytest.approx(0.0 if n_ranks % 2 else 0.25 / flat @ flat, abs=0.1)
    edges = np.zeros(n_ranks)
    edges[[0, -1]] = 0.5
    assert rank_width(edges) > 2.0
    changed = metrics.copy()
    changed["rank_share_mass"] = metrics["rank_share_mass"].copy()
    for name, shares in (("dm_hydro", dome), ("gas", flat), ("stars", edges)):
        changed["rank_share_mass"].loc[{"channel": name, "estimate": "value"}] = shares
    words = said(changed, "What no bar sees")
    assert "a dome, too wide an ensemble, for dark matter" in words
    assert "a U or a slope, too narrow or biased, for stars" in words


def test_what_was_not_measured_is_not_said(metrics):
    bare = xr.Dataset(attrs=metrics.attrs, coords=metrics.coords)
    config = ValidationConfig().model_dump(mode="json")
    assert [title for title, _ in find(bare, config)] == ["What no bar sees"]
    alone = said(bare.assign_attrs(n_runs=1), "What no bar sees")
    assert alone.startswith("All held-out simulations are one run, so no number has an error.")


def test_numbers_of_variables_with_other_dimensions_share_a_table():
    data = xr.Dataset(
        {
            "a": (("estimate", "k"), [[1.0, np.nan], [0.5, 2.0], [1.5, 3.0]]),
            "b": (("field",), ["x, y", "z"]),
        },
        {"estimate": ["value", "low", "high"], "k": [0.5, 1.0], "field": ["gas", "stars"]},
    )
    assert numbers_of(data, "a", "none", "b").splitlines() == [
        "variable,k,field,value,low,high",
        "a,0.5,,1,0.5,1.5",
        "a,1,,,2,3",
        'b,,gas,"x, y",,',
        "b,,stars,z,,",
    ]
