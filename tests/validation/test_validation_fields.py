"""A metric of one file, a fourth field, a signed field: nothing else is touched for them."""

import dataclasses
import shutil

import fabricated
import numpy as np
import pytest
import xarray as xr
from perfect import with_bars

import emulator.metrics
from emulator.config import ValidationConfig
from emulator.data.maps import read_maps
from emulator.fields import FIELDS, Field, dump_fields, find_fields
from emulator.io import DataError, EmulatorError, read_dataset, read_json, write_dataset
from emulator.metrics import registry
from emulator.metrics.tolerances import find_tolerances
from emulator.report.build import build_report
from emulator.validation.baselines import Training, forecast_windows
from emulator.validation.baselines.linear_transfer import LinearTransfer
from emulator.validation.baselines.shares import Shares
from emulator.validation.baselines.training_mean import TrainingMean
from emulator.validation.ensembles import read_ensemble
from emulator.validation.evaluate import validate

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)
TOY = '''
"""Peaks: the largest pixel of a window, members over truth."""

import xarray as xr

from emulator.metrics.base import Bar, Metric


class Peaks(Metric):
    name = "peaks"
    label = "Heights of peaks"
    estimator = "ratio of mean maxima, any ensemble size"
    variables = ("peak_ratio", "peak_power")
    format = ".2f"

    def compute(self, case):
        truth, fields = case.ensemble["truth"], case.ensemble["fields"]
        return xr.Dataset(
            {
                "peak_truth": truth.max(("y", "x")).mean("sample").assign_attrs(units="1"),
                "peak_members": fields.max(("y", "x")).mean(("sample", "member"))
                .assign_attrs(units="1"),
            }
        )

    def summarise(self, runs, stats, fields):
        ratio = runs.mean(stats["peak_members"]) / runs.mean(stats["peak_truth"])
        power = runs.mean(stats["power_truth"])
        return {
            "peak_ratio": runs.estimate(ratio, "highest pixel, members over truth"),
            "peak_power": runs.estimate(power, "power that peaks have"),
        }

    def bars(self, metrics, config, fields):
        values = metrics["peak_ratio"].sel(estimate="value")
        return [
            Bar(f"peaks, {field.label}", field.name, "peak_ratio",
                float(values.sel(channel=field.name)), "in", (0.1, 9.0),
                f"The highest pixels of {field.label} should be right.")
            for field in fields
        ]
'''


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    root = tmp_path_factory.mktemp("fields")
    return (root, *fabricated.write_suite(root, n_cv=2, n_windows=2, n_members=4))


def run(folder, paths, maps_dir, splits, config=CONFIG):
    """All the way; metrics, acceptance and the text of the page."""
    outputs = (folder / "metrics.nc", folder / "acceptance.json")
    files = [folder / "ensembles/test" / path.name for path in paths]
    for path, file in zip(paths, files, strict=True):
        if path != file:
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, file)
    validate(files, maps_dir, splits, config, *outputs)
    build_report(folder, folder / "report.html", maps_dir=maps_dir)
    page = (folder / "report.html").read_text(encoding="utf-8")
    return read_dataset(outputs[0]), read_json(outputs[1])["bars"], page


def test_a_metric_of_one_file_reaches_metrics_acceptance_and_report(suite, tmp_path, monkeypatch):
    _, paths, maps_dir, splits = suite
    (tmp_path / "peaks.py").write_text(TOY)
    monkeypatch.setattr(emulator.metrics, "__path__", [*emulator.metrics.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "METRICS", registry.discover())
    metrics, bars, page = run(tmp_path / "results", paths, maps_dir, splits)
    assert metrics["peak_ratio"].dims == ("estimate", "channel")
    assert {"peak_truth", "peak_members"} <= set(metrics.data_vars)
    mine = [bar for bar in bars if bar["statistic"] == "peak_ratio"]
    assert [bar["field"] for bar in mine] == list(fabricated.CHANNELS)
    value = metrics["peak_ratio"].sel(estimate="value", channel="gas").item()
    assert mine[1]["value"] == pytest.approx(value)
    assert [bar["statistic"] for bar in bars][-3:] == ["peak_ratio"] * 3
    assert '<section id="peaks">' in page
    for text in ("Heights of peaks", "highest pixel, members over truth", f"{value:.2f}",
                 "The highest pixels of gas should be right.", "ratio of mean maxima",
                 "power that peaks have over wave number"):  # fmt: skip
        assert text in page, text


def add_temperature(suite, root):
    """The suite with a fourth field that follows from the gas: as calibrated as that."""
    _, paths, maps_dir, splits = suite

    def temperature(gas, mean):
        return (1.0e5 * (0.01 + gas / mean) ** 0.7).astype(np.float32)

    means, files = {}, []
    (root / "maps").mkdir(parents=True)
    for path in sorted(maps_dir.glob("*.h5")):
        maps = read_dataset(path).drop_encoding()
        gas = maps["maps"].sel(species=["gas"])
        means[path.stem] = float(gas.mean())
        hot = temperature(gas, means[path.stem]).assign_coords(species=["gas_temperature"])
        coords = {"maps": xr.concat([maps["maps"], hot], "species")}
        write_dataset(maps.drop_dims("species").assign(coords), root / "maps" / path.name)
    for path in paths:
        ensemble = read_dataset(path).drop_encoding()
        wide = {}
        for name in ("fields", "truth"):
            gas = ensemble[name].sel(channel=["gas"])
            hot = temperature(gas, means[path.stem]).assign_coords(channel=["gas_temperature"])
            wide[name] = xr.concat([ensemble[name], hot], "channel")
        ensemble = ensemble.drop_dims("channel").assign(wide)
        files.append(root / "results/ensembles/test" / path.name)
        write_dataset(ensemble, files[-1])
    return files, root / "maps", splits


def test_a_fourth_field_goes_all_the_way(suite, tmp_path):
    files, maps_dir, splits = add_temperature(suite, tmp_path)
    config = with_bars(CONFIG, power={"gas_temperature": 0.3})
    metrics, bars, page = run(tmp_path / "results", files, maps_dir, splits, config)
    names = [*fabricated.CHANNELS, "gas_temperature"]
    assert metrics["channel"].values.tolist() == names
    assert metrics["field"].values.tolist() == [*names, "total"]
    values = metrics.sel(estimate="value")
    # the total is that of the three masses: as without the fourth field
    _, old_paths, old_maps, _ = suite
    before, _, _ = run(tmp_path / "before", old_paths, old_maps, splits)
    for name in ("suppression_truth", "power_ratio_summed", "spread_skill", "crps", "mass_ratio"):
        three = metrics[name]
        for dim in ("field", "channel"):
            if dim in three.dims:
                three = three.sel({dim: before[name][dim]})
        if "forecast" in three.dims:
            three = three.sel(forecast=before[name]["forecast"])
        np.testing.assert_allclose(three.values, before[name].values, rtol=1e-6)
    hot = values.sel(channel="gas_temperature")
    crps = hot["crps"]
    assert np.isfinite(
        crps.sel(forecast=["model", "training_mean", "linear_transfer", "quantile_table"])
    ).all()
    assert np.isnan(crps.sel(forecast=["dmo_share", "empty", "climatology"])).all()
    pixels = crps.sel(scale=1)
    assert pixels.sel(forecast="linear_transfer") < pixels.sel(forecast="training_mean")
    assert pixels.sel(forecast="quantile_table") < pixels.sel(forecast="linear_transfer")
    assert np.isnan(hot["occupied_truth"])
    assert metrics["crps"].attrs["units"] == "unit of the field"
    power = [bar for bar in bars if bar["name"].startswith("P/P_truth, gas temperature")]
    assert [bar["threshold"] for bar in power] == [0.3, 0.3]
    for text in ("gas temperature [K]", "mean of training", "gas temperature 30%",
                 "dark matter, gas, stars and gas temperature"):  # fmt: skip
        assert text in page, text


def test_gas_alone_goes_all_the_way(suite, tmp_path):
    _, paths, maps_dir, splits = suite
    files = []
    for path in paths:
        files.append(tmp_path / "results/ensembles/test" / path.name)
        write_dataset(read_dataset(path).sel(channel=["gas"]), files[-1])
    metrics, bars, page = run(tmp_path / "results", files, maps_dir, splits)
    assert metrics["field"].values.tolist() == ["gas"]
    assert not [name for name in metrics if "suppression" in str(name)]
    assert metrics["forecast"].values.tolist() == [
        "model", "dmo_share", "linear_transfer", "quantile_table",
    ]  # fmt: skip
    assert {bar["field"] for bar in bars} == {"gas"}
    assert len(bars) == 4 + 2 + 2 + 1 + 1 + 2
    assert not any(word in page for word in ("total matter", "stars", "empty map"))


def test_bars_of_the_power_are_those_of_the_fields_unless_the_config_says_otherwise():
    fields = find_fields(["dm_hydro", "gas", "stars", "gas_temperature"])
    assert find_tolerances("power", CONFIG, fields) == {
        "dm_hydro": 0.1, "gas": 0.25, "stars": 0.5, "total": 0.1,
    }  # fmt: skip
    # rows as files of an earlier version hold them
    earlier = [field.model_copy(update={"mass_tolerance": None}) for field in fields]
    assert find_tolerances("mass", CONFIG, earlier) == {
        "dm_hydro": 0.02, "gas": 0.02, "stars": 0.1, "total": 0.02,
    }  # fmt: skip
    other = with_bars(CONFIG, power={"total": 0.02, "gas_temperature": 0.4})
    changed = find_tolerances("power", other, fields)
    assert (changed["total"], changed["gas_temperature"], changed["gas"]) == (0.02, 0.4, 0.25)
    with pytest.raises(EmulatorError, match=r"expected fields .* \(gas\), got total, gas_"):
        find_tolerances("power", other, find_fields(["gas"]))


def velocity_of(path, attrs):
    ensemble = read_dataset(path).drop_encoding().sel(channel=["gas"])
    ensemble = ensemble.assign_coords(channel=["velocity"]).assign_attrs(attrs)
    return ensemble.assign(fields=ensemble["fields"] - 1.0e9, truth=ensemble["truth"] - 1.0e9)


VELOCITY = Field(
    name="velocity", label="velocity", unit="km/s", particles=("gas",), mean_of="velocity",
    signed=True, transform="asinh",
)  # fmt: skip


def test_negative_values_are_an_error_only_where_no_field_is_signed(suite, tmp_path):
    path = suite[1][0]
    attrs = {"fields": dump_fields([VELOCITY])}
    write_dataset(velocity_of(path, attrs), tmp_path / "good.nc")
    assert float(read_ensemble(tmp_path / "good.nc")["truth"].min()) < 0
    plain = VELOCITY.model_copy(update={"signed": False})
    write_dataset(velocity_of(path, {"fields": dump_fields([plain])}), tmp_path / "plain.nc")
    with pytest.raises(DataError, match=r"fields: expected finite values >= 0, got \d+ of"):
        read_ensemble(tmp_path / "plain.nc")
    write_dataset(velocity_of(path, {}), tmp_path / "unknown.nc")
    with pytest.raises(DataError, match=r"declarations of the channels velocity.*unknown fields"):
        read_ensemble(tmp_path / "unknown.nc")
    broken = velocity_of(path, attrs)
    broken["truth"].values.flat[3] = np.nan
    write_dataset(broken, tmp_path / "broken.nc")
    with pytest.raises(DataError, match=r"truth: expected finite values, got 1 of"):
        read_ensemble(tmp_path / "broken.nc")


@pytest.mark.parametrize("signed", [True, False])
def test_forecasts_of_a_field_without_a_share(suite, signed):
    """Mean plus filtered contrast; cut at zero unless the field is signed."""
    _, _, maps_dir, _ = suite
    maps = read_maps(maps_dir / "CV_0.h5")
    maps = dataclasses.replace(maps, species=("dmo", "dm_hydro", "velocity", "stars"))
    field = VELOCITY.model_copy(update={"signed": signed})
    transfer = np.full((1, 64), 50.0)
    transfer[:, 0] = 0.0
    training = Training((field,), Shares((), {}), ("SB_0",), maps_dir, fabricated.WINDOW)
    fitted = LinearTransfer(training)
    fitted.transfer, fitted.means, fitted.n_pixels = transfer, {"velocity": 10.0}, 64
    constant = TrainingMean(training)
    constant.means = {"velocity": [9.0, 11.0]}
    dmo = maps.select(["dmo"])[:, 0].astype(float)
    contrast = dmo / dmo.mean(axis=(-2, -1), keepdims=True) - 1
    expected = 10.0 + 50.0 * contrast
    got = fitted.filter(maps).select(["velocity"])[:, 0]
    assert got.min() < -1 if signed else got.min() == 0
    wanted = expected if signed else np.maximum(expected, 0)
    assert got == pytest.approx(wanted, abs=1e-3)
    ensemble = fabricated.make_ensemble(fabricated.simulations(n_cv=1)[-1], n_windows=2)
    ensemble = ensemble.sel(channel=["gas"]).assign_coords(channel=["velocity"])
    forecasts = forecast_windows([constant, fitted], maps, ensemble)
    assert set(forecasts) == {"training_mean", "linear_transfer"}
    assert (forecasts["training_mean"] == 10.0).all()


def test_smooth_baryons_share_what_sparse_ones_leave():
    hot = FIELDS["gas"].model_copy(update={"name": "hot"})
    fields = (*find_fields(["dm_hydro", "gas", "stars"]), hot)
    measured = {"gas": 0.09, "hot": 0.03, "stars": 0.01}
    share = Shares(fields, measured).of({"omega_m": 0.3, "omega_b": 0.045})
    assert share["stars"] == 0.01
    assert share["gas"] == pytest.approx(0.75 * 0.14)
    assert share["hot"] == pytest.approx(0.25 * 0.14)
    assert sum(share.values()) == pytest.approx(1.0)
    starved = Shares(fields, {**measured, "stars": 0.2}).of({"omega_m": 0.3, "omega_b": 0.045})
    assert starved["gas"] == 0.0
