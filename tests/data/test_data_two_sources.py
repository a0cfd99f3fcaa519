"""One fact with two sources: both are named where they disagree, and nothing is preferred."""

import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, write_catalogue, write_snapshot, write_swift

from emulator.config import HeaderFacts
from emulator.io import DataError
from emulator.projection.blocks import mass_of
from emulator.readers.catalogs import read_halos
from emulator.readers.headers import Header
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import parameters_of, read_ranges
from emulator.readers.snapshots import open_snapshot

HEADER = Header(25.0, 0.0, 0.3, 0.049, 0.6711, None, (), 1e-3, 1e10)
TABLE = (0.4, 0.84, 0.0, 0.0, 0.04, 0.0)


@pytest.fixture
def particles(rng):
    return {"Coordinates": rng.uniform(0, BOX_KPCH, (50, 3)), "Masses": rng.uniform(0.1, 0.5, 50)}


# ----------------------------------------------------------------------------------- masses


@pytest.mark.parametrize("kind", [0, 1, 4, 5])
def test_masses_of_particles_and_of_the_header(tmp_path, particles, kind):
    """For every type; equal ones pass, others are an error until the config says which is right."""
    table = [0.0] * 6
    table[kind] = 0.4
    path = write_snapshot(tmp_path / "s.hdf5", {kind: particles}, mass_table=table)
    message = rf"PartType{kind}/Masses: expected 4e\+09 Msun/h each, as .*MassTable"
    with pytest.raises(DataError, match=message):
        open_snapshot(path)
    total = particles["Masses"].sum() * 1e10
    for masses, expected in (("particles", total), ("header", 50 * 4e9)):
        snapshot = open_snapshot(path, HeaderFacts(masses=masses))
        assert mass_of(snapshot, kind) == pytest.approx(expected)
    same = {**particles, "Masses": np.full(50, 0.4 * (1 + 5e-5))}
    path = write_snapshot(tmp_path / "same.hdf5", {kind: same}, mass_table=table)
    assert mass_of(open_snapshot(path), kind) == pytest.approx(same["Masses"].sum() * 1e10)


def test_masses_in_one_file_of_a_family(tmp_path, particles):
    for i in range(2):
        gas = particles if i else {**particles, "Masses": np.full(50, 0.4)}
        write_snapshot(
            tmp_path / f"s.{i}.hdf5", {0: gas}, mass_table=TABLE, n_files=2,
            totals=[100, 0, 0, 0, 0, 0],
        )  # fmt: skip
    with pytest.raises(DataError, match=r"s\.1\.hdf5:PartType0/Masses"):
        open_snapshot(tmp_path / "s.0.hdf5")


# ----------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("name", "value", "group"),
    [
        ("BoxSize", 50_000.0, "Parameters"),
        ("Omega0", 0.31, "Parameters"),
        ("HubbleParam", [0.7], "Cosmology"),
        ("Redshift", 0.5, "Parameters"),
    ],
)
def test_groups_of_a_header_that_disagree(tmp_path, particles, name, value, group):
    path = write_snapshot(tmp_path / "s.hdf5", {0: particles})
    with h5py.File(path, "r+") as handle:
        handle.create_group(group).attrs[name] = value
    with pytest.raises(DataError, match=rf"Header/{name}.*: expected .* as {group}/{name} says"):
        open_snapshot(path)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"Omega_Matter": 0.31}, "Omega0: expected .0.31. as Omega_Matter says, got .0.3."),
        ({"Omega_Baryon": 0.05}, "OmegaBaryon: expected .0.05. as Omega_Baryon says"),
        ({"Redshift": 0.5, "Time": 1.0}, r"Redshift \(1\+z\): expected .1.0. as 1 / Time says"),
    ],
)
def test_two_names_of_one_number(tmp_path, particles, header, words):
    path = write_snapshot(tmp_path / "s.hdf5", {0: particles}, **header)
    with pytest.raises(DataError, match=words):
        open_snapshot(path)


def test_swift_says_its_redshift_twice(tmp_path, particles):
    path = write_swift(tmp_path / "s.hdf5", {0: particles})
    with h5py.File(path, "r+") as handle:
        handle["Cosmology"].attrs["Redshift"] = [0.5]
    assert open_snapshot(path).header.redshift == 0.5
    with h5py.File(path, "r+") as handle:
        handle["Cosmology"].attrs["Redshift"] = [0.6]
    with pytest.raises(DataError, match=r"Header/Redshift .*1\.6.* as Cosmology/Redshift"):
        open_snapshot(path)


# ------------------------------------------------------------------------------------ tables

NAMES = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")


def table(tmp_path, text, names=None):
    path = tmp_path / "table.txt"
    path.write_text(text)
    return read_table(path, names)


@pytest.mark.parametrize(
    "header",
    [
        "# Omega_m sigma_8 A_SN1 A_SN2 A_AGN1 A_AGN2",
        "#Omega0 sigma8 A_SN1 A_SN2 A_AGN1 A_AGN2",
        "Omega_m sigma_8 A_SN1 A_SN2 A_AGN1 A_AGN2",
        "# made in 2021\n# Omega_m, sigma_8, A_SN1, A_SN2, A_AGN1, A_AGN2",
        "# Omega_m sigma_8 A_SN1 A_AGN1",
    ],
)
def test_names_of_columns_in_file_and_config(tmp_path, header):
    with pytest.raises(DataError, match=r"columns of suite\.parameter_names"):
        table(tmp_path, f"{header}\n0.3 0.8 1.1 1.2 1.3 1.4\n", NAMES)


def test_equal_names_and_remarks_are_no_contradiction(tmp_path):
    rows = "0.3 0.8 1.1 1.2 1.3 1.4\n0.4 0.9 2.1 2.2 2.3 2.4\n"
    for header in ("", "# Omega0 sigma8 A_SN1 A_AGN1 A_SN2 A_AGN2\n", "# of the set LH\n"):
        params = parameters_of(table(tmp_path, header + rows, NAMES), "LH_1")
        assert (params["A_AGN1"], params["A_SN2"]) == (2.2, 2.3)


def test_a_header_without_its_mark_is_no_row(tmp_path):
    text = "Omega_m sigma_8\n0.1 0.7\n0.2 0.8\n0.3 0.9\n"
    for names in (None, ("Omega_m", "sigma_8")):
        read = table(tmp_path, text, names)
        assert parameters_of(read, "LH_0") == {"Omega_m": 0.1, "sigma_8": 0.7}
        assert len(read.rows) == 3
    # a stray line in the middle would shift all that follow
    with pytest.raises(DataError, match=r"table\.txt:3: expected 2 numbers, as this table numbers"):
        table(tmp_path, "0.1 0.7\n0.2 0.8\nend of_part\n0.3 0.9\n", ("Omega_m", "sigma_8"))


def test_simulations_named_in_a_column_that_is_not(tmp_path):
    """As CAMELS publishes SB28: the names of the simulations, and none of the columns."""
    text = "SB_0 0.30 0.80 5000\nSB_1 0.31 0.81 5001\n"
    read = table(tmp_path, text, ("Name", "Omega_m", "sigma_8", "seed"))
    assert parameters_of(read, "SB_1") == {"Omega_m": 0.31, "sigma_8": 0.81}
    with pytest.raises(DataError, match=r"table\.txt:1: expected 3 columns, got 4"):
        table(tmp_path, text, ("Omega_m", "sigma_8", "seed"))
    with pytest.raises(DataError, match="numbers, as this table numbers its simulations by row"):
        table(tmp_path, text, ("Set", "Omega_m", "sigma_8", "seed"))


@pytest.mark.parametrize("column", ["Name", "simulation", "sim_name", "SimName"])
def test_spellings_of_the_column_of_names(tmp_path, column):
    read = table(tmp_path, f"#{column} OmegaB Omega0\nCV_0 0.049 0.3\n")
    assert parameters_of(read, "CV_0") == {"OmegaB": 0.049, "Omega0": 0.3}


@pytest.mark.parametrize(
    "header", ["#Name a b a", "#Name Omega0 x Omega_m", "#Name simulation a b", "Name,a,a,b"]
)
def test_a_column_twice(tmp_path, header):
    cells = "0.1,0.2,0.3" if "," in header else "0.1 0.2 0.3"
    separator = "," if "," in header else " "
    with pytest.raises(DataError, match=r"table\.txt:1: expected every column named once"):
        table(tmp_path, f"{header}\nLH_0{separator}{cells}\n")


def test_a_range_twice_under_two_spellings(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(
        "ParamName,MinVal,MaxVal,FiducialVal,LogFlag\nOmega0,.1,.5,.3,0\nOmega_m,.1,.6,.3,0\n"
    )
    with pytest.raises(DataError, match="one row a parameter"):
        read_ranges(path)


# ------------------------------------------------------------------------------- catalogues


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#ID X Y Z M200c M200c PID\n1 1 2 3 9e11 5e11 -1\n", "one column m200c, got 2"),
        ("#ID X Y Z M200c m200c PID\n1 1 2 3 9e11 5e11 -1\n", "one column m200c, got 2"),
        ("#ID X Y Z M200c PID PID\n1 1 2 3 9e11 -1 5\n", "one column pid, got 2"),
        ("#X Y Z M200c\n#a = 1.0\n#a = 0.5\n1 2 3 9e11\n", ":3: expected 1, as an earlier"),
        ("#X Y Z M200c\n#Om = 0.31; Ol = 0.69; h = 0.6711\n1 2 3 9e11\n", "omega_m 0.3, got"),
        ("#X Y Z M200c\n#Omega_M = 0.3; h0 = 0.7\n1 2 3 9e11\n", "hubble_h 0.6711, got"),
        (
            "#scale(0) X(1) Y(2) Z(3) M200c(4)\n0.078 1 2 3 9e11\n",
            "scale 1, got one of .* 0.078",
        ),
        ("#scale X Y Z M200c\n1.0 1 2 3 9e11\n0.5 1 2 3 9e11\n", "scale 1, got one of scale 0.5"),
    ],
)
def test_lists_that_contradict_themselves_or_the_snapshot(tmp_path, text, words):
    path = tmp_path / "out_0.list"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_halos(path, HEADER)


def test_the_number_of_groups_of_a_file(tmp_path):
    path = write_catalogue(tmp_path / "g.hdf5", np.ones((2, 3)), [1.0, 2.0], [35.0, 44.0])
    with h5py.File(path, "r+") as handle:
        handle["Header"].attrs["Ngroups_ThisFile"] = 3
    with pytest.raises(DataError, match=r"3 groups \(Ngroups_ThisFile\), got 2"):
        read_halos(path)
