"""Suites that exist already go through the workflow: shipped configs on a few fabricated files."""

import re
from pathlib import Path

import multifield_files as files
import numpy as np
import pytest
import torch
import yaml

from emulator.config import parse_config, read_config
from emulator.data.maps import read_maps
from emulator.io import read_json
from emulator.model.normalisation import Normalisation
from emulator.model.windows import windows_for
from emulator.readers.parameter_table import canonical_name, read_table
from emulator.readers.parameters import match_ranges, parameters_of, read_ranges

ROOT = Path(__file__).parents[2]
SMALL = {
    "data": {"n_pixels": files.N_PIXELS, "window": 8, "context_factors": [2, 4]},
    "training": {"max_steps": 4, "checkpoint_steps": 2, "batch_size": 4},
}


def shipped(name, folder, **suite):
    """Write a shipped config with fewer simulations and smaller maps."""
    raw = yaml.safe_load((ROOT / f"configs/{name}.yaml").read_text())
    raw["suite"] |= suite
    raw |= SMALL
    raw["model"]["network"] = {"widths": [16, 32], "patch": 2, "attention_levels": []}
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    return parse_config(raw)


@pytest.fixture
def workflow(call):
    def run(folder, *arguments, check=True):
        fixed = [
            "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2",
            "--profile", ROOT / "workflow/profiles/local", "--configfile", "config.yaml",
        ]  # fmt: skip
        return call([*fixed, *arguments], folder, check=check)

    return run


@pytest.mark.workflow
def test_ready_maps_from_files_to_a_batch(tmp_path, workflow):
    root = tmp_path / "cmd"
    config = shipped(
        "camels_multifield", tmp_path, root=str(root), sets={"LH": 4, "CV": 1},
        maps_per_simulation=files.N_MAPS, ranges=str(root / "ranges.csv"),
    )  # fmt: skip
    files.write_multifield(root, config.suite)
    field = root / "Maps_Mgas_IllustrisTNG_CV_z=0.00.npy"
    field.rename(root / "elsewhere.npy")
    refused = workflow(tmp_path, "--dry-run", check=False)
    assert refused.returncode != 0
    assert field.name in refused.stdout + refused.stderr
    (root / "elsewhere.npy").rename(field)
    plan = workflow(tmp_path, "--dry-run").stdout
    counts = dict(re.findall(r"^([a-z_]+) +(\d+)$", plan, flags=re.MULTILINE))
    assert counts["project"] == "1"  # all in one block
    assert counts["report"] == "1"
    results = tmp_path / "results/camels_multifield"
    workflow(tmp_path, "--until", "fit")
    names = read_json(results / "splits.json")["train"]
    folder = tmp_path / "data/processed/camels_multifield/maps"
    maps = [read_maps(folder / f"{name}.h5", lazy=True) for name in names]
    normalisation = Normalisation.read(results / "normalisation.json")
    batch = windows_for(normalisation, maps, window=8, batch_size=4, seed=0)[0]
    assert batch.condition.params.shape == (4, 6)
    assert all(torch.isfinite(values).all() for values in (*batch.condition, batch.target))
    # a command that fails is a job that fails, whatever stands behind its pipe
    density = np.load(field)
    density[0, 0, 0] = np.nan
    np.save(field, density)
    refused = workflow(tmp_path, "--until", "project", check=False)
    assert refused.returncode != 0
    assert f"{field.name}[0]: expected finite values" in refused.stdout + refused.stderr
    assert "MissingOutputException" not in refused.stdout + refused.stderr


@pytest.mark.workflow
def test_snapshots_in_the_layout_of_camels_are_found(tmp_path, workflow):
    """Single files, and families of files of which only number 0 is named."""
    root, ranges = tmp_path / "CAMELS", "data/parameters/camels_tng_35.csv"
    config = shipped("camels_tng_sb35", tmp_path, root=str(root), sets={"SB35": 3})
    (tmp_path / ranges).parent.mkdir(parents=True)
    (tmp_path / ranges).touch()
    made = []
    for i in range(3):
        for path in config.suite.inputs(root, f"SB35_{i}")[:4]:
            chunked = i == 2 and path.suffix == ".hdf5"
            made.append(path.with_name(f"{path.stem}.0{path.suffix}") if chunked else path)
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            made[-1].touch()
    table = config.suite.path("parameters", root, "SB35_0")
    rows = [f"SB35_{i} 0.3 {100 + i}" for i in range(3)]
    table.write_text("\n".join(["#Name Omega0 seed", *rows]) + "\n")
    relative = {str(path.relative_to(root)) for path in made}
    assert "Sims/IllustrisTNG/L50n512/SB35/SB35_0/snapshot_090.hdf5" in relative
    assert "Sims/IllustrisTNG_DM/L50n512/SB35/SB35_2/snapshot_090.0.hdf5" in relative
    assert "FOF_Subfind/IllustrisTNG_DM/L50n512/SB35/SB35_1/groups_090.hdf5" in relative
    assert "Parameters/IllustrisTNG/CosmoAstroSeed_IllustrisTNG_L50n512_SB35.txt" in relative
    plan = workflow(tmp_path, "--dry-run").stdout
    assert re.search(r"^project +1$", plan, flags=re.MULTILINE)  # a block of 16
    made[0].unlink()
    refused = workflow(tmp_path, "--dry-run", check=False)
    assert str(made[0]) in refused.stdout + refused.stderr


@pytest.mark.parametrize("name", ["camels_tng_sb35", "camels_multifield"])
def test_every_parameter_of_a_shipped_config_has_a_range(name):
    config = read_config(ROOT / f"configs/{name}.yaml")
    table = ROOT / config.suite.path("ranges", "", next(iter(config.suite.sets)))
    ranges = match_ranges(config.model.params, read_ranges(table), table)
    assert len(ranges) == len(config.model.params)
    fiducial = {canonical_name(key): value.fiducial for key, value in ranges.items()}
    assert fiducial["Omega_m"] == 0.3


def test_the_35_parameters_are_those_of_the_public_table():
    folder = ROOT / "tests/data/real/camels_params"
    table = folder / "CosmoAstroSeed_IllustrisTNG_L50n512_SB35.txt"
    config = read_config(ROOT / "configs/camels_tng_sb35.yaml")
    assert list(config.model.params) == list(parameters_of(read_table(table), "SB35_0"))
    # the cosmic share of a sample follows its own cosmology
    assert {"Omega_m", "Omega_b"} <= {canonical_name(name) for name in config.model.params}
