"""The command `check`, as a user meets it, on a fabricated pair of simulations a set."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from data_samples import BOX_KPCH, write_catalogue, write_snapshot
from typer.testing import CliRunner

from emulator.cli import app, main
from emulator.readers.halo_tables import radius_200c

SIDE = 16
PARTICLE = 0.3 * 2.77536627e11 * 25.0**3 / SIDE**3 / 1e10
"""Mass of a dark-matter-only particle [1e10 Msun/h]."""


def universe(seed):
    """Clustered particles [ckpc/h]: a lattice that flows to some centres, which are the halos."""
    rng = np.random.default_rng(seed)
    lattice = (np.indices((SIDE,) * 3).reshape(3, -1).T + 0.5) * BOX_KPCH / SIDE
    centres = rng.uniform(0, BOX_KPCH, (12, 3))
    away = (lattice[:, None] - centres + BOX_KPCH / 2) % BOX_KPCH - BOX_KPCH / 2
    nearest = np.abs(away).max(axis=2).argmin(axis=1)
    rows = np.arange(len(lattice))
    distance = np.linalg.norm(away[rows, nearest], axis=1)
    pull = np.where(distance < 6000.0, 0.1, 1.0)
    return (centres[nearest] + pull[:, None] * away[rows, nearest]) % BOX_KPCH, centres


def write_simulation(root, name, seed):
    position, centres = universe(seed)
    folder = root / name
    write_snapshot(
        folder / "dmo.hdf5",
        {1: {"Coordinates": position}},
        mass_table=(0, PARTICLE, 0, 0, 0, 0),
    )
    gas = {"Coordinates": position, "Masses": np.full(len(position), 0.15 * PARTICLE)}
    stars = {"Coordinates": centres, "Masses": np.full(12, 0.01 * PARTICLE * SIDE**3 / 12)}
    write_snapshot(
        folder / "hydro.hdf5",
        {0: gas, 1: {"Coordinates": position}, 4: stars},
        mass_table=(0, 0.84 * PARTICLE, 0, 0, 0, 0),
    )
    mass = np.linspace(10, 900, 12)
    radius = 1e3 * radius_200c(1e10 * mass, 0.3, 0.0)
    write_catalogue(folder / "groups.hdf5", centres, mass, radius)


@pytest.fixture
def suite(tmp_path):
    """Four simulations of two sets, their tables, and a config."""
    root = tmp_path / "suite"
    names = ["LH_0", "LH_1", "LH_2", "CV_0"]
    for seed, name in enumerate(names):
        write_simulation(root, name, seed)
    rows = [f"{name} 0.3 0.8 {1 + seed} {100 + seed}" for seed, name in enumerate(names)]
    (root / "table.txt").write_text("\n".join(["#Name Omega_m sigma_8 A_SN1 seed", *rows]) + "\n")
    (root / "ranges.csv").write_text(
        "ParamName,MinVal,MaxVal,FiducialVal,LogFlag\n"
        "Omega_m,0.1,0.5,0.3,0\nsigma_8,0.6,1.0,0.8,0\nA_SN1,0.25,4,1,1\n"
    )
    layout = {
        "dmo_snapshot": "{simulation}/dmo.hdf5",
        "hydro_snapshot": "{simulation}/hydro.hdf5",
        "dmo_catalogue": "{simulation}/groups.hdf5",
        "parameters": "table.txt",
        "ranges": "ranges.csv",
    }
    config = {
        "name": "mine",
        "suite": {
            "kind": "files",
            "name": "Mine",
            "root": str(root),
            "sets": {"LH": 3, "CV": 1},
            "layout": layout,
        },
        "data": {
            "n_pixels": 64,
            "window": 16,
            "context_factors": [2, 4],
            "split": {"validation_fraction": 0.3, "test_fraction": 0.0},
        },
        "model": {"params": ["Omega_m", "sigma_8", "A_SN1"]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return root


def check(root, *options):
    """Exit code and JSON."""
    config = root.parent / "mine.yaml"
    result = CliRunner().invoke(app, ["check", str(config), "--json", *options])
    return result.exit_code, json.loads(result.stdout)


def test_a_sound_suite(suite):
    code, report = check(suite, "--particles", "all")
    assert (code, report["errors"], report["warnings"], report["findings"]) == (0, 0, 0, [])
    facts = report["simulations"]["LH_1"]
    assert facts["dmo"]["particles"] == {"1": SIDE**3}
    assert facts["dmo"]["dark_matter_spacing_mpch"] == pytest.approx(25.0 / SIDE)
    assert facts["dmo"]["length_unit_mpch"] == pytest.approx(1e-3)
    assert facts["halos"] == {"count": 12, "least_msunh": 1e11, "most_msunh": 9e12}
    assert facts["params"] == {"Omega_m": 0.3, "sigma_8": 0.8, "A_SN1": 2.0}
    assert facts["seed"] == 101
    masses = facts["mass_msunh"]
    assert masses["dmo"] == pytest.approx(0.3 * 2.77536627e11 * 25.0**3)
    assert masses["stars"] == pytest.approx(0.01 * masses["dmo"])
    # four species of three projections, and block means over 2 x 2 and 4 x 4 pixels
    assert report["needs"]["maps_bytes_a_simulation"] == 3 * 64**2 * 4 * (4 + 1 / 4 + 1 / 16)
    assert report["needs"]["projection_core_hours"] > 0


def test_the_table_for_people(suite):
    result = CliRunner().invoke(app, ["check", str(suite.parent / "mine.yaml")])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["mine: 4 simulations of 4 runs, 0 errors, 0 warnings", f"below {suite}"]
    table = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines[3:22])
    assert table["set"].split() == ["LH", "CV"]
    assert table["simulations"].split() == ["3", "1"]
    assert re.split(r"\s{2,}", table["units of the files"]) == ["kpc/h, 1e10 Msun/h"] * 2
    assert table["box [Mpc/h]"].split() == ["25", "25"]
    assert table["mass / mean matter"].split() == ["1", "1"]
    assert table["greatest [Msun/h]"].split() == ["9e+12", "9e+12"]
    assert max(map(len, lines[2:])) <= 100


def edit(path, change):
    with h5py.File(path, "r+") as handle:
        change(handle)


def set_header(name, value):
    return lambda root: [
        edit(path, lambda h: h["Header"].attrs.modify(name, value))
        for path in (root / "LH_0" / "dmo.hdf5", root / "LH_0" / "hydro.hdf5")
    ]


def poke(file, name, index, value, simulation="LH_0"):
    def change(handle):
        handle[name][index] = value

    return lambda root: edit(root / simulation / file, change)


def remove_gas(handle):
    del handle["PartType0"]
    for name in ("NumPart_ThisFile", "NumPart_Total"):
        counts = handle["Header"].attrs[name]
        counts[0] = 0
        handle["Header"].attrs.modify(name, counts)


def replace_with(target, source):
    return lambda root: (root / target).write_bytes((root / source).read_bytes())


def rewrite(name, old, new):
    def change(root):
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("break_it", "subject", "words"),
    [
        (lambda r: (r / "LH_0" / "dmo.hdf5").unlink(), "dmo snapshot", "no such file"),
        (set_header("NumFilesPerSnapshot", 3), "dmo snapshot", "dmo.0.hdf5"),
        (
            lambda r: (r / "LH_0" / "hydro.hdf5").write_bytes(
                (r / "LH_0" / "hydro.hdf5").read_bytes()[:3000]
            ),
            "hydro snapshot",
            "truncated",
        ),
        (set_header("BoxSize", 25.0), "density", "probably in Mpc/h, not kpc/h"),
        (
            lambda r: edit(r / "LH_0" / "dmo.hdf5", lambda h: h["Header"].attrs.pop("BoxSize")),
            "dmo snapshot",
            "suite.header.box_size_mpch",
        ),
        (
            poke("dmo.hdf5", "PartType1/Coordinates", (7, 1), np.nan),
            "particles (dmo)",
            "finite",
        ),
        (poke("hydro.hdf5", "PartType0/Masses", 7, -1.0), "particles (gas)", "of zero or more"),
        (replace_with("LH_0/groups.hdf5", "LH_1/groups.hdf5"), "halos", "catalogue of another"),
        (replace_with("LH_0/hydro.hdf5", "LH_1/hydro.hdf5"), "phases", "other initial phases"),
        # 3 % of the matter are missing
        (poke("hydro.hdf5", "PartType0/Masses", slice(None), 0.12 * PARTICLE), "mass", "got 0.97 "),
        (lambda r: edit(r / "LH_0" / "hydro.hdf5", remove_gas), "particles (gas)", "got none"),
        (rewrite("table.txt", "LH_0 0.3 0.8 1 100", "LH_0 0.3 0.8 1 abc"), "seed", "a number"),
        (
            lambda r: (r / "table.txt").write_bytes(b"\xff\xfe\x00"),
            "parameters",
            "a text table in UTF-8",
        ),
        (rewrite("../mine.yaml", "- A_SN1", "- A_SN9"), "model.params", "got A_SN9, too"),
        (rewrite("table.txt", "LH_0 ", "LH_9 "), "parameters", "row for simulation 'LH_0'"),
        (rewrite("table.txt", "LH_1 ", "LH_0 "), "parameters", "one row for 'LH_0'"),
        (rewrite("table.txt", "LH_0 0.3 0.8", "LH_0 0.4 0.8"), "parameters", "Omega_m = 0.4"),
        (rewrite("ranges.csv", "sigma_8,", "sigma_9,"), "ranges", "'sigma_8'"),
    ],
)
def test_each_fault_has_its_message(suite, break_it, subject, words):
    break_it(suite)
    code, report = check(suite)
    assert code == 1
    errors = [f for f in report["findings"] if f["simulation"] == "LH_0" and f["level"] == "error"]
    assert [f["subject"] for f in errors if words in f["message"]] == [subject], errors


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (rewrite("ranges.csv", "A_SN1,0.25,4,", "A_SN1,0.25,3,"), "4 is outside [0.25, 3]"),
    ],
)
def test_what_is_only_suspicious_is_a_warning(suite, break_it, words):
    break_it(suite)
    code, report = check(suite)
    assert (code, report["errors"], report["warnings"]) == (0, 0, 1)
    assert words in report["findings"][0]["message"]


def test_simulations_of_one_seed_are_one_run(suite):
    """They leave training together, with the set that is held out."""
    assert check(suite)[1]["runs"] == 4
    rewrite("table.txt", "CV_0 0.3 0.8 4 103", "CV_0 0.3 0.8 4 100")(suite)
    code, report = check(suite)
    assert (code, report["runs"], report["findings"]) == (0, 3, [])
    # two runs are left for training and validation
    rewrite("table.txt", " 101", " 102")(suite)
    code, report = check(suite)
    assert (code, report["runs"]) == (1, 2)
    assert "leave no run for" in report["findings"][0]["message"]


def test_equal_findings_are_told_once(suite):
    for i in range(3):
        (suite / f"LH_{i}" / "groups.hdf5").unlink()
    result = CliRunner().invoke(app, ["check", str(suite.parent / "mine.yaml")])
    assert result.exit_code == 1
    assert "error, catalogue: LH_0, LH_1, LH_2\n" in result.stdout
    assert result.stdout.count("no such file") == 1


def test_a_kind_hides_no_other(suite):
    """Two faults of one simulation, and the same subject with another message in a second one."""
    poke("dmo.hdf5", "PartType1/Coordinates", (7, 1), np.nan)(suite)
    poke("hydro.hdf5", "PartType0/Masses", 7, -1.0)(suite)
    poke("hydro.hdf5", "PartType0/Coordinates", (7, 1), np.nan, "CV_0")(suite)
    code, report = check(suite)
    assert code == 1
    found = [(f["simulation"], f["subject"]) for f in report["findings"]]
    gas = "particles (gas)"
    assert found == [("LH_0", "particles (dmo)"), ("LH_0", gas), ("CV_0", gas)]
    text = CliRunner().invoke(app, ["check", str(suite.parent / "mine.yaml")]).stdout
    for finding in report["findings"]:
        message = finding["message"].replace(f"{suite}/", "")
        assert message in " ".join(text.split()), message


def test_a_split_that_cannot_be_is_a_finding(suite):
    rewrite("../mine.yaml", "    LH: 3\n    CV: 1\n", "    LH: 1\n")(suite)
    code, report = check(suite)
    assert code == 1
    assert [(f["simulation"], f["subject"]) for f in report["findings"]] == [("", "split")]


def test_a_file_that_may_not_be_read(suite, monkeypatch):
    read_text = Path.read_text

    def refuse(path, *args, **kwargs):
        if path.name == "table.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    code, report = check(suite)
    assert code == 1
    assert "Permission denied" in report["findings"][0]["message"]


@pytest.mark.slow
def test_the_embedded_suite_is_sound(tmp_path):
    config = str(Path(__file__).parents[2] / "configs/test.yaml")
    runner = CliRunner()
    assert runner.invoke(app, ["simulate", config, "--raw", str(tmp_path)]).exit_code == 0
    options = ["--raw", str(tmp_path), "--particles", "all", "--json"]
    result = runner.invoke(app, ["check", config, *options])
    report = json.loads(result.stdout)
    assert (result.exit_code, report["findings"]) == (0, [])
    assert len(report["simulations"]) == 7
    for facts in report["simulations"].values():
        mass = facts["mass_msunh"]
        assert facts["dmo"]["particles"] == {"1": 32**3}
        hydro = sum(mass[name] for name in ("dm_hydro", "gas", "stars"))
        assert hydro == pytest.approx(mass["dmo"], rel=1e-5)


def test_headers_alone_do_not_meet_bad_particles(suite):
    poke("dmo.hdf5", "PartType1/Coordinates", (7, 1), np.nan, "LH_1")(suite)
    assert check(suite, "--particles", "none")[0] == 0
    assert check(suite, "--particles", "all")[0] == 1


def test_an_unknown_choice_of_particles(suite, capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["emulator", "check", str(suite.parent / "mine.yaml"), "--particles", "some"]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code not in (0, None)
    assert "'some' is not one of 'none', 'first'" in capsys.readouterr().err


def make_targets(root):
    """Take the twins away, and say so."""
    path = root.parent / "mine.yaml"
    config = yaml.safe_load(path.read_text())
    config["suite"]["layout"]["hydro_snapshot"] = None
    path.write_text(yaml.safe_dump(config))
    for hydro in root.glob("*/hydro.hdf5"):
        hydro.unlink()


def particles_to_project(report):
    """Of all simulations: what a clock has measured divides out."""
    needs = report["needs"]
    return 3600.0 * needs["projection_core_hours"] * needs["particles_per_second"]


def test_runs_without_twins_are_targets(suite):
    """Not split, as nothing is learned from them: one simulation would do."""
    _, pairs = check(suite)
    make_targets(suite)
    code, report = check(suite, "--particles", "all")
    assert (code, report["twins"], pairs["twins"], report["findings"]) == (0, False, True, [])
    assert "hydro" not in report["simulations"]["LH_1"]
    assert report["needs"]["maps_bytes_a_simulation"] == 3 * 64**2 * 4 * (1 + 1 / 4 + 1 / 16)
    assert report["needs"]["training_bytes"] == 0
    assert particles_to_project(pairs) == pytest.approx(4 * (3 * SIDE**3 + 12))
    assert particles_to_project(report) == pytest.approx(4 * SIDE**3)
    said = CliRunner().invoke(app, ["check", str(suite.parent / "mine.yaml")]).output
    assert "targets to be painted" in said
    assert "cannot be: trained, sampled or validated on" in said
    assert "training:" not in said


def test_gas_in_a_target_is_a_finding(suite):
    (suite / "LH_0/hydro.hdf5").rename(suite / "LH_0/dmo.hdf5")
    make_targets(suite)
    code, report = check(suite)
    assert code == 1
    (found,) = [f for f in report["findings"] if f["subject"] == "target"]
    assert found["simulation"] == "LH_0"
    assert "particles of gas as well" in found["message"]
