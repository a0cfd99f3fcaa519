"""The bars of gains refuse ensembles that are unconditional, ignorant or blurred."""

import pytest
import refused

from emulator.config import ValidationConfig
from emulator.validation import acceptance
from emulator.validation.evaluate import evaluate

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)
SIZES = {"n_train": 16, "n_cv": 6, "n_draws": 2}
PIXELS, SQUARES, WINDOWS, POWER = (
    "CRPS gain", "CRPS gain of squares", "CRPS gain of windows", "CRPS gain of power",
)  # fmt: skip


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    root = tmp_path_factory.mktemp("judge")
    maps_dir, splits = refused.write_maps(root, **SIZES)

    def evaluated(kind):
        return evaluate(refused.write_ensembles(root, kind, **SIZES), maps_dir, splits, CONFIG)

    return evaluated


def missed(metrics):
    """Labels of the fields that miss each bar of a gain."""
    found = {name: set() for name in (PIXELS, SQUARES, WINDOWS, POWER)}
    for bar in acceptance.acceptance_table(metrics, CONFIG):
        name, _, field = bar["name"].partition(", ")
        if name in found and bar["verdict"] == "missed":
            found[name].add(field)
    return found


ALL = {"dark matter", "gas", "stars"}


def test_the_calibrated_ensemble_gains_everywhere(judge):
    """It is the oracle: it gains as much as a re-drawn truth, and more where fields are joint."""
    metrics = judge("calibrated")
    assert not any(missed(metrics).values())
    gain, reachable = (metrics[name].sel(estimate="value") for name in ("crps_gain", "oracle_gain"))
    pixels = {"scale": 1}
    assert gain.sel(pixels).values == pytest.approx(reachable.sel(pixels).values, abs=0.03)
    assert (gain.sel(scale=8) > gain.sel(pixels) + 0.05).all()


def test_the_unconditional_ensemble_is_calibrated_and_gains_nothing(judge):
    assert missed(judge("unconditional")) == dict.fromkeys((PIXELS, SQUARES, WINDOWS, POWER), ALL)


def test_the_ignorant_ensemble_is_no_better_than_a_table_that_knows_the_parameters(judge):
    for name, fields in missed(judge("ignorant")).items():
        assert fields >= {"dark matter", "gas"}, name


def test_the_blurred_ensemble_misses_where_structure_counts_and_keeps_its_mass(judge):
    found = missed(judge("blurred"))
    assert found[PIXELS] == found[SQUARES] == found[POWER] == ALL
    assert not found[WINDOWS]


def test_the_losing_ensemble_misses_on_windows_where_the_mass_is_known(judge):
    assert "dark matter" in missed(judge("mass_losing"))[WINDOWS]
