"""Metrics are found by being there, say what they are, and do not disturb each other."""

import numpy as np
import pytest
import xarray as xr

import emulator.metrics
from emulator.config import ValidationConfig
from emulator.domain import MATTER
from emulator.fields import TOTAL, find_fields
from emulator.metrics import registry
from emulator.metrics.bars import Bar
from emulator.metrics.base import Case, Metric
from emulator.metrics.channels import add_total, common_unit

FIELDS = find_fields(["dm_hydro", "gas", "stars", "gas_temperature"])

EXTRA = '''
"""Another metric."""

import xarray as xr

from emulator.metrics.base import Metric


class {title}(Metric):
    name, label, estimator, variables = "{name}", "Extra", "none", ("{variable}",)

    def compute(self, case):
        case.rng().random(7)
        return xr.Dataset()

    def summarise(self, runs, stats, fields):
        return {{}}
'''


def make_case(n_members=4):
    rng = np.random.default_rng(0)
    names = [field.name for field in FIELDS]
    dims = ("sample", "member", "channel", "y", "x")
    ensemble = xr.Dataset(
        {
            "fields": (dims, rng.lognormal(size=(3, n_members, 4, 8, 8)).astype(np.float32)),
            "truth": (
                ("sample", "channel", "y", "x"),
                rng.lognormal(size=(3, 4, 8, 8)).astype(np.float32),
            ),
            "condition": (("sample", "y", "x"), rng.lognormal(size=(3, 8, 8)).astype(np.float32)),
        },
        coords={"channel": names},
    )
    return Case(
        ensemble=ensemble,
        fields=FIELDS,
        pixel_mpch=0.2,
        mean_dmo=1.6,
        scales=xr.DataArray([1.6, 1.6, 1.6, 3.0], dims="channel", coords={"channel": names}),
        model_seed=np.zeros(n_members, int),
        forecasts={"linear_transfer": ensemble["truth"] * 0 + 1.0},
        config=ValidationConfig(occupied_msunh=1.0),
        generator=np.random.default_rng(1),
    )


def add_file(monkeypatch, folder, name="extra", variable="extra_value"):
    (folder / f"{name}.py").write_text(
        EXTRA.format(title=name.title(), name=name, variable=variable)
    )
    monkeypatch.setattr(emulator.metrics, "__path__", [*emulator.metrics.__path__, str(folder)])


def test_a_file_in_the_folder_is_a_metric(monkeypatch, tmp_path):
    assert "extra_file" not in {metric.name for metric in registry.METRICS}
    add_file(monkeypatch, tmp_path, "extra_file")
    assert registry.discover()[-1].name == "extra_file"


def test_every_metric_says_what_it_is():
    for metric in registry.METRICS:
        assert metric.title(MATTER)
        assert metric.variables
        assert len(metric.estimator) > 10
        assert metric.smallest_ensemble >= 1
        assert registry.metric_of(metric.variables[0]) is metric
    places = [metric.place for metric in registry.METRICS]
    assert places == sorted(places)


def test_a_variable_has_one_owner(monkeypatch, tmp_path):
    add_file(monkeypatch, tmp_path, "thief", variable="spread_skill")
    with pytest.raises(ValueError, match=r"one owner of variable spread_skill, got .*SpreadSkill"):
        registry.discover()


def test_one_metric_more_changes_no_number_of_the_others(monkeypatch, tmp_path):
    before = registry.compute(make_case())
    add_file(monkeypatch, tmp_path, "aaa")
    monkeypatch.setattr(registry, "METRICS", registry.discover()[::-1])
    after = registry.compute(make_case())
    for name in before.data_vars:
        xr.testing.assert_identical(before[name], after[name])


def test_too_small_an_ensemble_is_refused_by_name(monkeypatch):
    with pytest.raises(ValueError, match="expected at least 2 members, got 1"):
        registry.compute(make_case(n_members=1))


def test_a_variable_that_was_not_declared_is_refused(monkeypatch):
    class Sly(Metric):
        name, label, estimator, variables = "sly", "Sly", "none", ("declared",)

        def compute(self, case):
            return xr.Dataset()

        def summarise(self, runs, stats, fields):
            return {"another": xr.DataArray(1.0)}

    monkeypatch.setattr(registry, "METRICS", (Sly(),))
    stats = xr.Dataset(coords={"run": ("simulation", ["a", "b"])})
    with pytest.raises(ValueError, match=r"sly: expected variables .*got \['another'\]"):
        registry.summarise(stats, FIELDS)


def test_a_dimension_has_one_owner(monkeypatch):
    """Else xarray would join the labels of two metrics, and fill up with NaN."""

    def one(title, labels):
        class One(Metric):
            name, label, estimator, variables = title, title, "none", (title,)

            def compute(self, case):
                return xr.Dataset({f"{title}_kept": array(labels)})

            def summarise(self, runs, stats, fields):
                return {title: array(labels)}

        return One()

    def array(labels):
        return xr.DataArray(np.zeros(len(labels)), dims="side", coords={"side": labels})

    stats = xr.Dataset(coords={"run": ("simulation", ["a", "b"])})
    monkeypatch.setattr(registry, "METRICS", (one("first", [1, 2]), one("second", [1, 4])))
    refused = r"one owner of dimension side, got .*One and, with other labels of second.*One"
    with pytest.raises(ValueError, match=refused):
        registry.compute(make_case())
    with pytest.raises(ValueError, match=refused):
        registry.summarise(stats, FIELDS)
    monkeypatch.setattr(registry, "METRICS", (one("second", [1, 4]),))
    with pytest.raises(ValueError, match="side, got what was computed and"):
        registry.summarise(stats.assign(kept=array([1, 2])), FIELDS)
    # the same labels are shared
    monkeypatch.setattr(registry, "METRICS", (one("first", [1, 2]), one("second", [1, 2])))
    assert registry.summarise(stats, FIELDS).sizes == {"side": 2}


def test_what_metrics_share_is_computed_once():
    case, calls = make_case(), []

    def expensive(given):
        calls.append(given)
        return len(calls)

    assert [case.shared(expensive), case.shared(expensive)] == [1, 1]
    assert calls == [case]


def test_the_total_is_the_sum_of_the_masses_alone():
    values = make_case().ensemble["truth"]
    total = add_total(values, FIELDS).sel(field=TOTAL.name)
    expected = values.values[:, :3].sum(axis=1)
    assert total.transpose("sample", "y", "x").values == pytest.approx(expected)
    assert "total" not in add_total(values.sel(channel=["gas"]), FIELDS[1:2])["field"].values
    assert common_unit(FIELDS[:3]) == "Msun/h per pixel"
    assert common_unit(FIELDS) == "unit of the field"


def test_spectra_do_not_depend_on_the_unit_of_a_field():
    """A temperature in other units has the same spectra, spread and ranks; only scores have one."""
    case, factor = make_case(), 1000.0
    scale = xr.DataArray(
        [1, 1, 1, factor], dims="channel", coords={"channel": case.ensemble["channel"]}
    )
    ensemble = case.ensemble.assign(
        fields=(case.ensemble["fields"] * scale).astype(np.float32),
        truth=(case.ensemble["truth"] * scale).astype(np.float32),
    )
    other = make_case()
    other = Case(**{**vars(other), "ensemble": ensemble, "scales": case.scales * scale,
                    "_shared": {}})  # fmt: skip
    a, b = registry.compute(case), registry.compute(other)
    for name in ("power_truth", "power_member_truth", "variance", "squared_error"):
        assert b[name].values == pytest.approx(a[name].values, rel=1e-4)
    assert np.isnan(a["occupancy_truth"].sel(channel="gas_temperature"))


@pytest.mark.parametrize(
    ("comparison", "threshold", "value", "met"),
    [
        (">=", 0.1, 0.1, True),
        (">=", 0.1, 0.09, False),
        ("<=", 0.1, 0.1, True),
        ("<=", 0.1, 0.11, False),
        ("in", (0.7, 1.3), 1.3, True),
        ("in", (0.7, 1.3), 0.69, False),
        (">=", 0.1, np.inf, False),
        ("<=", 0.1, np.nan, False),
    ],
)
def test_a_bar_is_met_on_the_right_side_of_its_threshold(comparison, threshold, value, met):
    bar = Bar("n", "gas", "s", value, comparison, threshold, "text", interval=(np.nan, 2.0))
    row = bar.row()
    assert row["verdict"] == ("met" if met else "missed")
    assert row["value"] == (value if np.isfinite(value) else None)
    assert (row["low"], row["high"]) == (None, 2.0)
