"""Fields of any domain from files to the page, which does not speak of matter."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from arrays import NOT_OF_ARRAYS, OF_MATTER, run_stages, shipped, words, write

import emulator
from analysis.linear_fields import SHAPE, noise_levels, write_suite
from emulator.io import EmulatorError, read_dataset, read_json
from emulator.report.inputs import read_inputs
from emulator.report.overview import describe_run
from emulator.report.sections import build_sections, validation_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """Folder of a run of ``configs/linear_fields.yaml`` with a tiny training."""
    folder = tmp_path_factory.mktemp("linear")
    write_suite(folder / "data/raw/linear_fields")
    few = {"windows_per_simulation": 12, "n_members": 6}
    return run_stages(folder, write(folder, shipped("linear_fields", sampling=few)))


@pytest.mark.slow
def test_the_page_does_not_speak_of_matter(linear):
    found = re.findall(rf"(?i).{{0,40}}(?:{OF_MATTER}).{{0,40}}", words(linear / "report.html"))
    assert not found
    assert "temperature anomaly" in words(linear / "report.html")
    assert "1/km" in words(linear / "report.html")


@pytest.mark.slow
def test_no_sentence_of_the_page_is_about_masses(linear):
    """Of every section, and of what stands above the first; listings are files, and say `mass`."""
    inputs = read_inputs(linear, linear)
    config = validation_config(inputs.metrics)
    sections = build_sections(inputs, config)
    texts = [text for section in sections for text in sentences(section)]
    above = describe_run(inputs, config)
    texts += [text for title, said in above["findings"] for text in (title, *said)]
    texts += [text for group in above["groups"] for text in (group.name, group.asks)]
    texts += [bar["text"] for bar in above["bars"]]
    texts += [*above["lead"], above["title"], *(text for fact in above["facts"] for text in fact)]
    assert len(texts) > 300
    assert not [text for text in texts if re.search(rf"(?i){NOT_OF_ARRAYS}", text)]
    said = " ".join(texts)
    for part in (
        "Rows are chosen by their mean forcing alone (largest, median and smallest",
        "the largest in mean forcing, each beside the truth",
        "Total variance by forcing",
        "what a copy of the forcing field reaches",
        "Rank histograms by channel for pixels and window means",
        "Mean over all windows, with the interval",
        "among pixels of like forcing should be",
    ):
        assert part in said


def sentences(section):
    """All that a section says, but for its listings."""
    yield from (section.title, section.intro, section.runs, *section.missing)
    for picture in section.pictures:
        yield from (picture.alt, picture.caption)
    for viewer in section.viewers:
        yield from (viewer.window, viewer.caption, *(strip.label for strip in viewer.strips))
    for table in section.tables:
        yield from (table.caption, *table.header, *(cell for row in table.rows for cell in row))


@pytest.mark.slow
def test_neither_does_the_card_of_the_model(linear):
    card = (linear / "model/seed_0/README.md").read_text()
    assert not re.findall(rf"(?i).{{0,40}}(?:{OF_MATTER}).{{0,40}}", card)
    assert "16 x 24 pixels of 0.5 km, given forcing [W/m^2], height [m]" in card
    written = (linear / "normalisation.json").read_text()
    assert not re.search(r"cosmic_share|condition_floor", written)


@pytest.mark.slow
def test_audits_leave_out_what_arrays_do_not_have(linear):
    """No larger box, no surroundings, no turns of a rectangle; groups are told apart."""
    audits = read_dataset(linear / "audits.nc")
    why = json.loads(audits.attrs["left_out"])
    absent = {"boxes", "context_ratio", "turn_difference", "leak_correlation"}
    assert absent <= why.keys()
    assert not absent & set(audits)
    assert (audits["leak_runs"] == 0).all()
    assert (audits["leak_maps"] == 0).all()
    assert audits.attrs["n_windows"] > 0
    assert why["boxes"] in words(linear / "report.html")


@pytest.mark.slow
def test_metrics_have_units_of_their_own_and_names_without_matter(linear):
    metrics = read_dataset(linear / "metrics.nc")
    assert metrics["k"].attrs["units"] == "1/km"
    assert metrics["spectrum_truth"].attrs["units"] == "km^2"
    (path, *_) = sorted((linear / "ensembles/test").glob("*.nc"))
    ensemble = read_dataset(path)
    assert ensemble["truth"].attrs["units"] == "unit of the field"
    assert ensemble["level"].values.tolist() == ["height"]
    texts = [str(text) for v in ensemble.variables.values() for text in v.attrs.values()]
    texts += [*map(str, metrics.variables), *map(str, metrics.attrs), metrics.attrs["config"]]
    texts += [str(text) for v in metrics.variables.values() for text in v.attrs.values()]
    assert not [text for text in texts if re.search(rf"(?i)dmo|hmpc|msunh|{OF_MATTER}", text)]
    for name, variable in metrics.variables.items():
        labels = variable.values.ravel() if name in metrics.coords else ()
        said = [*variable.attrs, *map(str, variable.attrs.values()), *map(str, labels)]
        assert not [text for text in said if re.search(rf"(?i){NOT_OF_ARRAYS}|_mass|mass_", text)]
    assert metrics["mass_truth"].attrs["long_name"] == "mean value per pixel"
    assert metrics.sizes["k"] == max(SHAPE) // 2


@pytest.mark.slow
def test_what_can_be_known_is_the_score_of_the_best_baseline(linear):
    crps = read_dataset(linear / "metrics.nc")["crps"].sel(scale=1, estimate="value")
    for name, sigma in noise_levels().items():
        known = sigma / np.sqrt(np.pi)
        best = float(crps.sel(forecast="linear_gaussian", channel=name))
        assert best == pytest.approx(known, rel=0.06)
        # nobody knows more, least of all a network of four steps
        assert float(crps.sel(forecast="model", channel=name)) > known


@pytest.mark.slow
def test_bars_are_of_these_fields(linear):
    bars = read_json(linear / "acceptance.json")["bars"]
    assert {bar["field"] for bar in bars} == {"temperature_anomaly", "wind"}
    power = next(bar for bar in bars if bar["statistic"] == "power_ratio_summed")
    assert "1/km" in power["text"]
    assert not [bar for bar in bars if re.search(OF_MATTER, bar["text"])]


@pytest.mark.slow
def test_a_model_of_arrays_is_drawn_from_by_names_or_arrays(linear):
    model = emulator.load(linear / "model/seed_0")
    rng = np.random.default_rng(0)
    given = rng.standard_normal((2, 2, *SHAPE)).astype(np.float32)
    drawn = model.sample(given, None, n_members=2)
    assert drawn["fields"].shape == (2, 2, 2, *SHAPE)
    assert drawn["x"].attrs["units"] == "km"

    named = {k: (("sample", "y", "x"), given[:, i]) for i, k in enumerate(("forcing", "height"))}
    again = model.sample(xr.Dataset(named), None, n_members=2)
    np.testing.assert_array_equal(drawn["fields"], again["fields"])
    single = model.sample(given[0], {}, n_members=2)
    np.testing.assert_allclose(single["fields"][0], drawn["fields"][0], rtol=1e-4, atol=1e-4)
    for wrong, said in (
        (given[:, :1], r"expected \(sample, 2, 16, 24\), the conditions forcing, height"),
        (given[..., :8], "the conditions forcing, height whole"),
        (np.full_like(given, np.nan), "finite values of forcing"),
        (xr.Dataset({"forcing": named["forcing"]}), "expected the variables forcing, height"),
    ):
        with pytest.raises(EmulatorError, match=said):
            model.sample(wrong, None, n_members=2)
    labelled = xr.Dataset(named)
    labelled["height"].attrs["units"] = "km"
    with pytest.raises(EmulatorError, match="height: expected units 'm', got 'km'"):
        model.sample(labelled, None, n_members=2)
    for option in ({"constraints": {"total": 1.0}}, {"differentiable": True}):
        with pytest.raises(EmulatorError, match=f"{next(iter(option))}: of models of maps of"):
            model.sample(given, None, n_members=2, **option)
    with pytest.raises(EmulatorError, match="unknown"):
        model.sample(given, {"Omega_m": 0.3}, n_members=2)
    with pytest.raises(EmulatorError, match="arrays are drawn whole"):
        model.sample(given, None, centres=[(4, 4)], n_members=2)
    with pytest.raises(EmulatorError, match="expected one of maps of matter"):
        model.paint(given[0, 0], {})


@pytest.mark.workflow
def test_darcy_flow_from_its_file_to_the_page(tmp_path, call):
    default = ROOT.parent / "shared" / "realdata"
    source = Path(os.environ.get("EMULATOR_REALDATA", default)) / "darcy" / "darcy_numpy.npz"
    if not source.is_file():
        pytest.skip(f"no {source} (set EMULATOR_REALDATA)")
    folder = tmp_path / "data/raw/darcy"
    folder.mkdir(parents=True)
    shutil.copy(source, folder)
    tiny = shipped("darcy", suite={"sets": {"train": 8, "test": 2}}, regression={"max_steps": 2})
    write(tmp_path, tiny)
    call(
        ["snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2",
         "--profile", ROOT / "workflow/profiles/local", "--configfile", "config.yaml"],
        tmp_path,
    )  # fmt: skip
    page = words(tmp_path / "results/darcy/report.html")
    assert not re.findall(rf"(?i).{{0,40}}(?:{OF_MATTER}).{{0,40}}", page)
    assert "permeability" in page
    metrics = read_dataset(tmp_path / "results/darcy/metrics.nc")
    assert {"climatology", "regression_gaussian"} <= set(metrics["forecast"].values.astype(str))
    assert metrics.attrs["n_runs"] == 2
