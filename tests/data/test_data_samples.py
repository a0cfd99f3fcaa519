"""Ready windows: read, written and exported, bit for bit; whatever is wrong is said by name."""

import zipfile

import fabricated
import numpy as np
import pytest
import xarray as xr
from fitted import fit
from typer.testing import CliRunner
from window_files import BOX, FACTORS, N, make_sample

from emulator.cli import app
from emulator.config import DataConfig, ModelConfig, WindowsSuite
from emulator.data.cutouts import extract
from emulator.data.export import export_ensemble, export_windows
from emulator.data.maps import read_maps
from emulator.io import DataError, write_dataset
from emulator.model.windows import windows_for
from emulator.readers.halo_tables import radius_200c
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation
from emulator.suites.window_files import ReadyWindow, read_window, write_window
from emulator.units import CRITICAL_DENSITY

NAMES = ("Omega_m", "A_SN1")
DATA = DataConfig(n_pixels=64, window=N, context_factors=FACTORS)
RANGES = "ParamName,LogFlag,FiducialVal,MinVal,MaxVal\nOmega0,0,0.3,0.1,0.5\nASN1,0,0.01,0,1\n"


def assert_same(one, other):
    for key, a, b in zip(ReadyWindow._fields, one, other, strict=True):
        assert a.dtype == b.dtype == np.float32, key
        np.testing.assert_array_equal(a, b, err_msg=key)


@pytest.fixture
def root(tmp_path):
    """Three samples of SB_0 and two of CV_0."""
    folder = tmp_path / "npz"
    for name, count in (("SB_0", 3), ("CV_0", 2)):
        for i in range(count):
            path = folder / name.split("_")[0] / name / f"halo_{i}.npz"
            write_window(path, make_sample(10 * count + i))
    (folder / "ranges.csv").write_text(RANGES)
    return folder


def suite(root, **changes):
    options = {
        "name": "BIND", "root": str(root), "sets": {"SB": 1, "CV": 1}, "parameter_names": NAMES,
        "box_size_mpch": BOX, "depth_mpch": BOX, "ranges": str(root / "ranges.csv"),
    }  # fmt: skip
    return WindowsSuite(**(options | changes))


# ------------------------------------------------------------------------------------ one file


def test_a_sample_round_trips_bit_for_bit(tmp_path):
    sample = make_sample()
    write_window(tmp_path / "a.npz", sample)
    assert_same(read_window(tmp_path / "a.npz"), sample)
    with np.load(tmp_path / "a.npz") as archive:
        assert sorted(archive) == sorted(ReadyWindow._fields)
    content = (tmp_path / "a.npz").read_bytes()
    write_window(tmp_path / "a.npz", read_window(tmp_path / "a.npz"))
    assert (tmp_path / "a.npz").read_bytes() == content


def rewritten(path, **changes):
    with np.load(path) as archive:
        arrays = {**archive, **changes}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": None}, ["a.npz:target", "only condition"]),
        ({"condition": np.ones((N, N - 1))}, ["a.npz:condition", "(15, 15)", "(16, 15)"]),
        ({"target": np.ones((N, N))}, ["a.npz:target", "(16, 16, 16)", "(16, 16)"]),
        ({"large_scale": np.ones((N, N))}, ["a.npz:large_scale", "(16, 16, 16)"]),
        ({"params": np.ones((2, 2))}, ["a.npz:params", "(4,)", "(2, 2)"]),
        ({"halo_mass": np.ones(2)}, ["a.npz:halo_mass", "shape ()"]),
        ({"halo_center": np.ones(2)}, ["a.npz:halo_center", "shape (3,)"]),
        ({"condition": np.full((N, N), np.nan)}, ["a.npz:condition", "finite"]),
        ({"target": -np.ones((3, N, N))}, ["a.npz:target", "zero or more"]),
        ({"params": np.array([0.3, np.inf])}, ["a.npz:params", "finite"]),
        ({"condition": np.full((N, N), "x")}, ["a.npz:condition", "numbers"]),
        ({"condition": np.array([None])}, ["a.npz:condition", "damaged"]),
    ],
)
def test_a_bad_sample_is_refused_by_file_and_key(tmp_path, changes, words):
    path = tmp_path / "a.npz"
    write_window(path, make_sample())
    rewritten(path, **changes)
    with pytest.raises(DataError) as error:
        read_window(path)
    for word in words:
        assert word in str(error.value)


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match=r"a\.npz: .*no such file"):
        read_window(path)
    write_window(path, make_sample())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a\.npz: expected readable arrays"):
        read_window(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("target.npy").header_offset + 300
    flipped = bytearray(content)
    flipped[start] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(DataError, match=r"a\.npz:target: expected readable arrays"):
        read_window(path)
    np.save(path.with_suffix(".npy"), np.ones(3))
    path.with_suffix(".npy").rename(path)
    with pytest.raises(DataError, match="single array"):
        read_window(path)


def test_a_bad_sample_is_not_written(tmp_path):
    with pytest.raises(DataError, match=r"b\.npz:condition"):
        write_window(tmp_path / "b.npz", make_sample(condition=np.full((N, N), np.nan)))
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------- a simulation


def test_windows_become_projections(root, tmp_path):
    project_simulation(build_suite(suite(root), root), DATA, "SB_0", tmp_path / "SB_0.h5")
    maps = read_maps(tmp_path / "SB_0.h5")
    assert not maps.periodic
    assert maps.projections == ("halo_0", "halo_1", "halo_2")
    assert (maps.pixel_mpch, maps.attrs["depth_mpch"]) == (12.8 / 64, 12.8)
    assert maps.params == pytest.approx({"Omega_m": 0.3, "A_SN1": 0.0125}, rel=1e-7)
    assert maps.attrs["omega_m"] == pytest.approx(0.3, rel=1e-7)
    for p in range(3):
        sample = read_window(root / f"SB/SB_0/halo_{p}.npz")
        cut = extract(
            maps, p, (8, 8), window=N, context_factors=FACTORS,
            species=["dm_hydro", "gas", "stars"],
        )  # fmt: skip
        assert_same((*cut, *sample[3:]), (sample.condition, sample.large_scale, sample.target,
                                          *sample[3:]))  # fmt: skip
        np.testing.assert_array_equal(maps.halo_position[p], sample.halo_center)
        assert maps.halo_m200c[p] == sample.halo_mass


def test_windows_go_out_as_they_came_in(root, tmp_path):
    project_simulation(build_suite(suite(root), root), DATA, "SB_0", tmp_path / "SB_0.h5")
    files = export_windows(
        tmp_path / "SB_0.h5", tmp_path / "out", window=N, context_factors=FACTORS,
        mass_threshold_msunh=0.0,
    )  # fmt: skip
    assert [file.name for file in files] == [f"halo_{i}.npz" for i in range(3)]
    for file in files:
        assert file.read_bytes() == (root / "SB/SB_0" / file.name).read_bytes()


def test_windows_train(root, tmp_path):
    project_simulation(build_suite(suite(root), root), DATA, "SB_0", tmp_path / "SB_0.h5")
    paths = [tmp_path / "SB_0.h5"]
    normalisation = fit(paths, ModelConfig(params=("A_SN1",)), FACTORS)
    samples = [read_window(root / f"SB/SB_0/halo_{p}.npz") for p in range(3)]
    for i in range(2):
        logs = np.log(np.stack([s.large_scale[i] for s in samples]).astype(float) + 1e8)
        assert normalisation.condition_mean[1 + i] == pytest.approx(logs.mean(), rel=1e-6)
    batch = windows_for(
        normalisation, [read_maps(paths[0])], window=N, batch_size=64, seed=0, mass_tilt=0.5
    )[3]
    seen = {
        next(i for i, s in enumerate(samples) if np.isin(c, s.condition).all())
        for c in batch.condition.field.numpy()
    }
    assert seen == {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "options", "data", "message"),
    [
        ({}, {}, {"window": 8}, r"halo_0\.npz:condition: .*Set data\.window: 16"),
        ({}, {}, {"context_factors": (2,)}, r"halo_0\.npz:large_scale: .*\[2\], got 2"),
        ({}, {"parameter_names": None}, {}, "parameter_names"),
        ({}, {"parameter_names": ("Omega_m",)}, {}, r"halo_0\.npz:params: expected 1 values"),
        ({"target": np.ones((4, N, N), np.float32)}, {}, {}, r"halo_1\.npz:target: .*targets .*4"),
        ({"params": (0.3, 0.02)}, {}, {}, r"halo_1\.npz:params: expected those of .*halo_0\.npz"),
        ({}, {"samples": "{set}/x/*.npz"}, {}, r"SB/x/\*\.npz: expected windows"),
    ],
)
def test_samples_that_do_not_fit(root, change, options, data, message):
    if change:
        write_window(root / "SB/SB_0/halo_1.npz", make_sample(31, **change))
    with pytest.raises(DataError, match=message):
        build_suite(suite(root, **options), root).read_maps(DATA.model_copy(update=data), "SB_0")


def test_radius_holds_200_times_the_critical_density():
    radius = radius_200c(np.array([1e14]), 0.3, 0.0)[0]
    assert 4 / 3 * np.pi * radius**3 * 200 * CRITICAL_DENSITY == pytest.approx(1e14)
    # at z = 1 in physical units, E^2 = 0.3 * 8 + 0.7
    physical = radius_200c(np.array([1e14]), 0.3, 1.0)[0] / 2
    mass = 4 / 3 * np.pi * physical**3 * 200 * CRITICAL_DENSITY * 3.1
    assert mass == pytest.approx(1e14)


# --------------------------------------------------------------------------------------- export


@pytest.fixture
def maps_path(tmp_path):
    simulation = fabricated.simulations(n_train=0, n_cv=1)[0]
    fabricated.write_maps(tmp_path, simulation)
    return tmp_path / f"{simulation.name}.h5"


@pytest.mark.parametrize(("projection", "pixel"), [("x", (5, 60)), ("y", (31, 60)), ("z", (31, 5))])
def test_halos_are_exported_where_they_are(maps_path, tmp_path, projection, pixel):
    position = np.array([6.3, 1.1, 12.1])  # pixels 31, 5 and 60 of 0.2 Mpc/h
    with xr.open_dataset(maps_path, engine="h5netcdf") as file:
        dataset = file.load()
    dataset["halo_position"][0] = position
    write_dataset(dataset, maps_path)
    files = export_windows(
        maps_path, tmp_path / "out", window=N, context_factors=FACTORS,
        mass_threshold_msunh=1e12, projection=projection,
    )  # fmt: skip
    assert [file.name for file in files] == ["CV_0_00000.npz"]
    sample = read_window(files[0])
    fields = dataset["maps"].sel(projection=projection).values
    shift = tuple(N // 2 - p for p in pixel)
    rolled = np.roll(fields, shift, axis=(-2, -1))[..., :N, :N]
    np.testing.assert_array_equal(sample.condition, rolled[0])
    np.testing.assert_array_equal(sample.target, rolled[1:])
    np.testing.assert_allclose(sample.halo_center, position, rtol=1e-6)
    np.testing.assert_allclose(sample.params, [0.3, 0.0125], rtol=1e-6)
    assert sample.halo_mass == np.float32(1e13)
    nothing = export_windows(
        maps_path, tmp_path / "none", window=N, context_factors=FACTORS, mass_threshold_msunh=1e15
    )
    assert nothing == []


def test_the_slab_that_holds_the_halo_is_exported(maps_path, tmp_path):
    with xr.open_dataset(maps_path, engine="h5netcdf") as file:
        dataset = file.load()
    dataset = dataset.assign_coords(projection=["z0", "z1", "z2"]).assign_attrs(depth_mpch=12.8 / 3)
    dataset["halo_position"][0] = [1.0, 1.0, 9.0]
    write_dataset(dataset, maps_path)
    options = {"window": N, "context_factors": FACTORS, "mass_threshold_msunh": 0.0}
    (file,) = export_windows(maps_path, tmp_path, **options)
    assert read_window(file).condition[N // 2, N // 2] == dataset["maps"].values[2, 0, 5, 5]
    with pytest.raises(DataError, match="axis 'x', got only z0, z1, z2"):
        export_windows(maps_path, tmp_path, projection="x", **options)


def test_maps_without_halos_are_not_exported(maps_path, tmp_path):
    with xr.open_dataset(maps_path, engine="h5netcdf") as file:
        dataset = file.load().isel(halo=slice(0))
    write_dataset(dataset, maps_path)
    with pytest.raises(DataError, match="expected halos, got none"):
        export_windows(
            maps_path, tmp_path, window=N, context_factors=FACTORS, mass_threshold_msunh=0.0
        )


@pytest.fixture
def ensemble():
    simulation = fabricated.simulations(n_train=0, n_cv=1)[0]
    dataset = fabricated.make_ensemble(simulation, n_members=3, n_windows=2)
    large_scale = np.repeat(dataset["condition"].values[:, None], 2, axis=1)
    dataset["large_scale"] = (("sample", "level", "y", "x"), large_scale)
    dataset["projection"] = ("sample", [1, 2])
    return dataset.assign(projection_label=("sample", ["y", "z"]))


def test_an_ensemble_is_exported_member_by_member(ensemble, tmp_path):
    shuffled = ensemble.isel(channel=[2, 0, 1])
    write_dataset(shuffled, tmp_path / "CV_0.nc")
    files = export_ensemble(tmp_path / "CV_0.nc", tmp_path / "out")
    assert [file.name for file in files] == [
        f"CV_0_{i:04d}_member_{k:03d}.npz" for i in range(2) for k in range(3)
    ]
    for index, file in enumerate(files):
        i, k = divmod(index, 3)
        sample = read_window(file)
        np.testing.assert_array_equal(sample.target, ensemble["fields"].values[i, k])
        np.testing.assert_array_equal(sample.condition, ensemble["condition"].values[i])
        np.testing.assert_array_equal(sample.large_scale, ensemble["large_scale"].values[i])
        row, col = (ensemble["centre"].values[i] + 0.5) * 0.2
        expected = [row, 6.4, col] if i == 0 else [row, col, 6.4]
        np.testing.assert_allclose(sample.halo_center, expected, rtol=1e-6)
        assert sample.halo_mass == 0


def test_incomplete_ensembles_are_refused(ensemble, tmp_path):
    write_dataset(ensemble.drop_vars("large_scale"), tmp_path / "a.nc")
    with pytest.raises(DataError, match="no large_scale"):
        export_ensemble(tmp_path / "a.nc", tmp_path)
    write_dataset(ensemble.isel(channel=[0, 1]), tmp_path / "b.nc")
    with pytest.raises(DataError, match=r"b\.nc:channel: expected the fields"):
        export_ensemble(tmp_path / "b.nc", tmp_path)


def test_the_command_exports_both(maps_path, ensemble, tmp_path):
    write_dataset(ensemble, tmp_path / "CV_0.nc")
    for source, options, count in (
        (maps_path, ["--window", str(N), "--mass", "1e12"], 1),
        (maps_path, ["--window", str(N), "--mass", "1e15"], 0),
        (tmp_path / "CV_0.nc", [], 6),
    ):
        folder = tmp_path / f"out_{count}"
        result = CliRunner().invoke(app, ["export", str(source), str(folder), *options])
        assert result.exit_code == 0, result.output
        assert result.stdout == f"{count} samples in {folder}\n"
        assert len(list(folder.glob("*.npz"))) == count
