"""Whole runs: bytes, resumption, masses on disk, and the shape of the suppression."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from emulator.config import DesignConfig, EmbeddedSuite
from emulator.data.maps import read_maps
from emulator.io import DataError
from emulator.metadata import SURROGATE_NOTICE
from emulator.simulate.simulate import simulate_run

SUITE = EmbeddedSuite(
    n_particles=16,
    mesh=32,
    n_steps=8,
    design=DesignConfig(sb_runs=1, sb_per_run=2, cv_runs=1, be_draws=1),
)
KINDS = ("dmo_snapshot", "dmo_catalogue", "hydro_snapshot")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    simulate_run(SUITE, "CV0", folder)
    return folder


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.hdf5")}


def test_paths_are_those_of_the_config(root: Path) -> None:
    paths = simulate_run(SUITE, "CV0", root)
    expected = [SUITE.path(kind, root, name) for kind in KINDS for name in ("CV_0", "BE_0")]
    assert paths == expected
    assert sorted(contents(root)) == sorted(str(p.relative_to(root)) for p in paths)


def test_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    simulate_run(SUITE, "CV0", tmp_path)
    assert contents(tmp_path) == contents(root)


def test_a_new_baryon_seed_leaves_the_dark_matter_only_run(root: Path) -> None:
    files = {k: [SUITE.path(k, root, s).read_bytes() for s in ("CV_0", "BE_0")] for k in KINDS}
    assert files["dmo_snapshot"][0] == files["dmo_snapshot"][1]
    assert files["dmo_catalogue"][0] == files["dmo_catalogue"][1]
    with (
        h5py.File(SUITE.path("hydro_snapshot", root, "CV_0")) as first,
        h5py.File(SUITE.path("hydro_snapshot", root, "BE_0")) as second,
    ):
        gas = [f["PartType0/Coordinates"][:] for f in (first, second)]
    assert not np.array_equal(*gas)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["CV_0", "BE_0"])
def test_an_interrupted_run_makes_only_what_is_missing(
    kind: str, name: str, tmp_path: Path
) -> None:
    simulate_run(SUITE, "CV0", tmp_path)
    before = contents(tmp_path)
    missing = SUITE.path(kind, tmp_path, name)
    missing.unlink()
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.hdf5")}
    simulate_run(SUITE, "CV0", tmp_path)
    assert contents(tmp_path) == before
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_damaged_and_outdated_files_are_made_again(root: Path, tmp_path: Path) -> None:
    simulate_run(SUITE, "CV0", tmp_path)
    damaged = SUITE.path("hydro_snapshot", tmp_path, "CV_0")
    damaged.write_bytes(damaged.read_bytes()[:1000])
    simulate_run(SUITE, "CV0", tmp_path)
    assert contents(tmp_path) == contents(root)

    changed = SUITE.model_copy(update={"environment_strength": 0.0})
    simulate_run(changed, "CV0", tmp_path)
    now, before = contents(tmp_path), contents(root)
    differ = {name for name in now if now[name] != before[name]}
    assert differ == {name for name in now if "Sims/Surrogate/" in name}


def test_files_have_the_layout_and_the_mass_of_the_box(root: Path) -> None:
    box_mass = 0.3 * 2.77536627e11 * SUITE.box_size_mpch**3 / 1e10
    with h5py.File(SUITE.path("dmo_snapshot", root, "CV_0")) as dmo:
        header = dmo["Header"].attrs
        assert header["BoxSize"] == SUITE.box_size_mpch * 1e3
        assert header["NumPart_Total"].tolist() == [0, 16**3, 0, 0, 0, 0]
        assert header["MassTable"][1] * 16**3 == pytest.approx(box_mass, rel=1e-12)
        assert dmo.attrs["notice"] == SURROGATE_NOTICE
        assert dmo["PartType1/Coordinates"].dtype == np.float32
    with h5py.File(SUITE.path("hydro_snapshot", root, "CV_0")) as hydro:
        header = hydro["Header"].attrs
        total = header["MassTable"][1] * header["NumPart_Total"][1]
        for kind in (0, 4):
            count = header["NumPart_Total"][kind]
            assert count > 0
            masses = hydro[f"PartType{kind}/Masses"][:].astype(float)
            assert len(masses) == count
            total += masses.sum()
            coordinates = hydro[f"PartType{kind}/Coordinates"][:]
            assert coordinates.min() >= 0
            assert coordinates.max() < header["BoxSize"]
        assert total == pytest.approx(box_mass, rel=1e-6)
        assert (hydro["PartType4/GFM_StellarFormationTime"][:] > 0).all()
    with h5py.File(SUITE.path("dmo_catalogue", root, "CV_0")) as groups:
        mass = groups["Group/Group_M_Crit200"][:].astype(float) * 1e10
        radius = groups["Group/Group_R_Crit200"][:].astype(float) / 1e3
        assert len(mass) == groups["Header"].attrs["Ngroups_Total"] > 0
        sphere = 4 / 3 * np.pi * radius**3 * 200 * 2.77536627e11
        np.testing.assert_allclose(mass, sphere, rtol=1e-5)


def test_an_unknown_run_is_named() -> None:
    with pytest.raises(DataError, match="SB0, CV0"):
        simulate_run(SUITE, "CV7", Path("unused"))


def test_a_universe_without_halos_can_be_written(tmp_path: Path) -> None:
    quiet = SUITE.model_copy(update={"n_particles": 4, "mesh": 4})
    simulate_run(quiet, "CV0", tmp_path)
    with h5py.File(quiet.path("hydro_snapshot", tmp_path, "CV_0")) as hydro:
        assert "PartType4" not in hydro
        assert hydro["Header"].attrs["NumPart_Total"][4] == 0


def shell_power(snapshot: Path, edges: np.ndarray, n: int = 64) -> np.ndarray:
    """Power of the total matter of a snapshot in shells of k, nearest-grid-point mesh."""
    with h5py.File(snapshot) as handle:
        header = handle["Header"].attrs
        box, mesh = header["BoxSize"], np.zeros(n**3)
        for kind in (0, 1, 4):
            if f"PartType{kind}" not in handle:
                continue
            group = handle[f"PartType{kind}"]
            cell = np.floor(group["Coordinates"][:].astype(float) / box * n).astype(int) % n
            flat = (cell[:, 0] * n + cell[:, 1]) * n + cell[:, 2]
            mass = group["Masses"][:] if "Masses" in group else np.full(len(flat), 1.0)
            mass = mass if "Masses" in group else mass * header["MassTable"][kind]
            mesh += np.bincount(flat, mass, n**3)
    modes = np.abs(np.fft.fftn((mesh / mesh.mean() - 1).reshape(n, n, n))) ** 2
    f = 2 * np.pi / (box / 1e3) * np.fft.fftfreq(n, 1 / n)
    k = np.sqrt(f[:, None, None] ** 2 + f[None, :, None] ** 2 + f[None, None, :] ** 2)
    return np.histogram(k, edges, weights=modes)[0]


@pytest.mark.slow
def test_suppression_has_the_published_shape(tmp_path: Path) -> None:
    suite = EmbeddedSuite(design=DesignConfig(sb_runs=0, cv_runs=1))
    simulate_run(suite, "CV0", tmp_path)
    edges = np.array([0.2, 0.5, 5.0, 8.0])
    power = [
        shell_power(suite.path(kind, tmp_path, "CV_0"), edges)
        for kind in ("hydro_snapshot", "dmo_snapshot")
    ]
    suppression = power[0] / power[1]
    assert suppression[0] == pytest.approx(1.0, abs=0.01)
    assert 0.8 < suppression[2] < 0.95


def run_cli(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def write_config(folder: Path, **suite: object) -> str:
    small = {"kind": "embedded", "n_particles": 16, "mesh": 32, "n_steps": 8}
    small["design"] = {"sb_runs": 1, "sb_per_run": 1, "cv_runs": 1, "be_draws": 1}
    data = {"n_pixels": 16, "window": 8, "context_factors": [2]}
    config = {"name": "tiny", "suite": small | suite, "data": data}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    return "tiny.yaml"


def test_redraws_are_new_outcomes_of_the_same_dark_matter(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    run = ("--run", "CV0")
    assert run_cli("simulate", config, *run, folder=tmp_path).returncode == 0
    before = contents(tmp_path)
    for command in ("simulate", "project"):
        done = run_cli(command, config, *run, "--redraw-baryons", "2", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    new = sorted(set(after) - set(before))
    assert [name.split("/CV/")[-1] for name in new] == [
        f"CV_0/redraw_000{i}/snapshot_090.hdf5" for i in (1, 2)
    ]
    maps = tmp_path / "data/processed/tiny/maps"
    fields = [read_maps(maps / f"CV_0{end}.h5") for end in ("", "_redraw_0001", "_redraw_0002")]
    fields.append(read_maps(maps / "BE_0.h5"))
    gas = [field.select(["gas"]) for field in fields]
    for i in range(4):
        np.testing.assert_array_equal(fields[i].select(["dmo"]), fields[0].select(["dmo"]))
        assert fields[i].params == fields[0].params
        assert all(not np.array_equal(gas[i], gas[j]) for j in range(i))
    # More of them leave those that are there.
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in new}
    run_cli("simulate", config, *run, "--redraw-baryons", "3", folder=tmp_path)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in new} == times
    assert len(contents(tmp_path)) == len(after) + 1


def test_two_processes_write_the_bytes_of_one(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in ("one", "two"):
        write_config(tmp_path / folder)
    assert run_cli("simulate", "tiny.yaml", folder=tmp_path / "one").returncode == 0
    command = [sys.executable, "-m", "emulator", "simulate", "tiny.yaml", "--run"]
    both = [subprocess.Popen([*command, run], cwd=tmp_path / "two") for run in ("SB0", "CV0")]
    assert [process.wait() for process in both] == [0, 0]
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != {}


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ({"n_particles": 15}, "suite.embedded.n_particles"),
        ({"box_size_mpch": 0.0}, "box_size_mpch"),
        ({"design": {"fiducial": {"A_SN1": 5.0}}}, "A_SN1: expected a value of the design range"),
        ({"n_particles": 100_000, "mesh": 100_000}, "GB of free disk space for run SB0"),
    ],
)
def test_bad_suites_are_refused_before_anything_is_written(
    suite: dict[str, object], message: str, tmp_path: Path
) -> None:
    done = run_cli("simulate", write_config(tmp_path, **suite), folder=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.hdf5"))


def test_a_disk_that_fills_up_leaves_no_file_of_the_final_name(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    # Files may not grow beyond 40 KB: the snapshots need 65 KB and more.
    limited = f"ulimit -f 40; exec {sys.executable} -m emulator simulate {config}"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "snapshot_090.hdf5: expected room to write the file, got" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.hdf5"))
    assert run_cli("simulate", config, folder=tmp_path).returncode == 0
