"""`snakemake --profile slurm` on a real Slurm; the tests follow one user through a bad day."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from safetensors.torch import load_file
from slurm_cluster import Cluster, jobs, running, wait_for

import emulator

pytestmark = pytest.mark.slurm
STEPS = 400
LONG = ["--config", f"training={{max_steps: {STEPS}, checkpoint_steps: 50, ensemble_every: 0}}"]
BROKEN = "data/raw/test/Sims/Surrogate/L25n32/SB/SB_2/snapshot_090.hdf5"
RUNS = ["SB0", "SB1", "SB2", "SB3", "CV0"]


def test_a_failing_simulation_stops_only_what_depends_on_it(cluster):
    path = cluster.folder / BROKEN
    (path / "in the way").mkdir(parents=True)
    code, said = cluster.run("--retries", "0", *LONG)
    assert code != 0
    assert BROKEN in said
    done = {run for run in RUNS if (cluster.folder / manifest("processed", run)).is_file()}
    assert done == {*RUNS} - {"SB2"}
    assert not (cluster.folder / "results/test/normalisation.json").exists()


def manifest(folder, run):
    return f"data/{folder}/test/manifests/{run}.json"


@pytest.fixture(scope="module")
def bad_day(cluster):
    """Mended, the same command again; training is preempted, a node is lost, a job cancelled."""
    shutil.rmtree(cluster.folder / BROKEN)
    first = max(jobs())
    driver = cluster.start(*LONG)
    wait_for(
        lambda: [*cluster.folder.glob("results/test/.state/train-*/state.ckpt")], "a first state"
    )
    preempted = running("train", first)
    subprocess.run(["scancel", "--signal=TERM", str(preempted)], check=True)
    cancelled = wait_for(lambda: running("sample", first), "a job that samples")
    subprocess.run(["scancel", str(cancelled)], check=True)
    lost = wait_for(lambda: running("report", first), "the report")
    node = jobs()[lost]["NodeList"]
    state = ["scontrol", "update", f"NodeName={node}"]
    subprocess.run([*state, "State=DOWN", "Reason=test"], check=True)
    # Slurm queues it again, and would wait two minutes before it starts
    subprocess.run(["scontrol", "update", f"JobId={lost}", "StartTime=now"], check=True)
    code = driver.wait(timeout=400)
    assert code == 0, cluster.said()
    new = {number: facts for number, facts in jobs().items() if number > first}
    return {"jobs": new, "preempted": preempted, "cancelled": cancelled, "lost": lost}


def test_only_what_was_missing_ran(bad_day):
    ran = [(facts["rule"], facts["of"]) for facts in bad_day["jobs"].values()]
    for rule in ("simulate", "project"):
        assert [of for name, of in ran if name == rule] == ["SB2"]
    assert [name for name, _ in ran].count("fit") == 1


def test_a_preempted_training_goes_on_at_its_step(bad_day, cluster):
    trainings = [n for n, facts in bad_day["jobs"].items() if facts["rule"] == "train"]
    assert trainings[0] == bad_day["preempted"]
    assert [bad_day["jobs"][n]["JobState"] for n in trainings] == ["FAILED", "COMPLETED"]
    kept = cluster.folder.glob(f".snakemake/slurm_logs/rule_train/*/{trainings[0]}.log")
    said = next(kept).read_text()
    step = int(said.split("training stopped after step ")[1].split()[0])
    assert 0 < step < STEPS
    log = (cluster.folder / "results/test/logs/train/seed_0.log").read_text()
    assert "going on from" in log
    first = int(re.search(rf"train: (\d+)/{STEPS} \(", log)[1])
    assert step < first <= STEPS


def test_a_cancelled_job_was_tried_again(bad_day):
    cancelled = bad_day["jobs"][bad_day["cancelled"]]
    assert cancelled["JobState"] == "CANCELLED"
    again = [
        facts["JobState"]
        for facts in bad_day["jobs"].values()
        if (facts["rule"], facts["of"]) == ("sample", cancelled["of"])
    ]
    assert sorted(again) == ["CANCELLED", "COMPLETED"]


def test_a_job_of_a_lost_node_ran_elsewhere(bad_day):
    reports = [facts for facts in bad_day["jobs"].values() if facts["rule"] == "report"]
    assert reports[-1]["JobState"] == "COMPLETED"
    assert len(reports) > 1 or reports[0]["Restarts"] == "1"


def test_every_rule_ran_as_a_job_with_what_it_asks_for(bad_day):
    ran = {facts["rule"]: facts for facts in jobs().values()}
    stages = {"simulate", "project", "fit", "train", "regress", "sample", "audit", "validate"}
    assert ran.keys() == stages | {"report"}
    gpu = {rule for rule, facts in ran.items() if "gpu" in facts.get("TresPerJob", "")}
    assert gpu == {"train", "regress", "sample", "audit"}
    for rule, facts in ran.items():
        assert facts["Partition"] == ("gpu" if rule in gpu else "cpu")
        assert int(facts["MinMemoryNode"].removesuffix("M").removesuffix("G")) > 0
        assert facts["TimeLimit"] != "UNLIMITED"


def test_results_are_those_of_a_local_run(bad_day, cluster, tmp_path_factory):
    local = Cluster(tmp_path_factory.mktemp("local"))
    local.run_locally(*LONG)
    results = [folder / "results/test" for folder in (cluster.folder, local.folder)]
    weights = [load_file(r / "model/seed_0/weights.safetensors") for r in results]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    names = ["metrics.nc", "ensembles/test/CV_0.nc", "ensembles/test/SB_1.nc"]
    names += [f"../../data/processed/test/maps/SB_{i}.h5" for i in range(4)]
    for name in names:
        one, other = (xr.load_dataset(r / name, engine="h5netcdf") for r in results)
        timing = {"seconds_per_member": 0.0}
        assert one.assign_attrs(timing).identical(other.assign_attrs(timing)), name


def test_two_nodes_train_as_one(bad_day, cluster, tmp_path_factory):
    """Gloo between two nodes; the same losses as one process, as with two devices of a node."""
    other = cluster.copy_to(tmp_path_factory.mktemp("nodes"))
    short = "max_steps: 20, precision: '32', ensemble_every: 0"
    first = max(jobs())
    code, said = other.run("--config", f"training={{{short}, num_nodes: 2}}", "--until", "train")
    assert code == 0, said
    (facts,) = [f for n, f in jobs().items() if n > first and f["rule"] == "train"]
    assert (facts["NumNodes"], facts["JobState"]) == ("2", "COMPLETED")
    together = other.losses()
    config = other.folder / "one.yaml"
    text = Path(other.folder / "results/test/config/train.yaml").read_text()
    config.write_text(text.replace("num_nodes: 2", "num_nodes: 1"))
    other.emulator("train", config, "--results", "results/test", "--maps",
                   "data/processed/test/maps", "--output", "one")  # fmt: skip
    (other.folder / "results/test/model/seed_0/history.csv").write_bytes(
        (other.folder / "one/seed_0/history.csv").read_bytes()
    )
    assert together == pytest.approx(other.losses(), abs=1e-5)


def test_a_driver_that_was_killed_leaves_a_lock_that_one_command_removes(
    bad_day, cluster, tmp_path_factory
):
    """Its jobs run on; the recipe of docs/cluster.md: cancel them, unlock, the same command."""
    other = cluster.copy_to(tmp_path_factory.mktemp("killed"))
    results = other.folder / "results/test"
    expected = xr.load_dataset(results / "ensembles/test/CV_0.nc", engine="h5netcdf").fields
    for name in ("ensembles", "manifests"):
        shutil.rmtree(results / name)
    (results / "report.html").unlink()
    first = max(jobs())
    driver = other.start(*LONG)
    orphan = wait_for(lambda: running("sample", first), "a job that samples")
    driver.kill()
    driver.wait()
    assert jobs()[orphan]["JobState"] == "RUNNING"
    code, said = other.run(*LONG)
    assert code != 0
    assert "locked" in said
    assert "--unlock" in said
    subprocess.run(["scancel", "--name", jobs()[orphan]["JobName"]], check=True)
    assert other.run(*LONG, "--unlock")[0] == 0
    code, said = other.run(*LONG)
    assert code == 0, said
    assert (results / "report.html").is_file()
    again = xr.load_dataset(results / "ensembles/test/CV_0.nc", engine="h5netcdf").fields
    assert again.identical(expected)


def test_jobs_share_a_painted_box(bad_day, cluster):
    """Two GPU jobs of two members each; together they are what one process draws."""
    first = max(jobs())
    box = "painting={simulations: [CV_0], projections: [z], n_members: 4, members_per_job: 2}"
    code, said = cluster.run("--retries", "1", "paint", *LONG, box)
    assert code == 0, said
    new = {number: facts for number, facts in jobs().items() if number > first}
    assert {(facts["rule"], facts["Partition"]) for facts in new.values()} == {
        ("paint_members", "gpu")
    }
    assert [facts["JobState"] for facts in new.values()] == ["COMPLETED"] * 2
    results = cluster.folder / "results/test"
    painted = [
        xr.load_dataset(results / f"painted/CV_0/z/member_{number:05d}.nc", engine="h5netcdf")
        for number in range(4)
    ]
    model = emulator.load(results / "model", device="cpu")
    maps = cluster.folder / "data/processed/test/maps/CV_0.h5"
    alone = model.paint(maps, projection="z", n_members=4).fields.to_numpy()
    for member, file in zip(alone, painted, strict=True):
        np.testing.assert_allclose(file["fields"][0], member, rtol=1e-4, atol=1e4)


def test_projection_by_a_dask_cluster_of_slurm_jobs(cluster, tmp_path):
    """`data.scheduler: slurm` starts workers as jobs and ends them."""
    pytest.importorskip("dask_jobqueue")
    config = tmp_path / "dask.yaml"
    text = (cluster.folder / "configs/test.yaml").read_text()
    config.write_text(text.replace("data:\n", "data:\n  scheduler: slurm\n"))
    cluster.emulator("project", config, "--run", "SB0", "--workers", "2", "--maps", tmp_path)
    one, other = (
        xr.load_dataset(folder / "SB_0.h5", engine="h5netcdf")
        for folder in (cluster.folder / "data/processed/test/maps", tmp_path)
    )
    xr.testing.assert_allclose(one.maps, other.maps, rtol=1e-6)
    names = subprocess.run(
        ["squeue", "--noheader", "--format=%j %T"], capture_output=True, text=True, check=True
    ).stdout
    assert "dask-worker" not in names
