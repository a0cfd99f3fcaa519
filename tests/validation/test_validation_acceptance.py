"""The table of all bars: as text, as a file, and as what stops a workflow."""

import numpy as np
import pytest
from perfect import CONFIG, perfect, with_gain

from emulator.io import EmulatorError, read_json
from emulator.validation import acceptance


def test_the_table_is_printed_in_columns():
    table = acceptance.acceptance_table(with_gain(np.nan), CONFIG)
    assert acceptance.format_table(table).splitlines() == [
        "verdict  bar                                  value      threshold",
        "missed   CRPS gain, gas                       undefined  >= 0.25",
        "met      CRPS gain of squares, gas            0.500      >= 0.02",
        "met      CRPS gain of windows, gas            0.500      >= 0.08",
        "met      CRPS gain of power, gas              0.500      >= 0.05",
        "met      P/P_truth, gas, summed over windows  0.000      <= 0.25",
        "met      P/P_truth, gas, median over windows  0.000      <= 0.25",
        "met      spread-skill, gas                    1.000      0.75 to 1.25",
        "met      variance, gas                        1.000      0.7 to 1.4",
        "met      total mass, gas                      1.000      0.98 to 1.02",
    ]


def test_met_bars_stop_nothing():
    table = acceptance.acceptance_table(perfect(), CONFIG)
    assert {bar["verdict"] for bar in table} == {"met"}
    acceptance.enforce(table)


def test_a_missed_bar_stops_with_the_whole_table():
    table = acceptance.acceptance_table(with_gain(0.1), CONFIG)
    with pytest.raises(EmulatorError, match="1 of 9 acceptance bars are missed") as error:
        acceptance.enforce(table)
    assert acceptance.format_table(table) in str(error.value)


def test_the_file_says_how_many_bars_are_met_and_on_what(tmp_path):
    metrics = with_gain(0.1)
    table = acceptance.acceptance_table(metrics, CONFIG)
    acceptance.write_acceptance(table, metrics, tmp_path / "acceptance.json")
    written = read_json(tmp_path / "acceptance.json")
    assert (written["met"], written["missed"]) == (8, 1)
    assert (written["n_simulations"], written["n_runs"], written["n_members"]) == (3, 2, 8)
    assert written["notice"] == "made by hand"
    assert written["bars"] == table
    del metrics.attrs["notice"]
    acceptance.write_acceptance(table, metrics, tmp_path / "acceptance.json")
    assert read_json(tmp_path / "acceptance.json")["notice"] == ""
