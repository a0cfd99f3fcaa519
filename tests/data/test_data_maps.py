import json
import subprocess
import sys
import tracemalloc

import h5py
import numpy as np
import pytest
import xarray as xr
from data_samples import write_catalogue, write_snapshot, write_tiny_root
from rows import SPECIES

from emulator.config import DataConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, append_seal
from emulator.projection.blocks import parts_of
from emulator.projection.pair import project_species
from emulator.projection.pyramid import block_mean
from emulator.readers.snapshots import open_snapshot
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation


def project(root, suite, config, output):
    project_simulation(build_suite(suite, root), config, "CV_0", output)
    return output


@pytest.fixture(scope="module")
def projected(tmp_path_factory, tiny_suite, tiny_config):
    folder = tmp_path_factory.mktemp("maps")
    root = write_tiny_root(folder / "raw", tiny_suite)
    return project(root, tiny_suite, tiny_config, folder / "CV_0.h5")


def test_masses_are_those_of_the_snapshots(projected, tiny_root, tiny_suite):
    maps = read_maps(projected)
    with h5py.File(tiny_suite.path("hydro_snapshot", tiny_root, "CV_0")) as handle:
        stars = handle["PartType4/Masses"][:].astype(float)
        is_star = handle["PartType4/GFM_StellarFormationTime"][:] > 0
        gas = handle["PartType0/Masses"][:].astype(float).sum()
    expected = {
        "dmo": 75.0 * 12**3,
        "dm_hydro": 63.0 * 12**3,
        "gas": gas + stars[~is_star].sum(),
        "stars": stars[is_star].sum(),
    }
    for name, mass in expected.items():
        assert maps.attrs[f"mass_particles_{name}"] == pytest.approx(mass * 1e10, rel=1e-12)
        assert maps.attrs[f"mass_map_{name}"] == pytest.approx(mass * 1e10, rel=1e-12)
        sums = maps.select([name])[:, 0].sum(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(sums, mass * 1e10, rtol=1e-6)


def test_context_is_the_block_mean(projected):
    maps = read_maps(projected)
    dmo = maps.select(["dmo"])[:, 0].astype(np.float64)
    assert list(maps.context) == [2, 4]
    for factor, level in maps.context.items():
        side = 32 // factor
        by_loop = np.array(
            [
                [
                    dmo[:, i * factor : (i + 1) * factor, j * factor : (j + 1) * factor].mean(
                        (1, 2)
                    )
                    for j in range(side)
                ]
                for i in range(side)
            ]
        )
        np.testing.assert_allclose(level, np.moveaxis(by_loop, -1, 0), rtol=1e-6)
    exact = np.arange(64.0).reshape(1, 8, 8)
    assert block_mean(exact, 4).tolist() == [[[13.5, 17.5], [45.5, 49.5]]]


def test_xarray_opens_it_with_units_and_names(projected):
    with xr.open_dataset(projected, engine="h5netcdf") as dataset:
        assert dataset.maps.dims == ("projection", "species", "y", "x")
        assert list(dataset.species.values) == list(SPECIES)
        assert list(dataset.projection.values) == ["x", "y", "z"]
        units = {name: dataset[name].attrs["units"] for name in dataset.data_vars}
        assert units == {
            "maps": "Msun/h per pixel",
            "context_2": "Msun/h per pixel",
            "context_4": "Msun/h per pixel",
            "halo_position": "Mpc/h",
            "halo_m200c": "Msun/h",
            "halo_r200c": "Mpc/h",
        }
        assert dataset.maps.dtype == np.float32
        assert dataset.maps.encoding["chunksizes"] == (1, 1, 32, 32)
        np.testing.assert_allclose(dataset.x, (np.arange(32) + 0.5) * 25 / 32)
        assert dataset.halo_position.shape == (2, 3)
        np.testing.assert_array_equal(
            dataset.maps.sel(species="gas", projection="y"), read_maps(projected).maps[1, 2]
        )


def test_attributes(projected):
    maps = read_maps(projected)
    assert maps.params == {"Omega_m": 0.3, "sigma_8": 0.8, "A_SN1": 1.0}
    assert maps.param_ranges["A_SN1"] == {"min": 0.25, "max": 4.0, "fiducial": 1.0, "log": True}
    assert list(maps.param_ranges) == list(maps.params)
    expected = {"set": "CV", "simulation": "CV_0", "run": "CV0", "suite": "Surrogate"}
    expected |= {"notice": "a notice", "omega_m": 0.3, "omega_b": 0.049, "stage": "project"}
    expected |= {"box_size_mpch": 25.0, "depth_mpch": 25.0, "pixel_mpch": 25 / 32, "redshift": 0.0}
    assert {key: maps.attrs[key] for key in expected} == expected
    assert maps.attrs["deposit"] == "adaptive"
    assert len(json.loads(maps.attrs["provenance"])["sources"]) == 2


@pytest.mark.parametrize("kernel", ["cic", "adaptive"])
def test_maps_do_not_depend_on_the_block_size(tiny_root, tiny_suite, tmp_path, kernel):
    results = []
    for block in (10_000, 97):
        config = DataConfig(n_pixels=32, window=8, deposit=kernel, block_particles=block)
        results.append(read_maps(project(tiny_root, tiny_suite, config, tmp_path / f"{block}.h5")))
    np.testing.assert_allclose(results[0].maps, results[1].maps, rtol=1e-5)


def test_the_same_inputs_give_the_same_bytes(
    projected, tiny_root, tiny_suite, tiny_config, tmp_path
):
    again = project(tiny_root, tiny_suite, tiny_config, tmp_path / "CV_0.h5")
    assert again.read_bytes() == projected.read_bytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [("BoxSize", 25_100.0), ("Redshift", 0.5), ("Omega0", 0.31), ("OmegaBaryon", 0.05)],
)
def test_snapshots_that_are_no_twins(tiny_root, tiny_suite, tiny_config, tmp_path, name, value):
    with h5py.File(tiny_suite.path("hydro_snapshot", tiny_root, "CV_0"), "r+") as handle:
        handle["Header"].attrs[name] = value
        handle["Header"].attrs["Time"] = 1.0 / (1.0 + handle["Header"].attrs["Redshift"])
    with pytest.raises(DataError, match=rf"Header/{name}.*twins"):
        project(tiny_root, tiny_suite, tiny_config, tmp_path / "out.h5")
    assert not list(tmp_path.glob("*out*"))


def test_parameters_that_contradict_the_snapshot(tiny_root, tiny_suite, tiny_config, tmp_path):
    table = tiny_suite.path("parameters", tiny_root, "CV_0")
    table.write_text("#Name Omega_m sigma_8 A_SN1 seed\nCV_0 0.2 0.8 1.0 5\n")
    with pytest.raises(DataError, match=r"CV_0:Omega_m: expected Omega0 of"):
        project(tiny_root, tiny_suite, tiny_config, tmp_path / "out.h5")


def test_a_species_without_particles(tiny_root, tiny_suite, tiny_config, tmp_path):
    path = tiny_suite.path("hydro_snapshot", tiny_root, "CV_0")
    with h5py.File(path, "r+") as handle:
        del handle["PartType4"]
        for name in ("NumPart_ThisFile", "NumPart_Total"):
            counts = handle["Header"].attrs[name]
            counts[4] = 0
            handle["Header"].attrs[name] = counts
    maps = read_maps(project(tiny_root, tiny_suite, tiny_config, tmp_path / "no_stars.h5"))
    assert maps.select(["stars"]).max() == 0
    assert maps.select(["gas"]).max() > 0
    with h5py.File(path, "r+") as handle:
        for name in ("NumPart_ThisFile", "NumPart_Total"):
            counts = handle["Header"].attrs[name]
            counts[0] = 0
            handle["Header"].attrs[name] = counts
    with pytest.raises(DataError, match=r"PartType0: expected particles \(gas\)"):
        project(tiny_root, tiny_suite, tiny_config, tmp_path / "no_gas.h5")


def test_a_box_without_halos(tiny_root, tiny_suite, tiny_config, tmp_path):
    write_catalogue(tiny_suite.path("dmo_catalogue", tiny_root, "CV_0"), np.ones((0, 3)), [], [])
    maps = read_maps(project(tiny_root, tiny_suite, tiny_config, tmp_path / "out.h5"))
    assert maps.halo_position.shape == (0, 3)


def test_lost_mass_is_an_error(tiny_root, tiny_suite, tiny_config, tmp_path, monkeypatch):
    from emulator.projection import kernels

    def leaky(position, mass, mass_unit, scale, axis, order, half_width, grids):
        grids[:, 1, 1] += mass.sum() * mass_unit * (1 - 3e-6)

    monkeypatch.setattr(kernels, "cloud_planes", leaky)
    with pytest.raises(DataError, match=r"maps of dmo that hold 1\.296"):
        project(tiny_root, tiny_suite, tiny_config, tmp_path / "out.h5")
    assert not list(tmp_path.glob("*out*"))


def test_an_unknown_simulation(tiny_root, tiny_suite, tiny_config, tmp_path):
    with pytest.raises(DataError, match="CV_9"):
        project_simulation(
            build_suite(tiny_suite, tiny_root), tiny_config, "CV_9", tmp_path / "out.h5"
        )


def change_attr(name, value):
    return lambda handle: handle.attrs.modify(name, value)


def poison(name, value):
    def change(handle):
        handle[name][(0,) * handle[name].ndim] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.pop("maps"), "none called maps"),
        (lambda h: h.pop("halo_m200c"), "none called halo_m200c"),
        (lambda h: h.attrs.pop("pixel_mpch"), "attribute 'pixel_mpch'"),
        (lambda h: h.attrs.pop("param_ranges"), "attribute 'param_ranges'"),
        (poison("maps", np.nan), r":maps: expected finite values of zero or more"),
        (poison("maps", -1.0), r":maps: expected finite values of zero or more"),
        (poison("maps", np.inf), r":maps: expected finite values of zero or more"),
        (poison("context_2", np.nan), r":context_2: expected finite values"),
        (change_attr("params", "{"), "params: expected JSON"),
    ],
)
def test_a_damaged_maps_file(projected, tmp_path, change, message):
    path = tmp_path / "CV_0.h5"
    path.write_bytes(projected.read_bytes())
    with h5py.File(path, "r+") as handle:
        change(handle)
    with pytest.raises(DataError, match="ends in its checksum, got none"):
        read_maps(path)
    append_seal(path)  # whoever wrote this meant it
    with pytest.raises(DataError, match=message):
        read_maps(path)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_truncated_maps_file(projected, tmp_path, keep, lazy):
    content = projected.read_bytes()
    path = tmp_path / "CV_0.h5"
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match="truncated"):
        read_maps(path, lazy=lazy)


def test_a_foreign_hdf5_file(tmp_path, tiny_root, tiny_suite):
    path = tiny_suite.path("hydro_snapshot", tiny_root, "CV_0")
    with pytest.raises(DataError, match="ends in its checksum"):
        read_maps(path)
    append_seal(path)
    with pytest.raises(DataError, match="attribute 'box_size_mpch'"):
        read_maps(path)


def test_select_and_unknown_species(projected):
    maps = read_maps(projected)
    np.testing.assert_array_equal(maps.select(["stars", "dmo"]), maps.maps[:, [3, 0]])
    with pytest.raises(DataError, match="'dust', got only dmo, dm_hydro, gas, stars"):
        maps.select(["dust"])


def test_memory_is_that_of_a_block_not_of_the_snapshot(tmp_path, rng):
    n = 1_000_000
    path = write_snapshot(
        tmp_path / "large.hdf5",
        {1: {"Coordinates": rng.uniform(0, 25_000.0, (n, 3))}},
        mass_table=(0, 1.0, 0, 0, 0, 0),
    )
    snapshot = open_snapshot(path)

    def peak_mib(block):
        tracemalloc.start()  # numpy reports its buffers to it
        project_species(
            parts_of(snapshot, 1), n_pixels=128, kernel="adaptive", block_particles=block
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20

    particles_mib = n * 3 * 8 / 2**20
    peak_mib(65_536)  # compiles, which allocates too
    assert peak_mib(65_536) < 0.5 * particles_mib
    # the measurement does see the buffers: positions, mass, width
    assert peak_mib(n) > 1.4 * particles_mib


def test_importing_the_reader_needs_no_compiler():
    heavy = "{'numba', 'xarray', 'torch'}"
    script = f"import sys, emulator.data.maps; print(sorted({heavy} & {{*sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert result.stdout.strip() == b"[]"


def test_project_species_of_nothing_is_empty():
    result = project_species([], n_pixels=8, kernel="cic", block_particles=10)
    assert result.maps.sum() == result.mass_particles_msunh == 0
