"""Each fault of an ensemble is caught by the bar meant for it, and by no bar of another fault."""

import judged
import pytest
import refused

from emulator.config import ValidationConfig
from emulator.metrics.masses import Masses
from emulator.metrics.power_ratio import PowerRatio
from emulator.metrics.spread_skill import SpreadSkill
from emulator.metrics.suppression import Suppression
from emulator.metrics.variance import Variance

METRICS = (PowerRatio(), SpreadSkill(), Variance(), Suppression(), Masses())
CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)
FIELDS = ("dark matter", "gas", "stars")


def judge(kind, metrics=METRICS):
    """Rows of the bars of 24 runs, of one kind of ensemble, by name."""
    runs = [one for one in refused.simulations(n_cv=24) if one.name.startswith("CV")]
    ensembles = [refused.make_ensemble(run, kind, n_windows=12) for run in runs]
    return judged.bars_of(judged.summarised(ensembles, *metrics), *metrics, config=CONFIG)


@pytest.fixture(scope="module")
def bars():
    of_pixels = (SpreadSkill(), Variance(), Masses())
    return {kind: judge(kind) for kind in ("calibrated", "blurred")} | {
        kind: judge(kind, of_pixels)
        for kind in ("under_dispersed", "over_dispersed", "mass_losing")
    }


def values(rows, name):
    return [rows[f"{name}, {field}"]["value"] for field in FIELDS]


def verdicts(rows, name, fields=FIELDS):
    return {rows[f"{name}, {field}"]["verdict"] for field in fields}


def test_a_calibrated_ensemble_meets_all_bars(bars):
    assert {name: row for name, row in bars["calibrated"].items() if row["verdict"] != "met"} == {}
    assert len(bars["calibrated"]) == 2 * 4 + 3 + 3 + 1 + 4


@pytest.mark.parametrize(("kind", "side"), [("under_dispersed", -1), ("over_dispersed", 1)])
def test_a_wrong_spread_is_caught_by_spread_over_skill_and_not_by_mass(bars, kind, side):
    assert verdicts(bars[kind], "spread-skill") == {"missed"}
    assert all(side * (value - 1) > 0.3 for value in values(bars[kind], "spread-skill"))
    assert verdicts(bars[kind], "total mass", (*FIELDS, "total matter")) == {"met"}


def test_blur_is_caught_by_power_and_variance_and_not_by_mass(bars):
    blurred = bars["blurred"]
    for statistic in ("summed over windows", "median over windows"):
        assert {blurred[f"P/P_truth, {field}, {statistic}"]["verdict"] for field in FIELDS} == {
            "missed"
        }
    assert verdicts(blurred, "variance") == {"missed"}
    assert blurred["suppression over its dip"]["verdict"] == "missed"
    assert verdicts(blurred, "total mass", (*FIELDS, "total matter")) == {"met"}


def test_lost_mass_is_caught_by_mass_and_not_by_variance(bars):
    losing = bars["mass_losing"]
    assert verdicts(losing, "total mass", ("dark matter", "gas", "total matter")) == {"missed"}
    for field in (*FIELDS, "total matter"):
        found, expected = (rows[f"total mass, {field}"] for rows in (losing, bars["calibrated"]))
        assert found["value"] == pytest.approx(0.9 * expected["value"], rel=1e-4)
    assert verdicts(losing, "variance") == {"met"}


def test_without_baryons_power_is_right_enough_and_suppression_is_not():
    """What the bar relative to P let pass: total matter that is a copy of the DMO map."""
    runs = [one for one in refused.simulations(n_cv=12) if one.name.startswith("CV")]
    copies = []
    for run in runs:
        ensemble = refused.make_ensemble(run, n_windows=12)
        # baryons that take 4 % of the contrast, and 8 % of the power
        weaker = 0.96 * ensemble["condition"] + 0.04 * ensemble["condition"].mean()
        truth = ensemble["truth"] / ensemble["truth"].sum("channel") * weaker
        fields = ensemble["fields"] / ensemble["fields"].sum("channel") * ensemble["condition"]
        copies.append(
            ensemble.assign(
                truth=truth.transpose(*ensemble["truth"].dims),
                fields=fields.transpose(*ensemble["fields"].dims),
            )
        )
    found = judged.bars_of(judged.summarised(copies, *METRICS), *METRICS, config=CONFIG)
    power = found["P/P_truth, total matter, summed over windows"]
    assert (power["verdict"], power["value"]) == ("met", pytest.approx(1 / 0.96**2 - 1, rel=1e-3))
    dip = found["suppression over its dip"]
    assert (dip["verdict"], dip["value"]) == ("missed", pytest.approx(1.0, abs=0.01))
