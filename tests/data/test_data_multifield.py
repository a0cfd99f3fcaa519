"""Ready maps: masses by hand, and whatever can be wrong with the files is said by name."""

import multifield_files as files
import numpy as np
import pytest
from fitted import fit
from rows import SPECIES

from emulator.config import DataConfig, ModelConfig
from emulator.data.maps import read_maps
from emulator.io import DataError
from emulator.model.windows import windows_for
from emulator.projection.pyramid import block_mean
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation
from emulator.units import CRITICAL_DENSITY

DATA = DataConfig(n_pixels=files.N_PIXELS, window=8, context_factors=(2, 4))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cmd"


@pytest.fixture
def suite(root):
    return files.make_suite(root)


@pytest.fixture
def written(root, suite):
    return files.write_multifield(root, suite)


def test_masses_are_surface_density_times_pixel_area(root, suite, written):
    maps = build_suite(suite, root).read_maps(DATA, "LH_3")
    area = (25.0 / files.N_PIXELS) ** 2
    assert maps.values.shape == (3, 4, 32, 32)
    assert maps.values.dtype == np.float32
    np.testing.assert_allclose(maps.values, written["LH"][9:12] * area, rtol=1e-6)
    # the mass of a slab of this universe
    expected = 0.36 * CRITICAL_DENSITY * 25.0**2 * 5.0
    assert maps.attrs["mass_map_dmo"] == pytest.approx(expected, rel=1e-5)
    assert maps.projections == ("0", "1", "2")
    for factor in (2, 4):
        by_hand = block_mean(maps.values[:, 0].astype(float), factor)
        np.testing.assert_allclose(maps.context[factor], by_hand, rtol=1e-6)


def test_attributes_of_the_maps_file(root, suite, written, tmp_path):
    project_simulation(build_suite(suite, root), DATA, "LH_1", tmp_path / "LH_1.h5")
    maps = read_maps(tmp_path / "LH_1.h5")
    expected = {
        "set": "LH", "simulation": "LH_1", "run": "LH_1", "suite": "IllustrisTNG", "periodic": 1,
        "box_size_mpch": 25.0, "pixel_mpch": 25 / 32, "depth_mpch": 5.0, "redshift": 0.0,
        "omega_m": 0.32, "omega_b": 0.049, "hubble_h": 0.6711,
    }  # fmt: skip
    assert {key: maps.attrs[key] for key in expected} == expected
    assert maps.params == dict(zip(files.NAMES, (0.32, 0.8, 1.0, 1.0, 1.1, 1.0), strict=True))
    assert maps.param_ranges["Omega_m"]["max"] == 0.5
    assert maps.periodic
    assert maps.species == SPECIES
    assert len(maps.halo_m200c) == 0
    assert "Maps_Mtot_Nbody_IllustrisTNG_LH_z=0.00.npy" in maps.attrs["provenance"]
    assert str(root) not in maps.attrs["provenance"]


def test_from_files_to_a_batch(root, suite, written, tmp_path):
    paths = [tmp_path / f"LH_{i}.h5" for i in range(5)]
    for path in paths:
        project_simulation(build_suite(suite, root), DATA, path.stem, path)
    model = ModelConfig()
    normalisation = fit(paths, model, DATA.context_factors)
    assert normalisation.cosmic_share.omega_m == "Omega_m"
    assert normalisation.cosmic_share.omega_b == 0.049
    area = (25.0 / files.N_PIXELS) ** 2
    logs = np.log(written["LH"][:, 0].astype(float) * area + 1e8)
    assert normalisation.condition_mean[0] == pytest.approx(logs.mean(), rel=1e-6)
    assert normalisation.condition_std[0] == pytest.approx(logs.std(), rel=1e-5)
    dataset = windows_for(
        normalisation, [read_maps(path) for path in paths], window=8, batch_size=64, seed=0
    )
    batch = dataset[0]
    assert batch.target.shape == (64, 3, 8, 8)
    masses = written["LH"][:, 0].ravel() * np.float32(area)
    values = batch.condition.field.numpy().ravel()
    nearest = np.sort(masses)[np.searchsorted(np.sort(masses), values).clip(0, masses.size - 1)]
    np.testing.assert_allclose(values, nearest, rtol=1e-5)


def rewrite(kind, change):
    def apply(root, suite):
        path = suite.path(kind, root, "LH_0")
        np.save(path, change(np.load(path)))

    return apply


def poisoned(value):
    def change(array):
        array[4, 3, 2] = value
        return array

    return change


def truncate(root, suite):
    path = suite.path("gas", root, "LH_0")
    path.write_bytes(path.read_bytes()[:5000])


def as_archive(root, suite):
    path = suite.path("gas", root, "LH_0")
    with path.open("wb") as handle:
        np.savez(handle, maps=np.ones((15, 32, 32)))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda r, s: s.path("gas", r, "LH_0").unlink(), ["Maps_Mgas", "no such file"]),
        (truncate, ["Maps_Mgas", "damaged"]),
        (as_archive, ["Maps_Mgas", "an archive"]),
        (rewrite("gas", lambda a: a.astype(int)), ["Maps_Mgas", "int64"]),
        (rewrite("gas", lambda a: a[:, :, :16]), ["Maps_Mgas", "(map, n, n)", "(15, 32, 16)"]),
        (rewrite("gas", lambda a: a[:, :16, :16]), ["Set data.n_pixels: 16"]),
        (rewrite("stars", lambda a: a[:-1]), ["Maps_Mstar", "15 maps", "14"]),
        (rewrite("gas", poisoned(np.nan)), ["Maps_Mgas", "finite"]),
        (rewrite("gas", poisoned(-1.0)), ["Maps_Mgas", "zero or more"]),
        (
            rewrite("dmo", lambda a: a * (25 / 32) ** 2),
            ["Maps_Mtot_Nbody", "(Msun/h)/(Mpc/h)^2", "0.6104 times that", "A mass a pixel"],
        ),
        (
            lambda r, s: s.path("parameters", r, "LH_0").unlink(),
            ["params_LH_IllustrisTNG.txt", "no such file"],
        ),
    ],
)
def test_what_is_wrong_is_named(root, suite, written, damage, words):
    damage(root, suite)
    with pytest.raises(DataError) as error:
        build_suite(suite, root).read_maps(DATA, "LH_1")
    for word in words:
        assert word in str(error.value)


def test_configs_that_do_not_fit(root, suite, written):
    with pytest.raises(DataError, match=r"data\.slabs: 1"):
        build_suite(suite, root).read_maps(DATA.model_copy(update={"slabs": 2}), "LH_0")
    named = files.make_suite(root, sets={"LH": ("LH_a",)})
    with pytest.raises(DataError, match="LH_a"):
        build_suite(named, root).read_maps(DATA, "LH_a")
    other = files.make_suite(root, parameter_names=("A", *files.NAMES[1:]))
    with pytest.raises(DataError, match="the parameter Omega_m"):
        build_suite(other, root).read_maps(DATA, "LH_0")
