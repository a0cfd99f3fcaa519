"""The target `paint`: boxes without a twin, from a snapshot to members, and what is refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import emulator
from emulator.data.maps import read_maps
from emulator.io import read_dataset

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
PARAMS = {"Omega_m": 0.3, "sigma_8": 0.8, "A_SN1": 1.0, "A_AGN1": 1.0, "A_SN2": 1.0, "A_AGN2": 1.0}
SNAPSHOT = "data/raw/test/Sims/Surrogate_DM/L25n32/CV/CV_0/snapshot_090.hdf5"


def planned(done):
    """Job counts of a dry run."""
    table = re.findall(r"^([a-z_]+) +(\d+)$", done.stdout, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in table if rule != "total"}


def plan(snakemake, folder, painting, *more, check=True):
    asked = ["--config", f"painting={json.dumps(painting)}", *more]
    return snakemake(folder, "--dry-run", "paint", *asked, check=check)


@pytest.fixture
def targets(call):
    """Run the workflow on a suite of dark-matter-only snapshots, those of a finished run."""

    def run(folder, finished, *arguments, check=True, **painting):
        config = {
            "name": "targets",
            "suite": {
                "kind": "snapshots", "name": "Surrogate", "box": "L25n32",
                "root": str(finished / "data/raw/test"), "sets": {"CV": 1},
                "layout": {"hydro_snapshot": None},
            },
            "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
            "painting": painting,
        }  # fmt: skip
        (folder / "targets.yaml").write_text(yaml.safe_dump(config))
        fixed = [
            "snakemake", *arguments, "--snakefile", ROOT / "Snakefile", "--cores", "2",
            "--profile", ROOT / "workflow/profiles/local", "--configfile", "targets.yaml",
        ]  # fmt: skip
        return call(fixed, folder, check=check)

    return run


def test_targets_are_projected_and_painted_without_a_training(finished, targets, tmp_path):
    """Members are what Python paints of the same maps; what is lost is made again, no more."""
    model = finished[0] / "results/test/model"
    asked = {"model": str(model), "projections": ["z"], "n_members": 3, "members_per_job": 2}
    jobs = planned(targets(tmp_path, finished[0], "paint", "--dry-run", **asked))
    assert jobs == {"stage_config": 1, "project": 1, "paint_members": 2, "paint": 1}
    targets(tmp_path, finished[0], "paint", **asked)
    box = tmp_path / "data/processed/targets/maps/CV_0.h5"
    pair = read_maps(finished[0] / "data/processed/test/maps/CV_0.h5")
    assert read_maps(box).species == ("dmo",)
    np.testing.assert_allclose(read_maps(box).select(["dmo"]), pair.select(["dmo"]), rtol=1e-5)
    folder = tmp_path / "results/targets/painted/CV_0/z"
    files = [folder / f"member_{i:05d}.nc" for i in range(3)]
    assert sorted(folder.iterdir()) == files
    painted = emulator.load(model, device="cpu").paint(box, projection="z", n_members=3)
    for i, file in enumerate(files):
        np.testing.assert_allclose(
            read_dataset(file)["fields"][0], painted["fields"][i], rtol=1e-4, atol=1e4
        )
    again = targets(tmp_path, finished[0], "paint", "--dry-run", **asked)
    assert "Nothing to be done" in again.stdout + again.stderr
    kept = files[2].read_bytes()
    files[2].unlink()
    more = asked | {"n_members": 4}
    jobs = planned(targets(tmp_path, finished[0], "paint", "--dry-run", **more))
    assert jobs == {"paint_members": 1, "paint": 1}
    done = targets(tmp_path, finished[0], "paint", **more)
    assert "2 members painted, 0 were there" in done.stdout + done.stderr
    assert files[2].read_bytes() == kept


def test_nothing_is_learned_from_targets(finished, targets, tmp_path):
    done = targets(tmp_path, finished[0], "--dry-run", check=False)
    assert done.returncode != 0
    for word in ("suite.layout.hydro_snapshot", "got null", "painting.model", "`paint`"):
        assert word in done.stdout + done.stderr
    none = targets(tmp_path, finished[0], "paint", "--dry-run", check=False)
    assert "painting.model: expected a trained model" in none.stdout + none.stderr


def test_sources_wait_for_the_model_of_their_config(finished, snakemake, tmp_path):
    """Once it is there, nothing but members is made; and `all` asks for none of them."""
    sources = {
        "maps": {"path": str(finished[0] / "data/processed/test/maps/CV_0.h5")},
        "box": {"path": str(finished[0] / SNAPSHOT), "params": PARAMS, "projections": ["x", "z"]},
    }
    painting = {"sources": sources, "n_members": 5, "members_per_job": 3}
    jobs = planned(plan(snakemake, tmp_path, painting))
    assert (jobs["train"], jobs["paint_members"]) == (1, 2 * (3 + 2))
    assert "sample" not in jobs
    ready = planned(plan(snakemake, finished[0], painting))
    assert ready == {"stage_config": 1, "paint_members": 10, "paint": 1}
    asked = ["--config", f"painting={json.dumps(painting)}"]
    everything = snakemake(finished[0], "--dry-run", *asked)
    assert "Nothing to be done" in everything.stdout + everything.stderr
    simulations = planned(plan(snakemake, finished[0], {"simulations": ["CV"]}))
    assert simulations == {"stage_config": 1, "paint_members": 6, "paint": 1}


@pytest.mark.parametrize(
    ("painting", "words"),
    [
        ({"n_members": 0, "simulations": "all"}, ["painting.n_members", "greater than 0"]),
        ({"sources": {"a": {"path": "no.hdf5", "params": PARAMS}}}, ["no.hdf5", "no such file"]),
        ({"sources": {"a": {"path": "b.npy"}}}, ["sources.a.params", "got no Omega_m"]),
        ({"simulations": "all", "projections": ["q"]}, ["painting.projections", "x, y, z, got q"]),
    ],
)
def test_what_cannot_be_painted_is_refused_before_any_job(snakemake, tmp_path, painting, words):
    np.save(tmp_path / "b.npy", np.ones((64, 64), np.float32))
    done = plan(snakemake, tmp_path, painting, check=False)
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()
