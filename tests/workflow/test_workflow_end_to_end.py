"""The test preset from nothing to a report, and what happens when it is asked again."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from snippets import RUN_WITH_A_MODEL

import emulator
from emulator.config import EmbeddedSuite, read_config
from emulator.cost.requests import requests
from emulator.data.example import write_example
from emulator.data.splits import split_runs
from emulator.io import DataError, read_json
from emulator.suites import build_suite, suite_of

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]


def planned(done):
    """Job counts of a dry run."""
    table = re.findall(r"^([a-z_]+) +(\d+)$", done.stdout, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in table if rule != "total"}


def test_products_are_there(finished):
    results = finished[0] / "results/test"
    splits = read_json(results / "splits.json")
    for name in build_suite(EmbeddedSuite(), "nowhere").sampled(splits["test"]):
        ensemble = xr.load_dataset(results / f"ensembles/test/{name}.nc", engine="h5netcdf")
        assert ensemble.fields.dims == ("sample", "member", "channel", "y", "x")
        assert ensemble.fields.attrs["units"] == "Msun/h per pixel"
        assert "surrogate" in ensemble.attrs["notice"]
    bars = read_json(results / "acceptance.json")
    assert "surrogate" in json.dumps(bars)
    assert {"met", "missed"} >= set(re.findall(r'"verdict": "(\w+)"', json.dumps(bars)))


def test_the_workflow_splits_as_the_config_says(finished):
    config = read_config(finished[0] / "results/test/config/fit.yaml")
    expected = split_runs(config.suite.runs(), config.data.split)
    found = read_json(finished[0] / "results/test/splits.json")
    assert found == {name: list(members) for name, members in expected.items()}


def test_report_is_one_self_contained_page(finished):
    page = (finished[0] / "results/test/report.html").read_text()
    assert "surrogate" in page
    assert not re.findall(r'(?:src|href)="https?://', page)
    assert page.count("data:image/") >= 8
    assert len(page) < 6_000_000


def test_every_job_leaves_a_log_and_a_benchmark(finished):
    results = finished[0] / "results/test"
    for kind, suffix in (("logs", "log"), ("benchmarks", "tsv")):
        for stage in ("fit", "regress", "audit", "validate", "report"):
            assert (results / kind / f"{stage}.{suffix}").stat().st_size
        for stage in ("simulate", "project", "train", "sample"):
            assert list((results / kind / stage).glob(f"*.{suffix}"))


def test_jobs_need_less_than_they_ask_for(finished):
    """Memory and time that the workflow asks the scheduler for, against what was measured."""
    results = finished[0] / "results/test"
    config = read_config(ROOT / "configs/test.yaml")
    asked = requests(config, suite_of(config))
    for stage, request in asked.items():
        tables = [
            *results.glob(f"benchmarks/{stage}/*.tsv"),
            *results.glob(f"benchmarks/{stage}.tsv"),
        ]
        assert tables
        for table in tables:
            names, values = (line.split("\t") for line in table.read_text().splitlines())
            used = dict(zip(names, values, strict=True))
            assert float(used["s"]) < 60 * request.minutes
            if used["max_rss"] not in ("NA", "-"):
                assert float(used["max_rss"]) < request.memory_mb


def test_blocks_make_few_jobs_of_the_same_work(finished, snakemake, tmp_path):
    blocks = ["--config", "blocks={runs: 3, simulations: 2}"]
    jobs = planned(snakemake(tmp_path, "--dry-run", *blocks))
    assert (jobs["simulate"], jobs["project"], jobs["sample"]) == (2, 2, 1)
    snakemake(tmp_path, "--until", "fit", *blocks)
    for name in ("normalisation.json", "splits.json"):
        one, other = (folder / "results/test" / name for folder in (finished[0], tmp_path))
        assert one.read_bytes() == other.read_bytes()


def test_one_bad_simulation_of_a_block_costs_one(copy, call):
    maps = copy / "data/processed/test/maps"
    expected = (maps / "SB_2.h5").read_bytes()
    for path in maps.glob("SB_*.h5"):
        path.unlink()
    (snapshot,) = (copy / "data/raw/test").glob("Sims/Surrogate/*/SB/SB_1/*.hdf5")
    snapshot.write_bytes(b"broken")
    runs = ["--run", "SB0", "--run", "SB1", "--run", "SB2"]
    command = ["emulator", "project", "results/test/config/project.yaml", *runs]
    done = call([*command, "--manifest", "block.json"], copy, check=False)
    assert done.returncode == 1
    assert str(snapshot.relative_to(copy)) in done.stderr
    assert (maps / "SB_2.h5").read_bytes() == expected
    assert not (maps / "SB_1.h5").exists()
    assert not (copy / "block.json").exists()


def test_progress_with_time_left_reaches_the_terminal(finished):
    assert re.search(r"train: 20/20 \(100%\), \S+ elapsed, \S+ left", finished[1])


def test_the_bundle_is_ready_to_use(finished, monkeypatch):
    folder = finished[0]
    monkeypatch.setenv("EMULATOR_MODEL", str(folder / "results/test/model"))
    ensemble = xr.load_dataset(
        next((folder / "results/test/ensembles/test").glob("*.nc")), engine="h5netcdf"
    )
    params = dict(zip(ensemble.parameter.values, ensemble.params.values[0], strict=True))
    fields = emulator.sample(ensemble.isel(sample=[0]), params, n_members=2)
    assert fields.fields.sizes["member"] == 2


def as_the_demo(finished, folder):
    """Put this run where the documents have the demo."""
    for name in ("results", "data/processed"):
        (folder / name).mkdir(parents=True)
        (folder / name / "demo").symlink_to(finished / name / "test")


def test_the_exports_of_the_docs_run(finished, tmp_path, call):
    """Their window is the demo's, 32 pixels; that of this run is 16."""
    lines = re.findall(
        r"^(emulator export .*?) +#", (ROOT / "docs/your_own_suite.md").read_text(), re.MULTILINE
    )
    assert len(lines) == 2
    as_the_demo(finished[0], tmp_path)
    for line in lines:
        done = call(line.replace("--window 32", "--window 16").split(), tmp_path)
        assert int(done.stdout.split()[0]) > 0


def test_the_snippets_of_the_docs_run(finished, tmp_path, monkeypatch):
    """With the bundle of this run where the README has that of the demo, and a map of this run."""
    pages = [(ROOT / page).read_text() for page in RUN_WITH_A_MODEL]
    blocks = re.findall(r"```python\n(.*?)```", "\n".join(pages), re.DOTALL)
    as_the_demo(finished[0], tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    shutil.copytree("results/demo/model", "default")  # in place of the reference, with an example
    write_example("data/processed/demo/maps/CV_0.h5", "default/example.h5", "z")
    monkeypatch.setenv("EMULATOR_MODEL", "default")
    names = {}
    exec(blocks[0], names)
    assert names["fields"].fields.sizes["member"] == 16
    for block in blocks[1:]:  # those of the pages go on with its names
        exec(block, names)
    known = ~np.isnan(names["observed"][0, 0])
    drawn = names["fields"].fields.values[0, :, 0]
    assert np.abs(np.log(drawn / names["observed"][0, 0]))[:, known].mean() < 0.2
    assert np.isfinite(names["result"].log_likelihood).all()


def test_a_snapshot_is_painted_as_its_maps_file_is(finished):
    """A box without a twin: the snapshot alone, on the grid and with the kernel of the model."""
    folder = finished[0]
    model = emulator.load(folder / "results/test/model", device="cpu")
    (snapshot,) = (folder / "data/raw/test").glob("Sims/Surrogate_DM/*/CV/CV_0/*.hdf5")
    maps = model.paint(folder / "data/processed/test/maps/CV_0.h5", projection="z")
    params = dict(zip(maps.parameter.values.tolist(), maps.params.values.tolist(), strict=True))
    own = model.paint(snapshot, params, projection="z")
    np.testing.assert_allclose(own.condition, maps.condition, rtol=1e-5)
    # noise is a function of the map, to the bit
    named = [
        model.paint(source, params, projection="z", noise_of="CV_0").fields
        for source in (snapshot, folder / "data/processed/test/maps/CV_0.h5")
    ]
    median = np.median(np.abs(np.log((named[0] + 1e8) / (named[1] + 1e8))))
    assert median < 1e-3


def test_a_second_call_does_nothing(finished, snakemake):
    done = snakemake(finished[0])
    assert "Nothing to be done" in done.stdout + done.stderr


DRAWN = {"stage_config", "sample", "audit", "validate", "report"}
"""Rules that follow from another way to draw."""


def test_sampling_reruns_sampling_and_what_follows(finished, snakemake):
    done = snakemake(finished[0], "--dry-run", "--config", "sampling={n_members: 5}")
    jobs = planned(done)
    assert jobs.pop("all") == 1
    assert jobs.keys() == DRAWN


def test_validation_reruns_validation_only(finished, snakemake):
    done = snakemake(finished[0], "--dry-run", "--config", "validation={k_max_hmpc: 7.5}")
    assert planned(done).keys() - {"all"} == {"stage_config", "validate", "report"}


AUTO = {
    "solver": {"name": "auto", "evaluations": [2, 4], "reference_evaluations": 8, "windows": 4,
               "spectrum_error": 100.0, "crps_error": 100.0},
    "n_steps": "auto",  # the config of the tests gives a number
}  # fmt: skip


def test_a_solver_that_is_to_be_found_is_a_job_between_training_and_sampling(copy, snakemake):
    """Per seed, and only then; who draws uses it, and the page shows it."""
    auto = ["--config", f"sampling={json.dumps(AUTO)}"]
    jobs = planned(snakemake(copy, "--dry-run", *auto))
    assert jobs.pop("tune") == 1
    assert jobs.keys() - {"all"} == DRAWN
    results = copy / "results/test"
    weights = (results / "model/seed_0/weights.safetensors").stat().st_mtime_ns
    snakemake(copy, *auto)
    assert (results / "model/seed_0/weights.safetensors").stat().st_mtime_ns == weights
    found = read_json(results / "model/seed_0/solver.json")
    assert found["sampling"]["n_steps"] == 2
    ensemble = xr.load_dataset(results / "ensembles/test/CV_0.nc", engine="h5netcdf")
    assert ensemble.attrs["n_steps"] == 2
    assert 'id="solver"' in (results / "report.html").read_text()
    again = snakemake(copy, "--dry-run", *auto)
    assert "Nothing to be done" in again.stdout + again.stderr
    lower = {**AUTO, "solver": AUTO["solver"] | {"spectrum_error": 1e-9}}
    done = snakemake(copy, "--config", f"sampling={json.dumps(lower)}")
    assert "WARNING: no candidate is within the budget" in done.stdout + done.stderr
    more = planned(snakemake(copy, "--dry-run", *auto, "training={seeds: [0, 7]}"))
    assert (more["train"], more["tune"]) == (1, 2)  # seed 0 has another budget again


CALIBRATION = ["--config", "calibration={enabled: true, windows: 4, members: 2, rounds: 1}"]


def test_a_calibration_is_planned_only_where_the_config_asks_for_it(snakemake, tmp_path):
    assert "calibrate" not in planned(snakemake(tmp_path, "--dry-run"))
    asked = [*CALIBRATION, f"sampling={json.dumps(AUTO)}", "training={seeds: [0, 1]}"]
    jobs = planned(snakemake(tmp_path, "--dry-run", *asked))
    assert (jobs["train"], jobs["tune"], jobs["calibrate"]) == (2, 2, 2)


def test_a_calibration_is_a_job_between_training_and_sampling(copy, snakemake):
    """Who draws uses it, the page shows it, and without it members are those of before."""
    jobs = planned(snakemake(copy, "--dry-run", *CALIBRATION))
    assert jobs.pop("calibrate") == 1
    assert jobs.keys() - {"all"} == DRAWN
    results, ensemble = copy / "results/test", "results/test/ensembles/test/CV_0.nc"
    before = xr.load_dataset(copy / ensemble, engine="h5netcdf")
    snakemake(copy, *CALIBRATION)
    found = read_json(results / "model/seed_0/calibration.json")
    after = xr.load_dataset(copy / ensemble, engine="h5netcdf")
    assert json.loads(after.attrs["calibration"])["0"]["noise_scale"] == found["noise_scale"]
    assert 'id="noise-scale"' in (results / "report.html").read_text()
    again = snakemake(copy, "--dry-run", *CALIBRATION)
    assert "Nothing to be done" in again.stdout + again.stderr
    snakemake(copy)
    restored = xr.load_dataset(copy / ensemble, engine="h5netcdf")
    np.testing.assert_array_equal(restored.fields, before.fields)
    assert 'id="noise-scale"' not in (results / "report.html").read_text()


def test_training_reruns_training(finished, snakemake):
    jobs = planned(snakemake(finished[0], "--dry-run", "--config", "training={max_steps: 25}"))
    trained = {"train", "regress"}  # which reads batch size and rates, and finds itself done
    assert jobs.keys() - {"all"} == DRAWN | trained
    jobs = planned(snakemake(finished[0], "--dry-run", "--config", "diffusion={prediction: x}"))
    assert jobs.keys() - {"all"} == DRAWN | {"train"}


def test_the_regression_reruns_itself_and_validation(finished, snakemake):
    jobs = planned(snakemake(finished[0], "--dry-run", "--config", "regression={max_steps: 10}"))
    assert jobs.keys() - {"all"} == {"stage_config", "regress", "validate", "report"}
    assert jobs["regress"] == 1
    none = planned(snakemake(finished[0], "--dry-run", "--config", "regression={max_steps: 0}"))
    assert none.keys() - {"all"} == {"stage_config", "validate", "report"}


def test_the_regression_is_among_the_scores(finished):
    results = finished[0] / "results/test"
    scores = xr.load_dataset(results / "metrics.nc", engine="h5netcdf")["crps"]
    for name in ("regression", "regression_gaussian"):
        assert np.isfinite(scores.sel(estimate="value", forecast=name)).all()
    assert "regression + Gaussian residual" in (results / "report.html").read_text()
    with pytest.raises(DataError, match="got a regression"):
        emulator.load(results / "regression")


def test_a_seed_more_trains_one_model_and_keeps_the_members_of_the_other(copy, snakemake):
    """And two members more of each are drawn without drawing those that are there."""
    results = copy / "results/test"
    with xr.open_dataset(results / "ensembles/test/CV_0.nc", engine="h5netcdf") as file:
        before = file.load()
    more = ["--config", "training={seeds: [0, 7]}", "sampling={n_members: 6}"]
    jobs = planned(snakemake(copy, "--dry-run", *more))
    assert jobs["train"] == 1
    assert jobs.keys() - {"all"} == DRAWN | {"train"}
    done = snakemake(copy, *more)
    after = xr.load_dataset(results / "ensembles/test/CV_0.nc", engine="h5netcdf")
    assert after.model_seed.values.tolist() == 6 * [0] + 6 * [7]
    assert after.model_member.values.tolist() == 2 * [*range(6)]
    assert after.fields[:, :4].equals(before.fields.assign_coords(member=range(4)))
    assert not np.allclose(after.fields[:, 0], after.fields[:, 6])
    assert "8 members a window drawn" in done.stdout + done.stderr
    metrics = xr.load_dataset(results / "metrics.nc", engine="h5netcdf")
    assert metrics.crps_by_model.sizes["model_seed"] == 2
    assert "Uncertainty of the model" in (results / "report.html").read_text()
    both = emulator.load(results / "model")
    assert [model.seed for model in both.models] == [0, 7]


def test_what_is_lost_is_made_again(copy, snakemake):
    """A map, weights and an ensemble of a finished run: the same bytes, and no other training."""
    lost = [
        copy / "data/processed/test/maps/SB_0.h5",
        copy / "results/test/model/seed_0/weights.safetensors",
        copy / "results/test/ensembles/test/CV_0.nc",
    ]
    kept = [path.read_bytes() for path in lost]
    for path in lost:
        path.unlink()
    before = snakemake(copy, "--dry-run")
    assert not lost[0].exists()
    assert not lost[0].exists()
    assert f"{lost[0].name}: expected {len(kept[0])} bytes" in before.stderr
    done = snakemake(copy)
    assert "no such file. Its block is made again." in done.stderr
    assert "going on from" in done.stdout + done.stderr
    assert [path.read_bytes() for path in lost] == kept
    again = snakemake(copy, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_cluster_command_parses_from_the_root(call, tmp_path):
    done = call(["snakemake", "--profile", "slurm", "--dry-run", "--directory", tmp_path], ROOT)
    assert planned(done)["train"] == 1


def test_snakemakes_own_report_works(finished, snakemake):
    snakemake(finished[0], "--report", "snakemake-report.html")
    assert (finished[0] / "snakemake-report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("suite={box_size_mpch: -25}", ["suite.embedded.box_size_mpch", "greater than 0", "-25"]),
        ("trainning={seed: 1}", ["trainning", "unknown key"]),
        ("data={window: 64}", ["data", "must fit in n_pixels"]),
        ("training={objective: consistency}", ["consistency.teacher", "name its bundle"]),
    ],
)
def test_bad_configs_stop_the_workflow_at_once(tmp_path, snakemake, override, words):
    done = snakemake(tmp_path, "--config", override, check=False)
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()


def test_a_student_waits_for_its_teacher(tmp_path, snakemake):
    """Without one nothing is planned; its files are inputs of the training."""
    options = ["name=student", "training={objective: consistency}"]
    teacher = "consistency={teacher: results/test/model}"
    command = ["--dry-run", "--config", *options, teacher]
    done = snakemake(tmp_path, *command, check=False)
    assert done.returncode != 0
    for word in ("results/test/model", "expected a bundle", "train the diffusion first"):
        assert word in done.stdout + done.stderr
    folder = tmp_path / "results/test/model/seed_0"
    folder.mkdir(parents=True)
    for name in ("model.json", "weights.safetensors"):
        (folder / name).touch()
    done = snakemake(tmp_path, *command)
    assert planned(done)["train"] == 1
    (folder / "weights.safetensors").unlink()
    done = snakemake(tmp_path, *command, check=False)
    assert done.returncode != 0
    assert "results/test/model/seed_0/weights.safetensors" in done.stdout + done.stderr
