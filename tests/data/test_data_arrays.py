"""Suites of arrays: one content in every format, rows, groups, parameters, and what is refused."""

import h5py
import numpy as np
import pytest
import xarray as xr
from arrays import command, small, smooth_rows, write, write_small

from emulator.config import parse_config
from emulator.data.cutouts import extract, window_places
from emulator.data.dataset import WindowDataset
from emulator.data.maps import read_maps
from emulator.data.symmetries import orient
from emulator.domain import MATTER
from emulator.io import DataError
from emulator.suites import suite_of
from emulator.suites.mapmaking import project_simulation


def read(folder, name="run_0", **changes):
    """Maps of one simulation of a small suite, before they are written."""
    config = parse_config(small(**{"suite": {"root": str(folder)}} | changes))
    return suite_of(config).read_maps(config.data, name)


def suite(folder, **changes):
    return {"suite": {"root": str(folder), **changes}}


def as_npz(path, arrays):
    np.savez(path, **arrays)


def as_netcdf(path, arrays):
    dims = ("row", "y", "x")
    xr.Dataset({k: (dims, v) for k, v in arrays.items()}).to_netcdf(path, engine="h5netcdf")


def as_hdf5(path, arrays):
    with h5py.File(path, "w") as handle:
        for name, values in arrays.items():
            handle.create_dataset(f"fields/{name}", data=values)


def as_zarr(path, arrays):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(path), mode="w")
    for name, values in arrays.items():
        group.create_array(name, shape=values.shape, dtype=values.dtype)[...] = values


@pytest.mark.parametrize(
    ("ending", "save"),
    [(".npz", as_npz), (".nc", as_netcdf), (".h5", as_hdf5), (".zarr", as_zarr)],
)
def test_every_format_holds_the_same_fields(tmp_path, ending, save):
    arrays = smooth_rows(0)
    save(tmp_path / f"run_0{ending}", arrays)
    names = {name: f"fields/{name}" for name in arrays} if ending == ".h5" else {}
    maps = read(tmp_path, **suite(tmp_path, files=f"{{simulation}}{ending}", arrays=names))
    np.testing.assert_array_equal(maps.values, np.stack(list(arrays.values()), axis=1))
    assert [field.name for field in maps.species] == ["given", "drawn"]


def test_packed_values_of_netcdf_are_unpacked_and_missing_ones_refused(tmp_path):
    given, drawn = (np.round(values, 2) for values in smooth_rows(0).values())
    dataset = xr.Dataset(
        {k: (("row", "y", "x"), v) for k, v in (("given", given), ("drawn", drawn))}
    )
    packed = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -9999}
    path = tmp_path / "run_0.nc"
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"drawn": packed})
    maps = read(tmp_path, **suite(tmp_path, files="{simulation}.nc"))
    np.testing.assert_allclose(maps.values[:, 1], drawn, atol=1e-6)
    dataset["drawn"][0, 0, 0] = np.nan
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"drawn": packed})
    with pytest.raises(DataError, match=r"run_0.nc:drawn: expected finite values"):
        read(tmp_path, **suite(tmp_path, files="{simulation}.nc"))


def test_rows_of_a_shared_file_are_dealt_in_order(tmp_path):
    arrays = smooth_rows(0, n_rows=6)
    np.savez(tmp_path / "run.npz", **{f"run_{name}": values for name, values in arrays.items()})
    shared = suite(
        tmp_path, files="{set}.npz", rows_per_simulation=2,
        arrays={"given": "{set}_given", "drawn": "{set}_drawn"},
    )  # fmt: skip
    for number in range(3):
        maps = read(tmp_path, f"run_{number}", **shared)
        expected = arrays["drawn"][2 * number : 2 * number + 2]
        np.testing.assert_array_equal(maps.values[:, 1], expected)
    shared["suite"]["rows_per_simulation"] = 3
    with pytest.raises(DataError, match="at least 9 rows, for run_2, got 6"):
        read(tmp_path, "run_2", **shared)


def test_a_group_is_a_simulation_which_no_split_divides(tmp_path):
    arrays = smooth_rows(0, n_rows=6)
    labels = np.array(["b", "a", "b", "c", "a", "b"])
    np.savez(tmp_path / "run.npz", **arrays, track=labels)
    grouped = suite(tmp_path, files="{set}.npz", group="track")
    found = [read(tmp_path, f"run_{i}", **grouped).values[:, 1] for i in range(3)]
    for values, label in zip(found, "bac", strict=True):
        np.testing.assert_array_equal(values, arrays["drawn"][labels == label])
    grouped["suite"]["sets"] = {"run": 2}
    with pytest.raises(DataError, match=r"2 labels, as many as suite.sets .* got 3"):
        read(tmp_path, **grouped)


SPEED = [{"name": "speed", "array": "v", "min": 0.0, "max": 4.0}]


@pytest.mark.parametrize("value", [np.float64(2.5), np.full(4, 2.5)])
def test_parameters_are_numbers_of_the_file(tmp_path, value):
    write_small(tmp_path, v=value)
    maps = read(tmp_path, **suite(tmp_path, parameters=SPEED))
    assert maps.attrs["params"] == '{"speed": 2.5}'
    assert '"fiducial": 2.0' in maps.attrs["param_ranges"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.arange(4.0), "one value for all rows of run_0, got 0 to 3. Rows of other parameters"),
        (np.float64(5.0), r"a value in \[0, 4\], the range of speed in suite.parameters, got 5"),
        (np.array(["fast"]), "numbers of run_0"),
    ],
)
def test_parameters_that_cannot_be_are_refused(tmp_path, value, said):
    write_small(tmp_path, v=value)
    with pytest.raises(DataError, match=f"run_0.npz:v: expected {said}"):
        read(tmp_path, **suite(tmp_path, parameters=SPEED))


def test_a_coarser_condition_is_repeated_and_the_file_says_so(tmp_path):
    coarse = np.arange(32.0, dtype=np.float32).reshape(4, 4, 2)
    write_small(tmp_path, given=coarse)
    maps = read(tmp_path)
    blocks = maps.values[:, 0].reshape(4, 4, 2, 2, 4)
    assert (blocks == coarse[:, :, None, :, None]).all()
    assert maps.attrs["expanded"] == '{"given": [2, 4]}'


REFUSED = {
    "no integer factor": ({"given": np.zeros((4, 3, 8))}, r"given: expected \(8, 8\) pixels"),
    "a coarser field": ({"drawn": np.zeros((4, 4, 4))}, r"drawn: expected \(8, 8\) pixels"),
    "rows": ({"drawn": np.zeros((3, 8, 8))}, "as many rows as given, 4, got 3"),
    "dimensions": ({"drawn": np.zeros(8)}, r"shape \(y, x\) or \(row, y, x\), got \(8,\)"),
    "texts": ({"drawn": np.full((4, 8, 8), "a")}, "expected numbers, got <U1"),
    "sign": ({"given": np.full((4, 8, 8), -1.0)}, "zero or more of given, got -1. .* signed: true"),
    "infinity": ({"drawn": np.full((4, 8, 8), np.inf)}, "expected finite values"),
    "overflow": ({"drawn": np.full((4, 8, 8), 1e39)}, "expected finite values"),
}


@pytest.mark.parametrize(("arrays", "said"), REFUSED.values(), ids=REFUSED)
def test_files_that_do_not_fit_are_refused(tmp_path, arrays, said):
    write_small(tmp_path, **arrays)
    with np.errstate(over="ignore"), pytest.raises(DataError, match=said):
        read(tmp_path)


def test_a_missing_array_or_file_is_named_by_check_and_project(tmp_path):
    write_small(tmp_path)
    np.savez(tmp_path / "run_1.npz", given=smooth_rows(1)["given"])
    config = write(tmp_path, small())
    done = command(tmp_path, "project", config)
    said = str(done.exception) + done.output
    assert done.exit_code != 0
    assert "run_1.npz:drawn: expected an array, got only given" in said
    assert "suite.arrays says what the array of a field is called" in said
    (tmp_path / "run_2.npz").unlink()
    done = command(tmp_path, "check", config)
    assert done.exit_code != 0
    assert "run_2.npz" in done.output


def projected(folder, **changes):
    config = parse_config(
        small(**{"suite": {"root": str(folder)} | changes.pop("suite", {})} | changes)
    )
    path = folder / "run_0.h5"
    project_simulation(suite_of(config), config.data, "run_0", path)
    return config, path


def test_maps_carry_their_domain_and_nothing_of_matter(tmp_path):
    write_small(tmp_path)
    config, path = projected(tmp_path, suite={"pixel": 0.25, "length_unit": "km"})
    maps, lazy = read_maps(path), read_maps(path, lazy=True)
    assert maps.domain != MATTER
    assert (maps.domain.length, maps.domain.wave_number, maps.domain.power) == (
        "km",
        "1/km",
        "km^2",
    )
    assert maps.domain.conditions == config.suite.conditions
    assert maps.pixel_mpch == 0.25
    assert not {"omega_m", "redshift", "pixel_mpch", "depth_mpch"} & set(maps.attrs)
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        assert not [name for name in stored.variables if "halo" in str(name)]
        assert stored["x"].attrs["units"] == "km"
        assert stored["unit"].values.tolist() == ["m", "kg/m^3"]
    assert window_places(lazy, (8, 8)) == [(i, (4, 4)) for i in range(4)]


def windows(path, **options):
    maps = read_maps(path)
    dataset = WindowDataset(
        [maps], params=np.zeros((1, 0)), targets=["drawn"], context_factors=(),
        window=maps.shape, batch_size=96, seed=0, **options,
    )  # fmt: skip
    return maps, dataset[0]


def test_training_windows_move_by_declared_symmetries_alone(tmp_path):
    """Every window is a row under one element of the group, condition and field alike."""
    shape = (8, 12)
    arrays = smooth_rows(0, shape=shape)
    write_small(tmp_path, **arrays)
    wide = {"data": {"shape": list(shape)}}
    for symmetry, periodic in ((None, [False, True]), ("shifts", [False, True])):
        moves = {"symmetries": symmetry or "none", "periodic": periodic}
        maps, batch = windows(projected(tmp_path, suite=moves, **wide)[1])
        columns = range(shape[1]) if symmetry else (0,)
        group = {
            np.roll(row, (0, -by), axis=(1, 2)).tobytes(): by
            for row in maps.maps for by in columns
        }  # fmt: skip
        seen = {
            group[np.stack([given, drawn[0]]).tobytes()]
            for given, drawn in zip(
                batch.condition.field.numpy(), batch.target.numpy(), strict=True
            )
        }
        assert len(seen) > 4 if symmetry else seen == {0}


def test_turns_and_flips_of_a_square(tmp_path):
    write_small(tmp_path)
    maps, batch = windows(projected(tmp_path, suite={"symmetries": "d4"})[1])
    group = {orient(row, g).tobytes(): g for row in maps.maps for g in range(8)}
    pairs = zip(batch.condition.field.numpy(), batch.target.numpy(), strict=True)
    seen = {group[np.stack([given, drawn[0]]).tobytes()] for given, drawn in pairs}
    assert len(seen) == 8


def test_further_conditions_are_layers_beside_the_first(tmp_path):
    extra = np.random.default_rng(5).standard_normal((4, 8, 8)).astype(np.float32)
    write_small(tmp_path, extra=extra)
    both = [
        {"name": "given", "label": "given", "unit": "m"},
        {"name": "extra", "label": "extra", "unit": "K", "signed": True},
    ]
    maps = read_maps(projected(tmp_path, suite={"conditions": both})[1])
    cut = extract(maps, 2, (4, 4), window=8, context_factors=(), species=["drawn"])
    np.testing.assert_array_equal(cut.large_scale, extra[2:3])
    np.testing.assert_array_equal(cut.condition, maps.select(["given"])[2, 0])
    np.testing.assert_array_equal(cut.target, maps.select(["drawn"])[2])
    with pytest.raises(ValueError, match="the centre of a ready window"):
        extract(maps, 2, (4, 5), window=8, context_factors=(), species=["drawn"])
