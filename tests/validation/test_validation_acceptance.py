"""Bars: which side of the threshold, which wave numbers, and what is not computed is missed."""

import numpy as np
import pytest

from emulator.config import ValidationConfig
from emulator.io import EmulatorError
from emulator.validation import acceptance


def bars_of(metrics, config):
    return {bar["name"]: bar for bar in acceptance.acceptance_table(metrics, config)}


def test_a_calibrated_ensemble_meets_all_bars(metrics, config):
    table = acceptance.acceptance_table(metrics, config)
    assert {bar["verdict"] for bar in table} == {"met"}
    assert len(table) == 3 + 2 * 4 + 3
    acceptance.enforce(table)


def test_the_worst_wave_number_inside_the_range_decides(metrics, config):
    changed = metrics.copy(deep=True)
    k = changed["k"].values
    inside = np.flatnonzero((k >= config.k_min_hmpc) & (k <= config.k_max_hmpc))
    outside = np.flatnonzero(k > config.k_max_hmpc)
    gas = {"field": 1, "estimate": 0}
    changed["power_ratio_summed"][{**gas, "k": int(inside[1])}] = 0.5
    changed["power_ratio_summed"][{**gas, "k": int(outside[0])}] = 9.0
    bar = bars_of(changed, config)["P/P_truth, gas, summed over windows"]
    assert bar["value"] == pytest.approx(0.5)
    assert bar["verdict"] == "missed"
    assert bar["k_worst_hmpc"] == pytest.approx(k[inside[1]])
    assert "0.50" in bar["text"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_undefined_number_misses_its_bar(metrics, config, bad):
    changed = metrics.copy(deep=True)
    changed["power_ratio_median"][{"field": 2, "estimate": 0, "k": 1}] = bad
    changed["crps_gain"][{"channel": 2, "estimate": 0}] = np.nan
    bars = bars_of(changed, config)
    for name in ("P/P_truth, stars, median over windows", "CRPS gain, stars"):
        assert bars[name]["verdict"] == "missed"
        assert bars[name]["value"] is None
    assert "undefined" in acceptance.format_table(list(bars.values()))


def test_spread_must_lie_between_both_ends(metrics, config):
    for spread, verdict, word in ((0.5, "missed", "confident"), (1.6, "missed", "wide")):
        changed = metrics.copy(deep=True)
        changed["spread_skill"][{"channel": 0, "estimate": 0}] = spread
        bar = bars_of(changed, config)["spread-skill, dark matter"]
        assert (bar["verdict"], word in bar["text"]) == (verdict, True)


def test_a_range_without_shells_is_an_error(metrics):
    config = ValidationConfig(k_min_hmpc=900.0, k_max_hmpc=1000.0)
    with pytest.raises(EmulatorError, match="no shell"):
        acceptance.acceptance_table(metrics, config)
