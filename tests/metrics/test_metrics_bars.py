"""Bars: which side of the threshold, which wave numbers, and what is not computed is missed."""

import numpy as np
import pytest
from perfect import CONFIG, estimates, perfect, with_bars, with_gain, with_power, with_spread

from emulator.fields import find_fields
from emulator.io import EmulatorError
from emulator.metrics import registry

SUMMED, MEDIAN = "P/P_truth, gas, summed over windows", "P/P_truth, gas, median over windows"
GAIN, SPREAD = "CRPS gain, gas", "spread-skill, gas"
SQUARES, WINDOWS = "CRPS gain of squares, gas", "CRPS gain of windows, gas"
POWER = "CRPS gain of power, gas"
MASS, VARIANCE, DIP = "total mass, gas", "variance, gas", "suppression over its dip"


def bars_of(metrics, config=CONFIG):
    fields = find_fields(metrics["channel"].values.tolist())
    bars = registry.judge(metrics, config, fields)
    return {bar.name: bar.row() for bar in bars}


def test_the_table_has_a_bar_for_every_number_that_has_a_threshold():
    bars = bars_of(perfect())
    assert list(bars) == [
        GAIN, SQUARES, WINDOWS, POWER, SUMMED, MEDIAN, SPREAD, VARIANCE, MASS,
    ]  # fmt: skip
    assert {bar["verdict"] for bar in bars.values()} == {"met"}
    assert {bar["field"] for bar in bars.values()} == {"gas"}
    assert {bar["unit"] for bar in bars.values()} == {"1"}


def test_power_has_the_bar_of_its_field_if_the_config_names_none():
    without = with_bars(CONFIG, power={})
    bars = bars_of(perfect(), without)
    assert [bars[name]["threshold"] for name in (SUMMED, MEDIAN)] == [0.25, 0.25]
    tight = with_bars(CONFIG, power={"gas": 0.1})
    bars = bars_of(perfect(), tight)
    assert [bars[name]["threshold"] for name in (SUMMED, MEDIAN)] == [0.1, 0.1]
    hot = perfect().assign_coords(channel=["gas_temperature"], field=["gas_temperature"])
    assert list(bars_of(hot, without)) == [
        "CRPS gain, gas temperature",
        "CRPS gain of squares, gas temperature",
        "CRPS gain of windows, gas temperature",
        "CRPS gain of power, gas temperature",
        "spread-skill, gas temperature",
        "variance, gas temperature",
    ]


def test_a_bar_of_a_field_that_was_not_evaluated_is_refused():
    config = with_bars(CONFIG, power={"gas": 0.25, "stars": 0.5})
    with pytest.raises(EmulatorError, match=r"expected fields .*\(gas\), got stars"):
        bars_of(perfect(), config)


@pytest.mark.parametrize(
    ("gain", "verdict", "words"),
    [
        (0.25, "met", "it is 25% below."),
        (0.24, "missed", "it is 24% below."),
        (0.0, "missed", "it is 0% below."),
        (-0.5, "missed", "it is 50% above."),
        (np.nan, "missed", "it is not defined."),
    ],
)
def test_the_score_must_be_below_that_of_the_best_baseline(gain, verdict, words):
    bar = bars_of(with_gain(gain))[GAIN]
    assert bar["verdict"] == verdict
    assert bar["text"] == (
        "The CRPS of gas should be at least 25% below that of the best probabilistic baseline "
        f"(quantile table); {words}"
    )
    assert bar["value"] == (None if np.isnan(gain) else gain)
    assert (bar["threshold"], bar["comparison"], bar["baseline"]) == (0.25, ">=", "quantile_table")
    assert (bar["low"], bar["high"]) == (None, None)


def test_the_worst_square_counts_and_windows_count_apart():
    small, large, window = (bars_of(with_gain(0.01, scale=scale)) for scale in (2, 8, 16))
    for bars, scale in ((small, 2), (large, 8)):
        bar = bars[SQUARES]
        assert (bar["verdict"], bar["value"], bar["scale"]) == ("missed", 0.01, scale)
        assert f"at the worst, {scale} x {scale} pixels, it is 1% below." in bar["text"]
        assert "The CRPS of means over squares of gas should be" in bar["text"]
        assert bars[GAIN]["verdict"] == bars[WINDOWS]["verdict"] == bars[POWER]["verdict"] == "met"
    assert window[WINDOWS]["verdict"] == "missed"
    assert window[SQUARES]["verdict"] == window[GAIN]["verdict"] == "met"


def test_a_square_without_a_gain_misses():
    bar = bars_of(with_gain(np.nan, scale=8))[SQUARES]
    assert (bar["verdict"], bar["value"], bar["scale"]) == ("missed", None, 8)


def test_windows_without_squares_have_no_bar_of_squares():
    bars = bars_of(perfect().sel(scale=[1, 16]))
    assert SQUARES not in bars
    assert {GAIN, WINDOWS, POWER} <= set(bars)


def test_power_has_a_gain_of_its_own():
    changed = perfect()
    changed["crps_power_gain"] = estimates(0.01, 0.0, 0.02)
    bar = bars_of(changed)[POWER]
    assert (bar["verdict"], bar["threshold"], bar["low"]) == ("missed", 0.05, 0.0)
    assert bar["text"].startswith("The CRPS of ln P of gas should be at least 5% below")


def test_without_a_probabilistic_baseline_the_bar_is_missed():
    changed = with_gain(np.nan)
    changed["best_baseline"][:] = ""
    bar = bars_of(changed)[GAIN]
    assert bar["verdict"] == "missed"
    assert "(none); it is not defined." in bar["text"]


def test_a_bar_carries_the_interval_of_its_number():
    bars = bars_of(perfect())
    assert (bars[GAIN]["low"], bars[GAIN]["high"]) == (0.4, 0.6)
    assert (bars[SPREAD]["low"], bars[SPREAD]["high"]) == (0.95, 1.05)


@pytest.mark.parametrize(
    ("spread", "verdict", "judgement"),
    [
        (0.74, "missed", "too confident"),
        (0.75, "met", "in the range"),
        (1.25, "met", "in the range"),
        (1.26, "missed", "too wide"),
    ],
)
def test_spread_must_lie_between_both_ends(spread, verdict, judgement):
    bar = bars_of(with_spread(spread))[SPREAD]
    assert (bar["value"], bar["verdict"]) == (spread, verdict)
    assert bar["text"] == (
        "The spread of gas over its error should lie between 0.75 and 1.25 (1 is calibrated); it "
        f"is {spread:.2f}, {judgement}."
    )
    assert (bar["threshold"], bar["comparison"]) == ([0.75, 1.25], "in")


@pytest.mark.parametrize(("ratio", "verdict"), [(1.25, "met"), (1.2501, "missed"), (0.7, "missed")])
def test_power_may_be_off_by_the_tolerance_in_either_direction(ratio, verdict):
    bar = bars_of(with_power({3.0: ratio}))[SUMMED]
    assert bar["value"] == pytest.approx(abs(ratio - 1), abs=1e-12)
    assert (bar["verdict"], bar["k_worst_hmpc"]) == (verdict, 3.0)
    assert (bar["threshold"], bar["comparison"]) == (0.25, "<=")
    assert bars_of(with_power({3.0: ratio}))[MEDIAN]["value"] == 0.0


@pytest.mark.parametrize(("k", "counts"), [(1, False), (2, True), (3, True), (4, True), (5, False)])
def test_wave_numbers_count_from_one_end_of_the_range_to_the_other(k, counts):
    bar = bars_of(with_power({k: 0.5}))[SUMMED]
    assert bar["verdict"] == ("missed" if counts else "met")
    assert (bar["k_worst_hmpc"] == k) == counts


def test_the_worst_wave_number_decides_and_is_named():
    bar = bars_of(with_power({2.0: 1.3, 3.0: 0.5, 4.0: 1.4}))[SUMMED]
    assert bar["value"] == 0.5
    assert bar["text"] == (
        "The power of gas (summed over windows) should be within 25% of the truth for k = 2 to 4 "
        "h/Mpc; the largest departure is at k = 3 h/Mpc, where the ratio is 0.50 (0.90 to 1.10)."
    )


@pytest.mark.parametrize(("ratio", "verdict"), [(1.02, "met"), (1.021, "missed"), (0.97, "missed")])
def test_mass_may_be_off_by_its_tolerance(ratio, verdict):
    metrics = perfect()
    metrics["mass_ratio"].loc[{"estimate": "value"}] = ratio
    bar = bars_of(metrics)[MASS]
    assert (bar["value"], bar["verdict"], bar["threshold"]) == (ratio, verdict, [0.98, 1.02])
    assert (bar["low"], bar["high"]) == (0.99, 1.01)
    assert bar["text"] == (
        f"The total mass of gas should be within 2% of the truth; the ratio is {ratio:.3f}."
    )
    wide = with_bars(CONFIG, mass={"gas": 0.1})
    assert bars_of(metrics, wide)[MASS]["verdict"] == "met"


def with_suppression(truth, members):
    """Ratios of power of all five wave numbers; the bar looks at 2, 3 and 4 h/Mpc."""
    return perfect().assign(
        suppression_truth=(("estimate", "k"), np.tile(truth, (3, 1))),
        suppression_members=(("estimate", "k"), np.tile(members, (3, 1))),
        suppression_error=(("estimate", "k"), np.tile(np.subtract(truth, members), (3, 1))),
    )


TRUTH = [0.5, 0.95, 0.9, 0.8, 0.3]


@pytest.mark.parametrize(
    ("members", "value", "k"),
    [
        (TRUTH, 0.0, 2.0),
        ([0.0, 0.95, 0.9, 0.81, 0.0], 0.05, 4.0),
        ([0.5, 0.95, 0.87, 0.81, 0.3], 0.15, 3.0),
        ([1.0, 1.0, 1.0, 1.0, 1.0], 1.0, 4.0),  # no baryons: P within 20 %, all of the dip missed
    ],
)
def test_suppression_is_judged_by_the_size_of_the_dip(members, value, k):
    bar = bars_of(with_suppression(TRUTH, members))[DIP]
    assert bar["value"] == pytest.approx(value, abs=1e-12)
    assert bar["verdict"] == ("met" if value <= 0.1 else "missed")
    assert (bar["k_worst_hmpc"], bar["threshold"], bar["field"]) == (k, 0.1, "total")
    assert bar["dip"] == pytest.approx(0.2)
    assert "within 10% of the dip (0.200) for k = 2 to 4 h/Mpc" in bar["text"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_suppression_that_is_not_defined_misses_its_bar(bad):
    members = [1.0, 0.95, bad, 0.8, 1.0]
    bar = bars_of(with_suppression(TRUTH, members))[DIP]
    assert (bar["value"], bar["verdict"], bar["k_worst_hmpc"]) == (None, "missed", 3.0)
    bar = bars_of(with_suppression([1.0] * 5, [1.0] * 5))[DIP]
    assert (bar["value"], bar["verdict"]) == (None, "missed")


def test_a_ratio_without_an_interval_is_told_alone():
    metrics = with_power({3.0: 0.5})
    metrics["power_ratio_summed"].loc[{"estimate": ["low", "high"]}] = np.nan
    assert bars_of(metrics)[SUMMED]["text"].endswith("where the ratio is 0.50.")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_undefined_number_misses_its_bar(bad):
    bar = bars_of(with_power({3.0: bad, 4.0: 0.1}, "power_ratio_median"))[MEDIAN]
    assert (bar["verdict"], bar["value"], bar["k_worst_hmpc"]) == ("missed", None, 3.0)
    assert bar["text"].endswith("where the ratio is not defined.")
    bar = bars_of(with_spread(bad))[SPREAD]
    assert (bar["verdict"], bar["value"]) == ("missed", None)


def test_an_infinite_gain_is_no_gain():
    assert bars_of(with_gain(np.inf))[GAIN]["verdict"] == "missed"


def test_a_range_without_shells_is_an_error():
    config = CONFIG.model_copy(update={"k_min_hmpc": 900.0, "k_max_hmpc": 1000.0})
    with pytest.raises(EmulatorError, match=r"no shell.*1\.00 to 5\.00 h/Mpc.*= 900 .*= 1000"):
        bars_of(perfect(), config)
