"""Words and digits of the report: what is said is what the numbers say."""

import math

import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.io import read_dataset
from emulator.report.bars import bar_interval, bar_value
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
        ((-0.003, -0.15, 0.12), ".0%", "0% (-15% to 12%)"),
        ((-0.003, math.nan, math.nan), ".0%", "0%"),
        ((12345.0, 12344.0, 12346.0), ".3g", "12345 (12344 to 12346)"),
        ((0.5, 0.5, 0.5), ".2f", "0.50 (0.50 to 0.50)"),
        ((0.5, 0.5 - 1e-12, 0.5 + 1e-12), ".2f", "0.50 (0.50 to 0.50)"),
        ((0.5, math.nan, math.nan), ".2f", "0.50"),
        ((math.nan, 0.0, 1.0), ".2f", "–"),
    ],
)
def test_an_interval_is_never_rounded_away(values, form, text):
    assert with_interval(values, form) == text


def test_a_bar_that_rounds_to_zero_has_no_sign():
    bar = {"statistic": "crps_gain", "value": -0.0004, "low": -0.125, "high": 0.124}
    assert bar_value(bar) == "0.0%"
    assert bar_interval(bar) == "-12.5% to 12.4%"


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


def estimates(values, **coords):
    """An array ``(*coords, estimate)`` of triples ``(value, low, high)``."""
    coords |= {"estimate": ["value", "low", "high"]}
    return xr.DataArray(np.array(values, float), dims=tuple(coords), coords=coords)


def bare(metrics, **variables):
    """Nothing but the fields, and some variables."""
    coords = {name: metrics[name].values for name in ("channel", "field")}
    return xr.Dataset(variables, attrs=metrics.attrs, coords=coords)


def test_halos_are_quoted_in_the_worst_bin_that_has_an_error(metrics):
    nothing, right, wrong = [np.nan] * 3, [1.0, 0.99, 1.01], [0.7, 0.65, 0.75]
    few = [0.1, np.nan, np.nan]
    bins = ["12 to 13", "13 to 14", "14 to 15"]
    ratio = estimates(
        [[right, wrong, few], [right, right, nothing]], field=["stars", "total"], halo_mass=bins
    )
    scatter = estimates([[[1.5, 1.3, 1.7]]], scatter_mass=["all"], scatter_of=["gas"])
    words = said(bare(metrics, halo_mass_ratio=ratio, halo_scatter_ratio=scatter), "Halos")
    assert "stars -30.0 ± 5.0 % (log M200c 13 to 14) and total matter +0.0 ± 1.0 %" in words
    assert "Off beyond two errors: stars. Scatter of these masses" in words
    assert words.endswith("the truth: gas +50 ± 20 %. Off beyond two errors: gas.")
    one_run = ratio.where(ratio["estimate"] == "value")
    words = said(bare(metrics, halo_mass_ratio=one_run), "Halos")
    assert "stars -90 % (log M200c 14 to 15)" in words
    assert said(bare(metrics, halo_mass_ratio=ratio * np.nan), "Halos") == ""


def test_the_bispectrum_is_quoted_with_its_triangle(metrics):
    gap, right, wrong = [np.nan] * 3, [1.0, 0.9, 1.1], [0.7, 0.6, 0.8]
    ratio = estimates(
        [[[right, right], [gap, wrong]]], field=["gas"], triangle=["equilateral", "squeezed"],
        triangle_k=[1.0, 3.0],
    )  # fmt: skip
    ratio["triangle_k"].attrs["units"] = "h/Mpc"
    words = said(bare(metrics, bispectrum_ratio=ratio), "Bispectrum")
    assert "with k in h/Mpc: gas -30 ± 10 % (squeezed, k = 3). Off beyond two errors: gas." in words
    assert said(bare(metrics, bispectrum_ratio=ratio * np.nan), "Bispectrum") == ""


def test_a_truth_that_is_told_from_members_is_named(metrics):
    names = metrics["channel"].values
    accuracy = estimates([[0.62, 0.6, 0.64], [0.51, 0.49, 0.53], [np.nan] * 3], channel=names)
    share = estimates([[0.005, np.nan, np.nan], [0.3] * 3, [0.4] * 3], channel=names)
    found = {"classifier_accuracy": accuracy, "voronoi_p": share}
    found["classifier_accuracy_joint"] = estimates([0.7, 0.68, 0.72])
    words = said(bare(metrics, **found), "Truth against members")
    assert "member: dark matter 62 %, gas 51 % and all together 70 %; guessing is in 50 %" in words
    assert "Better than guessing, beyond two errors: dark matter and all together." in words
    assert "dark matter 0.005, gas 0.3 and stars 0.4." in words
    assert words.endswith("where the truth is no draw like the members: dark matter.")
    certain = estimates([[1.0, 1.0, 1.0]] * 3, channel=names)
    words = said(bare(metrics, classifier_accuracy=certain), "Truth against members")
    assert words.endswith("two errors: dark matter, gas and stars.")
    few = {name: values * np.nan for name, values in found.items()}
    assert said(bare(metrics, **few), "Truth against members") == ""


def test_what_was_not_measured_is_not_said(metrics):
    nothing = xr.Dataset(attrs=metrics.attrs, coords=metrics.coords)
    config = ValidationConfig().model_dump(mode="json")
    assert [title for title, _ in find(nothing, config)] == ["What no bar sees"]
    alone = said(nothing.assign_attrs(n_runs=1), "What no bar sees")
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
