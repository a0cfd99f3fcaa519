"""Units and orders that no file states show in what must hold: each wrong one is refused."""

import h5py
import numpy as np
import pytest
from data_samples import write_tiny_root
from rows import by_field
from window_files import BOX, FACTORS, N, make_sample

from emulator.config import DataConfig, WindowsSuite
from emulator.data.maps import read_maps
from emulator.io import DataError
from emulator.projection.budget import require_cosmic_shares, require_same_matter_content
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation
from emulator.suites.window_files import write_window

MASSES = {"dm_hydro": 0.84, "gas": 0.15, "stars": 0.01}


def test_shares_that_can_be():
    require_same_matter_content(MASSES, 1.0, "f", tolerance=0.01)
    require_cosmic_shares(by_field(MASSES), 1.0, 0.16, "f", tolerance=0.01)
    with_holes = MASSES | {"gas": 0.148, "black_holes": 0.002}
    require_same_matter_content(with_holes, 1.0, "f", tolerance=0.001)


@pytest.mark.parametrize(
    "change",
    [
        {"gas": 0.15 * 0.6711},
        {"gas": 0.15 / 0.6711},
        {"stars": 0.0, "gas": 0.12},
        {"dm_hydro": 0.84 * 0.6711},
        {"gas": float("nan")},
    ],
)
def test_matter_that_is_lost_or_gained(change):
    with pytest.raises(DataError, match="the matter of the dark-matter-only twin"):
        require_same_matter_content(MASSES | change, 1.0, "f", tolerance=0.01)


@pytest.mark.parametrize(
    ("change", "fraction", "word"),
    [
        ({"dm_hydro": 0.15, "gas": 0.84}, 0.16, "dm_hydro of 0.84"),
        ({"gas": 0.01, "stars": 0.15}, 0.16, "less mass in stars than in gas"),
        ({"stars": 0.19}, 0.16, "stars of at most 0.16"),
        ({}, 0.25, "dm_hydro of 0.75"),
        ({"gas": 0.19}, 0.16, "gas of at most 0.16"),
    ],
)
def test_shares_of_other_fields_or_another_universe(change, fraction, word):
    with pytest.raises(DataError, match=word):
        require_cosmic_shares(by_field(MASSES | change), 1.0, fraction, "f", tolerance=0.02)


# --------------------------------------------------------------------------------- snapshots


def scaled(name, factor):
    def change(handle):
        handle[name][...] = handle[name][...] * factor

    return change


def change_attr(name, factor):
    def change(handle):
        handle["Header"].attrs[name] = handle["Header"].attrs[name] * factor

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (scaled("PartType0/Masses", 0.6711), "0.94.* times that"),
        (scaled("PartType0/Masses", 1 / 0.6711), "times that"),
        (scaled("PartType0/Masses", 0.0), "times that"),
        (change_attr("MassTable", 0.6711), "times that"),
        (change_attr("OmegaBaryon", 0.0), "dm_hydro of 0.7387 of the matter"),
    ],
)
def test_the_stage_weighs_a_hydrodynamic_run(tmp_path, tiny_suite, tiny_config, change, words):
    """`project` itself, of every simulation; not only `check`, of the first of a set."""
    root = write_tiny_root(tmp_path / "raw", tiny_suite)
    with h5py.File(tiny_suite.path("hydro_snapshot", root, "CV_0"), "r+") as handle:
        change(handle)
    with h5py.File(tiny_suite.path("dmo_snapshot", root, "CV_0"), "r+") as handle:
        handle["Header"].attrs["OmegaBaryon"] = 0.0784 if "dm_hydro of" in words else 0.0
    with pytest.raises(DataError, match=words):
        project_simulation(build_suite(tiny_suite, root), tiny_config, "CV_0", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_black_holes_are_matter_that_no_map_holds(tmp_path, tiny_suite, tiny_config):
    """Gas that has become black holes is not missing, whether they count as stars or not."""
    root = write_tiny_root(tmp_path / "raw", tiny_suite)
    path = tiny_suite.path("hydro_snapshot", root, "CV_0")
    with h5py.File(path, "r+") as handle:
        gas = handle["PartType0/Masses"][...]
        handle["PartType0/Masses"][...] = 0.8 * gas
        for name in ("NumPart_ThisFile", "NumPart_Total"):
            counts = handle["Header"].attrs[name]
            counts[5] = 3
            handle["Header"].attrs[name] = counts
        handle["PartType5/Coordinates"] = np.full((3, 3), 1000.0)
        handle["PartType5/Masses"] = np.full(3, 0.2 * gas.sum() / 3)
    project_simulation(build_suite(tiny_suite, root), tiny_config, "CV_0", tmp_path / "out.h5")
    maps = read_maps(tmp_path / "out.h5")
    assert maps.attrs["mass_map_gas"] == pytest.approx(0.8e10 * gas.sum() + 1e10 * 14.7, rel=1e-3)


# ----------------------------------------------------------------------------------- windows

NAMES = ("Omega_m", "sigma_8", "Omega_b", "h")
VALUES = (0.3, 0.8, 0.049, 0.67)
RANGES = (
    "ParamName,MinVal,MaxVal,FiducialVal,LogFlag\nOmega_m,.1,.5,.3,0\nsigma_8,.6,1,.8,0\n"
    "Omega_b,.029,.069,.049,0\nh,.47,.87,.67,0\n"
)
DATA = DataConfig(n_pixels=64, window=N, context_factors=FACTORS)


def read(tmp_path, change, data=DATA, **options):
    for i in range(3):
        sample = make_sample(i, params=VALUES)
        write_window(tmp_path / f"SB/SB_0/w{i}.npz", sample._replace(**change(sample)))
    (tmp_path / "ranges.csv").write_text(RANGES)
    fixed = {
        "name": "W", "root": str(tmp_path), "sets": {"SB": 1}, "parameter_names": NAMES,
        "box_size_mpch": BOX, "depth_mpch": BOX, "ranges": str(tmp_path / "ranges.csv"),
    }  # fmt: skip
    suite = WindowsSuite(**(fixed | options))
    return build_suite(suite, tmp_path).read_maps(data, "SB_0")


def every(function):
    return lambda s: {k: function(getattr(s, k)) for k in ("condition", "target", "large_scale")}


def test_sound_windows(tmp_path):
    maps = read(tmp_path, lambda sample: {})
    assert maps.halos.m200c_msunh.shape == (3,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (every(lambda f: f / 1e10), "probably in 1e10 Msun/h"),
        (every(lambda f: f * 1e10), "probably 1e10 too large"),
        (every(lambda f: np.log10(1 + f)), "look like log10 of masses"),
        (every(lambda f: f / (BOX / 64) ** 2), "probably surface densities"),
        (every(lambda f: f * 0.6711), "0.6711 times that"),
        (lambda s: {"target": s.target[[1, 0, 2]]}, "dm_hydro of 0.8367 of the matter"),
        (lambda s: {"target": s.target[[2, 1, 0]]}, "dm_hydro of 0.8367 of the matter"),
        (lambda s: {"target": s.target[[0, 2, 1]]}, "less mass in stars than in gas"),
        (lambda s: {"target": s.target * 0.5}, "dm_hydro of 0.8367"),
        (lambda s: {"target": np.rot90(s.target, 1, (1, 2))}, "Were targets turned"),
        (lambda s: {"target": s.target[:, ::-1]}, "Were targets turned"),
        (lambda s: {"target": s.target.transpose(0, 2, 1)}, "Were targets turned"),
        (lambda s: {"large_scale": s.large_scale[::-1]}, "levels in the order"),
        (lambda s: {"large_scale": np.rot90(s.large_scale, 1, (1, 2))}, "levels in the order"),
        (lambda s: {"halo_mass": s.halo_mass * np.float32(1e10)}, "halo lighter than its window"),
        (lambda s: {"halo_center": s.halo_center * np.float32(1e3)}, "position in .0, 12.8. Mpc/h"),
        (lambda s: {"params": s.params[::-1]}, "parameter_names in their order"),
        (lambda s: {"params": s.params[[0, 1, 3, 2]]}, "parameter_names in their order"),
    ],
)
def test_windows_in_another_unit_order_or_orientation(tmp_path, change, words):
    with pytest.raises(DataError, match=words):
        read(tmp_path, lambda s: {k: np.array(v, order="C") for k, v in change(s).items()})


def test_windows_of_a_part_of_the_box_may_be_dense(tmp_path):
    """They are put on halos: up to three times the mean, where they do not show the whole box."""
    part = {"data": DATA.model_copy(update={"n_pixels": 128}), "box_size_mpch": 2 * BOX}
    read(tmp_path, every(lambda f: 2.5 * f), **part)
    with pytest.raises(DataError, match=r"to a factor of 3.*3\.5 times that"):
        read(tmp_path, every(lambda f: 3.5 * f), **part)


def test_windows_without_a_halo(tmp_path):
    """They are no halo of mass zero at the origin."""

    def change(sample):
        return {"halo_mass": np.float32(0)} if sample.condition[0, 0] > 4e10 else {}

    maps = read(tmp_path, change)
    with_halo = [i for i in range(3) if make_sample(i, params=VALUES).condition[0, 0] <= 4e10]
    assert 0 < len(with_halo) < 3
    assert maps.halo_projection.tolist() == with_halo
    assert len(maps.halos.m200c_msunh) == len(with_halo)
    assert (maps.halos.m200c_msunh > 0).all()


def test_keys_of_the_halo_may_be_left_out_or_be_arrays_of_one(tmp_path):
    for i, drop in enumerate((("halo_mass", "halo_center"), ())):
        sample = make_sample(i, params=VALUES)
        arrays = {k: v for k, v in sample._asdict().items() if k not in drop}
        if not drop:
            arrays["halo_mass"] = arrays["halo_mass"].reshape(1)
        path = tmp_path / f"SB/SB_0/w{i}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **arrays)
    (tmp_path / "ranges.csv").write_text(RANGES)
    suite = WindowsSuite(
        name="W", root=str(tmp_path), sets={"SB": 1}, parameter_names=NAMES, box_size_mpch=BOX,
        depth_mpch=BOX, ranges=str(tmp_path / "ranges.csv"),
    )  # fmt: skip
    assert build_suite(suite, tmp_path).read_maps(DATA, "SB_0").halo_projection.tolist() == [1]


# ------------------------------------------------------------------------- ready maps, embedded


@pytest.mark.parametrize(
    ("field", "factor", "words"),
    [
        ("gas", 0.0, "less mass in stars than in gas"),
        ("dm_hydro", 0.6711, "dm_hydro of"),
        ("gas", 5.0, "gas of at most"),
        ("stars", 100.0, "stars of at most"),
    ],
)
def test_ready_maps_hold_the_matter_of_their_twin(tmp_path, field, factor, words):
    import multifield_files as files

    suite = files.make_suite(tmp_path)
    files.write_multifield(tmp_path, suite)
    data = DataConfig(n_pixels=files.N_PIXELS, window=8, context_factors=(2,))
    build_suite(suite, tmp_path).read_maps(data, "LH_1")
    path = suite.path(field, tmp_path, "LH_1")
    np.save(path, np.load(path) * np.float32(factor))
    with pytest.raises(DataError, match=words):
        build_suite(suite, tmp_path).read_maps(data, "LH_1")


def test_a_table_without_names_whose_columns_are_swapped(tmp_path):
    import multifield_files as files

    suite = files.make_suite(tmp_path, parameter_names=("sigma_8", "Omega_m", *files.NAMES[2:]))
    files.write_multifield(tmp_path, suite)
    data = DataConfig(n_pixels=files.N_PIXELS, window=8, context_factors=(2,))
    with pytest.raises(DataError, match="parameter_names in their order"):
        build_suite(suite, tmp_path).read_maps(data, "LH_1")


def test_a_table_that_contradicts_the_snapshots_of_the_embedded_suite(tmp_path):
    """They keep their own parameters: a digit that was changed in the table shows."""
    from emulator.config import DesignConfig, EmbeddedSuite
    from emulator.simulate.simulate import simulate_run, write_tables

    suite = EmbeddedSuite(
        n_particles=16, mesh=16, n_steps=5, design=DesignConfig(sb_runs=0, cv_runs=1, be_draws=0)
    )
    write_tables(suite, tmp_path)
    simulate_run(suite, "CV0", tmp_path)
    table = suite.path("parameters", tmp_path, "CV_0")
    header, row = table.read_text().splitlines()
    cells = row.split()
    cells[header.split().index("A_SN2")] = "1.10000"
    table.write_text(f"{header}\n{' '.join(cells)}\n")
    data = DataConfig(n_pixels=16, window=4, context_factors=(2,))
    with pytest.raises(DataError, match=r"CV_0:A_SN2: expected 1 as .*snapshot_090"):
        project_simulation(build_suite(suite, tmp_path), data, "CV_0", tmp_path / "out.h5")
