"""The stage `project` with slabs and choices of a suite; records, and maps that stay on disk."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, write_catalogue, write_snapshot, write_swift
from pydantic import ValidationError
from tolerances import both_sides, refused
from window_files import make_sample

from emulator.config import DataConfig, MultifieldSuite, SnapshotsSuite, SplitConfig
from emulator.data import lazy
from emulator.data.lazy import LazyField
from emulator.data.maps import Maps, read_maps
from emulator.data.splits import read_splits, split_runs
from emulator.fields import TARGETS, find_fields
from emulator.io import DataError, append_seal, checked_values, write_json
from emulator.model.normalisation import CosmicShare, ParameterScale
from emulator.projection.blocks import Part
from emulator.projection.pyramid import mean_masses
from emulator.readers.headers import Header, Stated
from emulator.readers.parameters import ParameterRange
from emulator.readers.snapshots import Snapshot, open_snapshot
from emulator.readers.swift import is_swift
from emulator.suites import build_suite
from emulator.suites.full_maps import FullMaps
from emulator.suites.mapmaking import project_simulation
from emulator.suites.multifield import _number, _require_mean_density
from emulator.suites.window_checks import require_halo_in_window
from emulator.units import CRITICAL_DENSITY


@pytest.mark.parametrize(
    "record",
    [Part, Header, Stated, LazyField, FullMaps, Maps, ParameterRange, Snapshot],
)
def test_records_cannot_be_changed(record):
    empty = record.__new__(record)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(empty, dataclasses.fields(record)[0].name, 1)


def test_statistics_cannot_be_changed():
    scale = ParameterScale(minimum=0.0, maximum=2.0, fiducial=1.0, log=False)
    for record, name in ((scale, "minimum"), (CosmicShare(omega_m=0.3, omega_b=0.1), "omega_m")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, name, 0.2)


def in_slabs(tmp_path, root, suite, **options):
    config = DataConfig(n_pixels=32, window=8, context_factors=(2, 4), **options)
    project_simulation(build_suite(suite, root), config, "CV_0", tmp_path / "out.h5")
    return read_maps(tmp_path / "out.h5")


def test_slabs_are_parts_of_the_whole_box(tmp_path, tiny_root, tiny_suite):
    """Two slabs an axis: half as deep, and together the map of the box."""
    whole = in_slabs(tmp_path, tiny_root, tiny_suite, deposit="cic")
    thin = in_slabs(tmp_path, tiny_root, tiny_suite, deposit="cic", slabs=2)
    assert thin.projections == ("x0", "x1", "y0", "y1", "z0", "z1")
    assert (whole.attrs["depth_mpch"], thin.attrs["depth_mpch"]) == (25.0, 12.5)
    both = thin.maps.reshape(3, 2, 4, 32, 32).sum(1)
    np.testing.assert_allclose(both, whole.maps, rtol=1e-5, atol=1e3)
    np.testing.assert_allclose(
        thin.context[4].reshape(3, 2, 8, 8).sum(1), whole.context[4], rtol=1e-5
    )
    assert thin.attrs["mass_map_dmo"] == pytest.approx(whole.attrs["mass_map_dmo"])


def test_halos_must_lie_on_peaks_of_the_map_along_z(tmp_path, tiny_root, tiny_suite):
    """Twelve halos in the densest pixels of z pass; mirrored, they do not."""
    maps = in_slabs(tmp_path, tiny_root, tiny_suite)
    field = maps.maps[2, 0]
    rows, cols = np.unravel_index(np.argsort(field, axis=None)[-12:], field.shape)
    z = np.linspace(1e3, 24e3, 12)
    catalogue = tiny_suite.path("dmo_catalogue", tiny_root, "CV_0")
    mass, size = (
        np.full(12, 10.0),
        np.full(12, (3e11 / (800 * np.pi * CRITICAL_DENSITY)) ** (1 / 3)),
    )
    for position, fault in (((rows, cols), False), ((cols, rows), True)):
        place = [(p + 0.5) * BOX_KPCH / 32 for p in position]
        write_catalogue(catalogue, np.column_stack([*place, z]), mass, 1e3 * size)
        assert refused(in_slabs, tmp_path, tiny_root, tiny_suite) == fault
        assert refused(in_slabs, tmp_path, tiny_root, tiny_suite, slabs=2) == fault


@pytest.mark.parametrize(("wind", "holes"), [("gas", "ignore"), ("stars", "stars")])
def test_what_a_suite_of_files_counts_as_stars(tmp_path, tiny_root, tiny_suite, wind, holes):
    kinds = ("dmo_snapshot", "hydro_snapshot", "dmo_catalogue", "parameters", "ranges")
    files = {kind: str(tiny_suite.path(kind, tiny_root, "CV_0")) for kind in kinds}
    with h5py.File(files["hydro_snapshot"], "r+") as handle:
        for name in ("NumPart_ThisFile", "NumPart_Total"):
            counts = handle["Header"].attrs[name]
            counts[5] = 2
            handle["Header"].attrs[name] = counts
        handle["PartType5/Coordinates"] = np.full((2, 3), 1000.0)
        handle["PartType5/Masses"] = np.full(2, 7.0)
        stars = handle["PartType4/Masses"][:].astype(float)
        is_star = handle["PartType4/GFM_StellarFormationTime"][:] > 0
        del handle.attrs["notice"]
    with h5py.File(files["dmo_snapshot"], "r+") as handle:
        handle.attrs["notice"] = "of the twin"
    suite = SnapshotsSuite(
        name="M", root=str(tiny_root), sets={"CV": 2}, layout=files, wind=wind, black_holes=holes
    )
    maps = in_slabs(tmp_path, tiny_root, suite)
    expected = stars.sum() + 14.0 if wind == "stars" else stars[is_star].sum()
    assert maps.attrs["mass_map_stars"] == pytest.approx(1e10 * expected, rel=1e-6)
    assert (maps.attrs["wind"], maps.attrs["black_holes"]) == (wind, holes)
    assert maps.attrs["notice"] == "of the twin"


def test_files_that_were_used_longest_ago_are_closed(tmp_path, monkeypatch):
    paths = [tmp_path / f"{name}.h5" for name in "abc"]
    for path in paths:
        with h5py.File(path, "w") as handle:
            handle["x"] = np.arange(3)
    monkeypatch.setattr(lazy, "MAX_OPEN", 2)
    monkeypatch.setattr(lazy, "_open_files", type(lazy._open_files)())
    a, b, c = (LazyField(path, "x", (3,)) for path in paths)
    for field in (a, b, a, c):
        assert field[1] == 1
    assert [path for _, path in lazy._open_files] == [a.path, c.path]


def test_values_of_maps_are_masses():
    for values in (np.zeros(3), np.array([0.0, 1e38]), np.empty(0)):
        assert checked_values(values, "f") is values
    for fault in (-1e-3, np.inf, np.nan):
        assert refused(checked_values, np.array([1.0, fault]), "f")
    fields = np.arange(2 * 4 * 9, dtype=np.float32).reshape(2, 4, 3, 3)
    means = mean_masses(fields, find_fields(TARGETS))
    assert list(means.values()) == [fields[:, i].sum() / 2 for i in range(4)]


@pytest.mark.parametrize(
    ("dmo", "factors", "fault"),
    [
        (np.ones((8, 8)), (2, 4), False), (np.ones((8, 8)), (3,), True),
        (np.ones((4, 8)), (2, 4), False), (np.ones((6, 8)), (2, 4), True),
        (np.ones((2, 8, 8)), (2,), True), (-np.ones((8, 8)), (2,), True),
    ],
)  # fmt: skip
def test_a_map_of_a_user_divides_along_both_sides(dmo, factors, fault):
    assert refused(Maps.from_dmo, dmo, factors) == fault
    if not fault:
        maps, (height, width) = Maps.from_dmo(dmo, factors), dmo.shape
        assert (maps.n_pixels, maps.n_projections, maps.periodic) == (width, 1, True)
        shapes = {f: level.shape for f, level in maps.context.items()}
        assert shapes == {f: (1, height // f, width // f) for f in factors}


def test_mean_densities_of_slabs_agree_to_a_tenth():
    suite = MultifieldSuite(name="M", root=".", sets={"LH": 1}, depth_mpch=5.0)
    mean = 0.3 * CRITICAL_DENSITY * 5.0

    def require(x):
        _require_mean_density(np.full((1, 4, 4), (1 + x) * mean), 0.3, suite, Path("f"))

    both_sides(require, 0.1)
    with pytest.raises(DataError, match=r"1\.2 times.*A mass a pixel would be 39\.06 times that"):
        require(0.2)
    assert (_number("LH_12"), _number("1P_p1_3")) == (12, 3)
    assert refused(_number, "LH_n1")


def test_halos_of_windows_lie_in_the_box_and_weigh_less():
    sample = make_sample()
    window = float(sample.condition.sum(dtype=np.float64))

    def fault(mass, *position):
        changed = sample._replace(halo_mass=np.float64(mass), halo_center=np.array(position))
        return refused(require_halo_in_window, changed, 12.8, "w")

    assert not fault(window, 0.0, 12.8, 5.0)
    assert fault(1.0001 * window, 1.0, 1.0, 1.0)
    assert [fault(1.0, 1.0, 1.0, x) for x in (-1e-3, 12.801, np.nan)] == [True] * 3
    assert not fault(0.0, -1.0, 99.0, 1.0)  # no halo at all


def test_a_damaged_file_of_a_family_is_refused(tmp_path):
    for i in range(2):
        position = np.full((5, 3), 100.0 * (i + 1))
        path = write_snapshot(
            tmp_path / f"s.{i}.hdf5", {1: {"Coordinates": position}}, n_files=2,
            totals=[0, 10, 0, 0, 0, 0], mass_table=(0, 1.0, 0, 0, 0, 0),
        )  # fmt: skip
        append_seal(path)
    assert open_snapshot(tmp_path / "s.hdf5").count(1) == 10
    for path in sorted(tmp_path.glob("s.*.hdf5")):
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[-200] ^= 1
        path.write_bytes(flipped)
        assert refused(open_snapshot, tmp_path / "s.hdf5")
        path.write_bytes(content)


@pytest.mark.parametrize(("masses", "expected"), [("particles", 3e10), ("header", 2e10)])
def test_masses_that_contradict_the_header_need_a_word(tmp_path, masses, expected):
    from emulator.config import HeaderFacts
    from emulator.projection.blocks import mass_of

    groups = {1: {"Coordinates": np.ones((1, 3)), "Masses": np.full(1, 3.0)}}
    path = write_snapshot(tmp_path / "s.hdf5", groups, mass_table=(0, 2.0, 0, 0, 0, 0))
    assert refused(open_snapshot, path)
    assert mass_of(open_snapshot(path, HeaderFacts(masses=masses)), 1) == expected

    def table(x):
        write_snapshot(path, groups, mass_table=(0, 3.0 * (1 + x), 0, 0, 0, 0))
        open_snapshot(path)

    both_sides(table, 1e-4)


def test_swift_is_known_by_its_name_or_its_units(tmp_path):
    path = write_swift(
        tmp_path / "s.hdf5", {0: {"Coordinates": np.ones((1, 3)), "Masses": np.ones(1)}}
    )
    with h5py.File(path, "r+") as handle:
        assert is_swift(handle)
        handle["Code"].attrs["Code"] = "SWIFT"
        assert is_swift(handle)
        del handle["Code"]
        assert is_swift(handle)
        del handle["Units"].attrs["Unit length in cgs (U_L)"]
        assert not is_swift(handle)
        del handle["Units"]
        assert not is_swift(handle)


def test_splits_are_listed_by_run_and_read_back(tmp_path):
    runs = {f"r{i}": (f"LH_{i}", f"LH_{i + 10}") for i in range(9)}
    splits = split_runs(runs, SplitConfig(validation_fraction=0.3, test_fraction=0.3))
    for names in splits.values():
        assert list(names) == [s for run in sorted(runs) for s in runs[run] if s in names]
    write_json(tmp_path / "s.json", splits)
    assert read_splits(tmp_path / "s.json") == splits
    for fault in (
        {**splits, "more": []}, {"train": []}, {**splits, "test": "LH_0"},
        {**splits, "test": [*splits["test"], splits["train"][0]]}, {**splits, "test": ["../a"]},
    ):  # fmt: skip
        write_json(tmp_path / "s.json", fault)
        assert refused(read_splits, tmp_path / "s.json")
