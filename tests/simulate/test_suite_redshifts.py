"""Outputs of a run at several redshifts: growth, halos of their time, files, names and runs."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from emulator.config import ConfigError, DataConfig, DesignConfig, EmbeddedSuite, parse_config
from emulator.config.suites.redshifts import at_redshifts, label_of, output_of
from emulator.data.splits import split_runs
from emulator.simulate.cosmology import Cosmology, Growth
from emulator.simulate.gravity import run_gravity, run_outputs
from emulator.simulate.simulate import simulate_run
from emulator.simulate.tables import write_tables
from emulator.suites import build_suite

DESIGN = DesignConfig(sb_runs=2, sb_per_run=2, cv_runs=1, be_draws=1)
ONE = EmbeddedSuite(n_particles=16, mesh=32, n_steps=8, design=DESIGN, thermodynamics=True)
TWO = ONE.model_copy(update={"redshifts": (0.0, 1.0)})
COSMOLOGY = Cosmology(omega_m=0.3, sigma_8=0.8)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for suite, folder in zip((ONE, TWO), folders, strict=True):
        write_tables(suite, folder)
        simulate_run(suite, "CV0", folder)
    return folders[0], folders[1]


def large_modes(positions: np.ndarray, box: float) -> np.ndarray:
    """Amplitudes of the density on the six longest waves of the box."""
    k = 2 * np.pi / box * np.concatenate([np.eye(3), [[1, 1, 0], [0, 1, 1], [1, 0, 1]]])
    return np.exp(-1j * positions.astype(float) @ k.T).mean(axis=0)


def test_structures_grow_as_linear_theory_has_it() -> None:
    """Waves of the size of a large box grow by D(a), also at times inside a step."""
    suite = EmbeddedSuite(box_size_mpch=400.0, n_particles=32, mesh=32, n_steps=10, design=DESIGN)
    redshifts = (0.0, 0.4, 1.0, 1.7, 3.0)
    outputs = run_outputs(suite, COSMOLOGY, 5, redshifts=redshifts)
    today = large_modes(outputs[0], 400.0)
    growth = Growth(COSMOLOGY)
    for redshift, positions in zip(redshifts, outputs, strict=True):
        expected = float(growth.first(1.0 / (1.0 + redshift))[0])
        found = (large_modes(positions, 400.0) / today).real.mean()
        assert found == pytest.approx(expected, rel=0.02)


def test_outputs_change_nothing_of_the_run() -> None:
    alone = run_gravity(ONE, COSMOLOGY, 3)
    middle = 1.0 / (0.05 + 0.95 * 0.5) - 1.0  # the end of the fourth of eight steps
    outputs = run_outputs(ONE, COSMOLOGY, 3, redshifts=(2.0, middle, 0.0))
    assert outputs[2].tobytes() == alone.tobytes()
    # continuous where one step ends and the next begins
    near = [
        run_outputs(ONE, COSMOLOGY, 3, redshifts=(middle + shift,))[0] for shift in (1e-5, -1e-5)
    ]
    for positions in near:
        offset = positions.astype(float) - outputs[1]
        offset -= 25.0 * np.round(offset / 25.0)
        assert np.abs(offset).max() < 1e-3
    assert all((p >= 0).all() and (p < 25.0).all() for p in outputs)


def test_files_of_redshift_0_are_those_of_a_suite_of_no_other(roots: tuple[Path, Path]) -> None:
    one, two = (
        {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in roots
    )
    assert one.items() <= two.items()
    assert {name.rsplit("_", 1)[-1] for name in set(two) - set(one)} == {"z1.hdf5"}
    assert len(two) - len(one) == 6  # two snapshots and a catalogue of two simulations


def test_files_say_their_redshift_and_halos_are_of_their_time(roots: tuple[Path, Path]) -> None:
    for name, redshift in (("CV_0_z0", 0.0), ("CV_0_z1", 1.0)):
        for kind in ("dmo_snapshot", "hydro_snapshot", "dmo_catalogue"):
            with h5py.File(TWO.path(kind, roots[1], name)) as handle:
                assert handle["Header"].attrs["Redshift"] == redshift
                assert handle["Header"].attrs["Time"] == 1.0 / (1.0 + redshift)
                if kind == "dmo_catalogue":
                    mass = handle["Group/Group_M_Crit200"][:].astype(float) * 1e10
                    radius = handle["Group/Group_R_Crit200"][:].astype(float) / 1e3
        critical = 2.77536627e11 * (0.3 * (1 + redshift) ** 3 + 0.7) / (1 + redshift) ** 3
        assert len(mass) > 0
        np.testing.assert_allclose(mass, 800 / 3 * np.pi * critical * radius**3, rtol=1e-5)
        assert COSMOLOGY.critical_density(redshift) == pytest.approx(critical, rel=1e-12)
    assert COSMOLOGY.critical_density(0.0) == 2.77536627e11


def test_maps_carry_their_redshift_and_the_table_a_parameter(roots: tuple[Path, Path]) -> None:
    data = DataConfig(n_pixels=16, window=8, context_factors=(2,), fields=("gas", "compton_y"))
    suite = build_suite(TWO, roots[1])
    now, before = (suite.read_maps(data, name) for name in ("CV_0_z0", "CV_0_z1"))
    for maps, redshift in ((now, 0.0), (before, 1.0)):
        assert maps.attrs["redshift"] == redshift
        assert f'"redshift": {redshift}' in maps.attrs["params"]
        assert '"redshift": {"min": 0.0, "max": 1.0' in maps.attrs["param_ranges"]
    # comoving: the same matter, less of it in halos
    assert before.values[:, 0].sum() == pytest.approx(now.values[:, 0].sum(), rel=1e-6)
    assert before.values[:, 0].std() < now.values[:, 0].std()
    alone = build_suite(ONE, roots[0]).read_maps(data, "CV_0")
    assert alone.values.tobytes() == now.values.tobytes()
    assert "redshift" not in alone.attrs["params"]


def test_what_is_missing_of_one_redshift_is_made_alone(
    roots: tuple[Path, Path], tmp_path: Path
) -> None:
    simulate_run(TWO, "CV0", tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.hdf5")}
    kinds = ("dmo_snapshot", "dmo_catalogue", "hydro_snapshot")
    lost = [TWO.path(kind, tmp_path, name) for kind in kinds for name in ("CV_0_z1", "BE_0_z1")]
    for path in lost:
        path.unlink()
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.hdf5")}
    simulate_run(TWO, "CV0", tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.hdf5")} == before
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_outputs_of_a_run_are_one_run() -> None:
    runs = TWO.runs()
    assert runs["CV0"] == ("CV_0_z0", "BE_0_z0", "CV_0_z1", "BE_0_z1")
    assert ONE.runs() == TWO.designed_runs()
    data = DataConfig()
    split = data.split.model_copy(update={"validation_fraction": 0.5, "test_fraction": 0.0})
    splits = split_runs(runs, split)
    for run in ("SB0", "SB1", "CV0"):
        assert sum(bool(set(runs[run]) & set(names)) for names in splits.values()) == 1
    suite = build_suite(TWO, "/r")
    assert suite.redraws_of("CV_0_z1") == ["BE_0_z1"]
    assert suite.sampled(suite.simulations[-2:]) == ["CV_0_z1"]
    assert suite.snapshot_bytes() == 2 * build_suite(ONE, "/r").snapshot_bytes()


def test_names_and_back() -> None:
    redshifts = (0.0, 0.5, 1.25)
    names = at_redshifts(["CV_0", "1P_p3_n1"], redshifts)
    assert names[2:4] == ("CV_0_z0p5", "1P_p3_n1_z0p5")
    found = [output_of(name, redshifts) for name in names]
    assert found == [(name, z) for z in redshifts for name in ("CV_0", "1P_p3_n1")]
    assert at_redshifts(["CV_0_z1"], (1.0,)) == ("CV_0_z1",)
    assert output_of("CV_0_z1", (1.0,)) == ("CV_0_z1", 1.0)
    assert output_of("CV_0_z1", ()) == ("CV_0_z1", None)
    assert label_of(2.0) == "z2"


PARAMS = ["Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2"]


@pytest.mark.parametrize(
    ("suite", "params", "words"),
    [
        ({"redshifts": [0.0, 0.5]}, PARAMS, "expected redshift among them, as suite.redshifts"),
        ({}, [*PARAMS, "redshift"], "expected several suite.redshifts"),
        ({"redshifts": [0.5, 0.5]}, PARAMS, "expected each once"),
        ({"redshifts": [30.0]}, PARAMS, "expected less than 19, where runs start"),
        ({"redshifts": [-0.5]}, PARAMS, "suite.embedded.redshifts"),
        (
            {"redshifts": [0.0, 0.5], "layout": {"dmo_snapshot": "{simulation}/s.hdf5"}},
            [*PARAMS, "redshift"],
            "layout.dmo_snapshot: expected {snapshot} in the path",
        ),
    ],
)
def test_what_cannot_be_is_said_when_the_config_is_read(
    suite: dict[str, object], params: list[str], words: str
) -> None:
    raw = {"name": "x", "suite": {"kind": "embedded", **suite}, "model": {"params": params}}
    with pytest.raises(ConfigError) as error:
        parse_config(raw)
    assert words in str(error.value)
