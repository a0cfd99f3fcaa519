from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, damage, write_snapshot, write_swift

from emulator.config import HeaderFacts
from emulator.io import DataError
from emulator.projection.blocks import parts_of, read_blocks
from emulator.projection.deposit import deposit_maps, padded_shape, without_ghosts
from emulator.readers.catalogs import read_halos
from emulator.readers.headers import Header
from emulator.readers.parameter_table import read_table
from emulator.readers.snapshots import open_snapshot

HEADER = Header(25.0, 0.0, 0.3, 0.049, 0.6711, None, (), 1e-3, 1e10)


@pytest.fixture
def gas(rng):
    return {"Coordinates": rng.uniform(0, BOX_KPCH, (50, 3)), "Masses": rng.uniform(1, 2, 50)}


def total_mass(snapshot, particle_type):
    grids = np.zeros(padded_shape(3, 8))
    return sum(
        deposit_maps(block, grids, "cic")
        for part in parts_of(snapshot, particle_type)
        for block in read_blocks(part, 17)
    )


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("BoxSize", "box_size_mpch", 25.0),
        ("Omega0", "omega_m", 0.3),
        ("HubbleParam", "hubble_h", 0.6711),
    ],
)
def test_a_missing_attribute_is_named_and_can_be_given(tmp_path, gas, name, key, value):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, drop=(name,))
    message = rf"s\.hdf5:Header: expected attribute '{name}', got only .*suite\.header\.{key}"
    with pytest.raises(DataError, match=message):
        open_snapshot(path)
    header = open_snapshot(path, HeaderFacts(**{key: value})).header
    assert header == open_snapshot(write_snapshot(tmp_path / "w.hdf5", {0: gas})).header


def test_the_scale_factor_says_the_redshift(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, drop=("Redshift",), Time=0.25)
    assert open_snapshot(path).header.redshift == 3.0
    with pytest.raises(DataError, match=r"redshift = 2 as suite\.header says, got 3"):
        open_snapshot(path, HeaderFacts(redshift=2.0))


@pytest.mark.parametrize(
    "facts", [{"box_size_mpch": 50.0}, {"omega_m": 0.31}, {"omega_b": 0.05}, {"hubble_h": 0.7}]
)
def test_config_and_header_must_agree(tmp_path, gas, facts):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    with pytest.raises(DataError, match=rf"{next(iter(facts))} = .*Remove suite\.header"):
        open_snapshot(path, HeaderFacts(**facts))


def test_without_counts_totals_and_mass_table(tmp_path, gas):
    drop = (
        "NumPart_Total",
        "NumPart_Total_HighWord",
        "NumPart_ThisFile",
        "MassTable",
        "NumFilesPerSnapshot",
    )
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {0: gas}, drop=drop))
    assert snapshot.header.counts == (50,)
    assert snapshot.count(4) == 0
    assert total_mass(snapshot, 0) == pytest.approx(gas["Masses"].sum() * 1e10)


def test_masses_from_the_config(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {1: {"Coordinates": gas["Coordinates"]}})
    with pytest.raises(DataError, match=r"Masses.*suite\.header\.mass_table_msunh"):
        total_mass(open_snapshot(path), 1)
    facts = HeaderFacts(mass_table_msunh=(0.0, 3e9))
    assert total_mass(open_snapshot(path, facts), 1) == pytest.approx(50 * 3e9)


def test_masses_of_the_config_fill_in_and_contradict_nothing(tmp_path, gas):
    table = (0.0, 0.5, 0.0, 0.0, 0.0, 0.0)
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, mass_table=table)
    facts = HeaderFacts(mass_table_msunh=(0.0, 0.0, 7e8))
    assert open_snapshot(path, facts).header.mass_table_msunh == (0, 5e9, 7e8, 0, 0, 0)
    message = r"Header/MassTable: expected 6e\+09 Msun/h for type 1 .* got 5e\+09.*to 0"
    with pytest.raises(DataError, match=message):
        open_snapshot(path, HeaderFacts(mass_table_msunh=(0.0, 6e9)))
    # a mass for all does not hide those that the file holds one by one
    with pytest.raises(
        DataError, match=r"PartType0/Masses: expected 1e\+09 Msun/h each, .*masses:"
    ):
        open_snapshot(path, HeaderFacts(mass_table_msunh=(1e9,)))


def test_simba(tmp_path, gas):
    """GIZMO names cosmology its own way, and dark matter has a mass a particle."""
    cosmology = {"Omega_Matter": 0.31, "Omega_Baryon": 0.047}
    path = write_snapshot(
        tmp_path / "s.hdf5",
        {0: gas, 1: {**gas, "Masses": gas["Masses"] * 5}},
        drop=("Omega0", "OmegaBaryon"),
        **cosmology,
    )
    snapshot = open_snapshot(path)
    assert (snapshot.header.omega_m, snapshot.header.omega_b) == (0.31, 0.047)
    assert snapshot.header.mass_table_msunh == (0.0,) * 6
    assert total_mass(snapshot, 1) == pytest.approx(5 * gas["Masses"].sum() * 1e10)


def test_other_numbers_of_types_and_arrays_of_one(tmp_path, gas):
    """Headers that count other types than six, the totals fewer than the files."""
    path = write_snapshot(
        tmp_path / "s.hdf5", {0: gas}, Redshift=np.array([0.5]), BoxSize=np.full(3, BOX_KPCH)
    )
    with h5py.File(path, "r+") as handle:
        header = handle["Header"].attrs
        header["NumPart_ThisFile"] = [50, 0, 0, 0, 0, 0, 0]
        header["NumPart_Total"] = [50, 0]
        del header["NumPart_Total_HighWord"]
    snapshot = open_snapshot(path)
    assert (snapshot.count(0), snapshot.count(6), snapshot.count(9)) == (50, 0, 0)
    assert (snapshot.header.redshift, snapshot.header.box_size_mpch) == (0.5, 25.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BoxSize", 0.0, "BoxSize: expected more than 0, got 0"),
        ("BoxSize", [25e3, 25e3, 50e3], r"BoxSize: expected a cube, got sides \[25000"),
        ("BoxSize", np.nan, "BoxSize: expected more than 0, got nan"),
        ("HubbleParam", 0.0, "HubbleParam: expected more than 0"),
        ("HubbleParam", "seventy", "HubbleParam: expected a number, got 'seventy'"),
        ("Omega0", [0.3, 0.3], "Omega0: expected one number, got 2"),
        ("Redshift", -1.0, "Redshift: expected more than -1"),
        ("OmegaBaryon", -0.05, "OmegaBaryon: expected more than 0"),
    ],
)
def test_senseless_attributes(tmp_path, gas, name, value, message):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, **{name: value})
    with pytest.raises(DataError, match=rf"s\.hdf5:Header/{message}"):
        open_snapshot(path)


@pytest.mark.parametrize("time", [0.0, 1.5])
def test_a_time_that_is_no_scale_factor(tmp_path, gas, time):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, drop=("Redshift",), Time=time)
    with pytest.raises(DataError, match=r"attribute 'Redshift'.*suite\.header\.redshift: 0\.0"):
        open_snapshot(path)
    assert open_snapshot(path, HeaderFacts(redshift=0.5)).header.redshift == 0.5


@pytest.mark.parametrize(
    ("header", "facts", "length", "mass"),
    [
        ({}, {}, 1e-3, 1e10),
        ({"UnitLength_in_cm": 3.085678e21, "UnitMass_in_g": 1.989e43}, {}, 1e-3, 1e10),
        ({"UnitLength_in_cm": 3.08568e24, "UnitMass_in_g": 1.98892e33}, {}, 1.0, 1.0),
        # GIZMO divides by h before it writes
        (
            {"UnitLength_In_CGS": 3.085678e24 / 0.6711, "UnitMass_In_CGS": 1.989e43 / 0.6711},
            {},
            1.0,
            1e10,
        ),
        ({"UnitLength_in_cm": np.array([3.085678e23])}, {}, 0.1, 1e10),
        ({}, {"length_unit": "Mpc", "mass_unit": "1e10 Msun"}, 0.6711, 0.6711e10),
        ({"UnitLength_in_cm": 3.08568e24}, {"length_unit": "kpc"}, 0.6711e-3, 1e10),
    ],
)
def test_units(tmp_path, gas, header, facts, length, mass):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, **header)
    snapshot = open_snapshot(path, HeaderFacts(**facts))
    assert snapshot.header.length_mpch == pytest.approx(length, rel=1e-12)
    assert snapshot.header.box_size_mpch == pytest.approx(BOX_KPCH * length, rel=1e-12)
    assert total_mass(snapshot, 0) == pytest.approx(gas["Masses"].sum() * mass)


def test_swift(tmp_path, rng):
    position = rng.uniform(0, 30.0, (40, 3))
    groups = {
        0: {"Coordinates": position, "Masses": np.full(40, 0.2, np.float32)},
        5: {"Coordinates": position[:3], "DynamicalMasses": np.full(3, 0.5)},
    }
    snapshot = open_snapshot(write_swift(tmp_path / "s.hdf5", groups))
    header = snapshot.header
    assert header.box_size_mpch == pytest.approx(30.0 * 0.7, rel=1e-6)
    assert (header.redshift, header.omega_m, header.omega_b) == (0.5, 0.3, 0.048)
    assert total_mass(snapshot, 0) == pytest.approx(40 * 0.2e10 * 0.7, rel=1e-6)
    assert total_mass(snapshot, 5) == pytest.approx(3 * 0.5e10 * 0.7, rel=1e-6)
    grids = np.zeros(padded_shape(1, 30))
    block = next(read_blocks(parts_of(snapshot, 0)[0], 100))
    deposit_maps(block, grids, "ngp", axes=(2,))
    expected = np.histogram2d(position[:, 0], position[:, 1], bins=30, range=[[0, 30]] * 2)[0]
    np.testing.assert_allclose(without_ghosts(grids)[0], expected * 0.2e10 * 0.7, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["Header"].attrs.modify("BoxSize", np.array([30.0, 30.0, 60.0])), "a cube"),
        (lambda h: h["Cosmology"].attrs.pop("h"), r"attribute 'h'.*suite\.header\.hubble_h"),
        (lambda h: h["Units"].attrs.pop("Unit mass in cgs (U_M)"), "Unit mass"),
        # without its units a file is still known by its code's name
        (lambda h: h["Units"].attrs.pop("Unit length in cgs (U_L)"), "Unit length"),
        (
            lambda h: h["PartType1/Coordinates"].attrs.create("Value stored as physical", [1]),
            "PartType1/Coordinates: expected comoving positions",
        ),
    ],
)
def test_damaged_swift_headers(tmp_path, rng, change, message):
    groups = {1: {"Coordinates": rng.uniform(0, 30.0, (4, 3)), "Masses": np.ones(4)}}
    path = write_swift(tmp_path / "s.hdf5", groups)
    damage(path, change)
    with pytest.raises(DataError, match=message):
        open_snapshot(path)


def test_swift_files_of_a_family(tmp_path, rng):
    position = rng.uniform(0, 30.0, (10, 3))
    for i, count in enumerate((4, 6)):
        particles = {"Coordinates": position[:count], "Masses": np.full(count, 0.5)}
        total = {"NumPart_Total": np.array([0, 10, 0, 0, 0, 0, 0], np.uint32)}
        write_swift(
            tmp_path / f"s.{i}.hdf5", {1: particles}, NumFilesPerSnapshot=np.array([2]), **total
        )
    snapshot = open_snapshot(tmp_path / "s.0.hdf5")
    assert (snapshot.count(1), snapshot.chunk_count(1, 1)) == (10, 6)
    assert total_mass(snapshot, 1) == pytest.approx(10 * 0.5e10 * 0.7, rel=1e-6)


@pytest.mark.parametrize(("name", "value"), [("BoxSize", 50_000.0), ("Redshift", 1.0)])
def test_files_of_a_family_must_agree(tmp_path, gas, name, value):
    for i in range(2):
        header = {name: value} if i else {}
        write_snapshot(
            tmp_path / f"s.{i}.hdf5", {0: gas}, n_files=2, totals=[100, 0, 0, 0, 0, 0], **header
        )
    with pytest.raises(DataError, match=r"s\.1\.hdf5:Header.*must be of one snapshot"):
        open_snapshot(tmp_path / "s.hdf5")


def test_a_file_that_may_not_be_read(tmp_path, gas, monkeypatch):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    # the superuser, who runs these tests in containers, may read everything
    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(DataError, match="permission to read it"):
        open_snapshot(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="an HDF5 file, got a folder"):
        open_snapshot(tmp_path)


@pytest.mark.parametrize("name", ["is_file", "read_text"])
def test_tables_and_folders_that_may_not_be_read(tmp_path, gas, monkeypatch, name):
    path = tmp_path / "a.txt"
    path.write_text("#Name a\nLH_0 1\n")

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, name, refuse)
    readers = [partial(read_table, path), partial(read_halos, path, HEADER)]
    if name == "is_file":
        readers.append(partial(open_snapshot, path))
    for read in readers:
        with pytest.raises(DataError, match=r"a\.txt: expected permission to read it"):
            read()


def test_real_galaxies_without_a_header(larger_realdata):
    path = larger_realdata / "camels_tng_cv0_galaxies" / "camels_snap.hdf5"
    with pytest.raises(
        DataError, match=r"'BoxSize', got only HubbleParam, Omega0, Time.*box_size_mpch: 25"
    ):
        open_snapshot(path)
    snapshot = open_snapshot(path, HeaderFacts(box_size_mpch=25.0, omega_b=0.049))
    with h5py.File(path) as handle:
        scale_factor = handle["Header"].attrs["Time"]
    assert snapshot.header.redshift == pytest.approx(1.0 / scale_factor - 1.0, rel=1e-12)
    assert (snapshot.header.omega_b, snapshot.header.omega_m) == (0.049, 0.3)
    with pytest.raises(DataError, match=r"redshift = 0 as suite\.header says, got 0\.10"):
        open_snapshot(path, HeaderFacts(box_size_mpch=25.0, redshift=0.0))
    assert [snapshot.count(number) for number in (0, 1, 4)] == [269, 0, 3479]
    with h5py.File(path) as handle:
        expected = handle["PartType4/Masses"][:].astype(float).sum() * 1e10
    assert total_mass(snapshot, 4) == pytest.approx(expected, rel=1e-6)
