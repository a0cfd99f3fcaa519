"""Super-resolution: two gravity meshes of one run, their maps, and what a config may not ask."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from emulator.config import (
    ConfigError,
    DataConfig,
    DesignConfig,
    EmbeddedSuite,
    parse_config,
    stage_yaml,
)
from emulator.fields import FIELDS
from emulator.io import DataError, EmulatorError
from emulator.model.field_transform import cosmic_reference
from emulator.projection.budget import require_cosmic_shares
from emulator.readers.parameter_table import read_table
from emulator.simulate.cosmology import Cosmology
from emulator.simulate.simulate import simulate_run
from emulator.simulate.snapshots import write_dmo_snapshot
from emulator.simulate.tables import write_tables
from emulator.suites import build_suite
from emulator.suites.full_maps import FullMaps
from emulator.validation.baselines.shares import Shares

ALONE = DesignConfig(sb_runs=1, sb_per_run=1, cv_runs=1, one_p_steps=1)
SUITE = EmbeddedSuite(n_particles=32, mesh=96, coarse_mesh=32, n_steps=10, design=ALONE)
DATA = DataConfig(fields=("dm_fine",), n_pixels=64, window=16, deposit="cic")
RAW = {
    "name": "fine",
    "suite": SUITE.model_dump(mode="json"),
    "data": {"fields": ["dm_fine"]},
    "model": {"params": ["Omega_m", "sigma_8"]},
}


def simulated(suite: EmbeddedSuite, folder: Path) -> Path:
    write_tables(suite, folder)
    simulate_run(suite, "CV0", folder)
    return folder


def maps_of(suite: EmbeddedSuite, root: Path) -> FullMaps:
    return build_suite(suite, root).read_maps(DATA, "CV_0")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(SUITE, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def maps(root: Path) -> FullMaps:
    return maps_of(SUITE, root)


def positions(path: Path) -> np.ndarray:
    with h5py.File(path) as handle:
        assert set(handle) == {"Header", "PartType1"}
        return handle["PartType1/Coordinates"][()]


@pytest.mark.parametrize(("kind", "mesh"), [("dmo_snapshot", 32), ("hydro_snapshot", 96)])
def test_each_run_is_the_plain_one_of_its_mesh(
    kind: str, mesh: int, root: Path, tmp_path: Path
) -> None:
    plain = SUITE.model_copy(update={"mesh": mesh, "coarse_mesh": None})
    simulate_run(plain, "CV0", tmp_path)
    expected = positions(plain.path("dmo_snapshot", tmp_path, "CV_0"))
    assert positions(SUITE.path(kind, root, "CV_0")).tobytes() == expected.tobytes()


def test_equal_meshes_give_equal_runs_and_maps(tmp_path: Path) -> None:
    same = SUITE.model_copy(update={"mesh": 32})
    simulated(same, tmp_path)
    files = [same.path(kind, tmp_path, "CV_0") for kind in ("dmo_snapshot", "hydro_snapshot")]
    assert files[0].read_bytes() == files[1].read_bytes()
    values = maps_of(same, tmp_path).values
    assert values[:, 0].tobytes() == values[:, 1].tobytes()


def test_mass_is_that_of_the_matter_in_both(maps: FullMaps) -> None:
    assert maps.values.shape == (3, 2, 64, 64)
    sums = maps.values.sum((-2, -1), dtype=np.float64)
    np.testing.assert_allclose(sums, 0.3 * 2.77536627e11 * 25.0**3, rtol=1e-6)


def test_large_scales_are_common_and_the_fine_run_has_more_power_on_small_ones(
    maps: FullMaps,
) -> None:
    coarse, fine = (np.fft.rfft2(maps.values[:, i]) for i in (0, 1))
    x, y = np.fft.fftfreq(64, 1 / 64)[:, None], np.arange(33)[None]
    shell = np.broadcast_to(np.hypot(x, y).astype(int), coarse.shape).ravel()

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(shell, values.ravel())[:33]

    cross, powers = total((coarse * fine.conj()).real), [total(abs(m) ** 2) for m in (coarse, fine)]
    correlation, ratio = cross / np.sqrt(powers[0] * powers[1]), powers[0] / powers[1]
    assert (correlation[1:4] > 0.998).all()
    assert ratio[1] == pytest.approx(1.0, abs=0.03)
    assert correlation[24] < 0.9
    assert (ratio[12:30] < 0.8).all()


def test_the_notice_is_not_that_of_a_surrogate_of_hydrodynamics(maps: FullMaps) -> None:
    assert "two resolutions" in maps.attrs["notice"]
    (_, said), *more = build_suite(SUITE, "").describe()
    assert "coarse run, with a gravity mesh of 32^3" in said
    assert not more


def test_an_interrupted_run_makes_only_what_is_missing(tmp_path: Path) -> None:
    tiny = SUITE.model_copy(update={"n_particles": 8, "mesh": 16, "coarse_mesh": 8, "n_steps": 2})
    paths = simulate_run(tiny, "CV0", tmp_path)
    before = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
        times = {p: p.stat().st_mtime_ns for p in paths if p != path}
        assert simulate_run(tiny, "CV0", tmp_path) == paths
        assert {path: path.read_bytes() for path in paths} == before
        assert all(p.stat().st_mtime_ns == time for p, time in times.items())
    finer = tiny.model_copy(update={"mesh": 32})
    simulate_run(finer, "CV0", tmp_path)
    changed = [path for path in paths if path.read_bytes() != before[path]]
    assert changed == [tiny.path("hydro_snapshot", tmp_path, "CV_0")]


def test_only_cosmology_is_varied(root: Path) -> None:
    table = read_table(SUITE.path("parameters", root, "SB_0"), None)
    plain = SUITE.model_copy(update={"coarse_mesh": None})
    assert set(table.columns) == {"Omega_m", "sigma_8", "seed"}
    assert SUITE.runs()["1P0"] == ("1P_p1_0",)
    dropped = set(plain.runs()["1P0"]) - {"1P_p1_0"}
    assert set(plain.simulations()) - set(SUITE.simulations()) == dropped
    ranges = SUITE.path("ranges", root, "SB_0").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in ranges] == ["Omega_m", "sigma_8"]


def test_the_files_of_both_runs_are_sound_and_others_are_found(root: Path, tmp_path: Path) -> None:
    suite = build_suite(SUITE, root)
    assert suite.inspect(DATA, "CV_0", deep=True).findings == []
    # the fine run of other phases, in the place of this one's
    other = simulated(SUITE.model_copy(update={"seed": 1}), tmp_path)
    strange = SUITE.path("hydro_snapshot", other, "CV_0").read_bytes()
    simulated(SUITE, tmp_path)
    SUITE.path("hydro_snapshot", tmp_path, "CV_0").write_bytes(strange)
    there = build_suite(SUITE, tmp_path)
    with pytest.raises(DataError, match="The two have other initial phases"):
        there.read_maps(DATA, "CV_0")
    assert "other initial phases" in str(there.inspect(DATA, "CV_0", deep=True).findings)


def test_nothing_is_drawn_again(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match=r"expected 0 with suite\.coarse_mesh"):
        simulate_run(SUITE, "CV0", tmp_path, n_redraws=1)


def test_all_matter_is_the_share_of_the_fine_run() -> None:
    fine, matter = FIELDS["dm_fine"], torch.rand(2, 4, 4)
    assert torch.equal(cosmic_reference(matter, torch.tensor([0.1, 0.2]), fine), matter)
    assert Shares((fine,), {}).of({"omega_b": 0.05, "omega_m": 0.3}) == {"dm_fine": 1.0}
    require_cosmic_shares({fine: 1.001}, 1.0, 0.16, "f", tolerance=0.01)
    with pytest.raises(DataError, match=r"dm_fine of 1 of the matter"):
        require_cosmic_shares({fine: 0.84}, 1.0, 0.16, "f", tolerance=0.01)


def test_what_is_left_out_is_that_of_dark_matter_alone() -> None:
    bare = {"kind": "embedded", "coarse_mesh": 64}
    config = parse_config({"name": "a", "suite": bare})
    assert [field.name for field in config.data.targets] == ["dm_fine"]
    assert config.model.params == ("Omega_m", "sigma_8")
    assert config.suite.design.sb_per_run == 1
    for stage in ("simulate", "project", "fit", "sample"):
        again = parse_config(yaml.safe_load(stage_yaml(config, stage)))
        assert again.suite == config.suite
        assert again.data == config.data
    two = parse_config({"name": "a", "suite": {**bare, "redshifts": [0.0, 0.5]}})
    assert two.model.params == ("Omega_m", "sigma_8", "redshift")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"suite": {"coarse_mesh": 128}}, "coarse_mesh: expected at most mesh (96)"),
        ({"suite": {"coarse_mesh": 33}}, "multiple of 2"),
        ({"suite": {"thermodynamics": True}}, "thermodynamics: expected False, got True"),
        ({"suite": {"chaos_strength": 0.0}}, "chaos_strength: expected 1.0, got 0.0"),
        (
            {"suite": {"design": {"sb_per_run": 4, "be_draws": 2}}},
            "design.sb_per_run: expected 1, got 4; design.be_draws: expected 0, got 2",
        ),
        (
            {"suite": {"design": {"sb_per_run": 1, "fiducial": {"A_SN1": 2.0}}}},
            "design.fiducial.A_SN1: expected none, got 2.0",
        ),
        (
            {"model": {"params": ["Omega_m", "A_SN1"]}},
            "A_SN1 do nothing: expected Omega_m, sigma_8",
        ),
        (
            {"data": {"fields": ["dm_hydro"]}},
            "dm_hydro cannot be made here",
        ),
        ({"suite": {"coarse_mesh": None}}, "dm_fine cannot be made here: a finer run"),
    ],
)
def test_what_does_nothing_is_refused(changes: dict, words: str) -> None:
    raw = {
        key: {**value, **changes.get(key, {})} if isinstance(value, dict) else value
        for key, value in RAW.items()
    }
    parse_config(RAW)
    with pytest.raises(ConfigError) as error:
        parse_config(raw)
    assert words in str(error.value)


def test_runs_of_ones_own_are_a_pair_of_snapshots(
    root: Path, maps: FullMaps, tmp_path: Path
) -> None:
    """The coarse one with an eighth of the particles: other numbers, same phases and mass."""
    with h5py.File(SUITE.path("dmo_snapshot", root, "CV_0")) as handle:
        every = handle["PartType1/Coordinates"][()].reshape(32, 32, 32, 3)[::2, ::2, ::2]
    write_dmo_snapshot(
        tmp_path / "low.hdf5",
        every.reshape(-1, 3) / 1e3,
        box_size_mpch=25.0,
        cosmology=Cosmology(omega_m=0.3, sigma_8=0.8),
        attrs={},
    )
    raw = {
        "kind": "snapshots", "name": "Mine", "root": str(root), "sets": {"CV": 1},
        "layout": {
            "dmo_snapshot": str(tmp_path / "low.hdf5"),
            "hydro_snapshot": str(SUITE.path("hydro_snapshot", root, "CV_0")),
            "dmo_catalogue": None,
            "parameters": str(SUITE.path("parameters", root, "CV_0")),
            "ranges": str(SUITE.path("ranges", root, "CV_0")),
        },
    }  # fmt: skip
    config = parse_config({**RAW, "suite": raw})
    suite = build_suite(config.suite, root)
    assert suite.inspect(DATA, "CV_0", deep=True).findings == []
    own = suite.read_maps(DATA, "CV_0").values
    assert own[:, 1].tobytes() == maps.values[:, 1].tobytes()
    np.testing.assert_allclose(own.sum((-2, -1)), maps.values.sum((-2, -1)), rtol=1e-5)
