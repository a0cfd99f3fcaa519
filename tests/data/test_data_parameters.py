from pathlib import Path

import numpy as np
import pytest

from emulator.io import DataError
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import (
    ParameterRange,
    match_ranges,
    parameters_of,
    read_ranges,
    seed_of,
)

CAMELS_PAIRS = [
    ("CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", "Info_IllustrisTNG_L25n256_6params.txt", 6),
    ("CosmoAstroSeed_SIMBA_L25n256_LH.txt", "Info_SIMBA_L25n256_6params.csv", 6),
    ("CosmoAstroSeed_IllustrisTNG_L50n512_SB35.txt", "Info_IllustrisTNG_L50n512_35params.csv", 35),
    ("CosmoAstroSeed_IllustrisTNG_L50n512_CV.txt", "SB35_param_minmax.csv", 35),
]


def read_parameters(path, simulation, names=None):
    return parameters_of(read_table(path, names), simulation)


def read_seed(path, simulation):
    return seed_of(read_table(path), simulation)


def write(path, text):
    path.write_text(text)
    return path


def test_values_follow_names_not_columns(tmp_path):
    one = write(tmp_path / "a.txt", "#Name A_SN1 A_AGN1 A_SN2 seed\nLH_0 1.5 2 3e-1 9\n")
    other = write(tmp_path / "b.txt", "#Name A_SN2 seed A_SN1 A_AGN1\n\n LH_0 0.3 9 1.5 -2\n")
    assert read_parameters(one, "LH_0") == {"A_SN1": 1.5, "A_AGN1": 2.0, "A_SN2": 0.3}
    assert read_parameters(other, "LH_0") == {"A_SN2": 0.3, "A_SN1": 1.5, "A_AGN1": -2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LH_0 0.3 0.8\n", "header '#Name"),
        ("", "header '#Name"),
        ("#Name a b\nLH_0 1\n", r"table.txt:2: expected 3 columns, got 2"),
        ("#Name a\nLH_1 1\nLH_2 2\n", "LH_1, LH_2"),
        ("#Name a\nLH_0 one\n", "LH_0:a: expected a number, got 'one'"),
        ("#Name a\nLH_0 nan\n", "finite"),
        ("#Name a\nLH_0 1\nLH_0 2\n", "one row for 'LH_0'"),
        ("#Name a a\nLH_0 1 2\n", "named once"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_parameters(write(tmp_path / "table.txt", text), "LH_0")


def test_csv_and_tables_without_names(tmp_path):
    table = write(tmp_path / "a.csv", "Name, A_SN1, seed, Omega_m\nCV_0, 2.0, 5, 0.3\n")
    assert read_parameters(table, "CV_0") == {"A_SN1": 2.0, "Omega_m": 0.3}
    bare = write(tmp_path / "b.txt", "# a remark\n0.3 1.0\n\n0.4 2.0\n")
    names = ("Omega_m", "A_SN1")
    assert read_parameters(bare, "LH_1", names=names) == {"Omega_m": 0.4, "A_SN1": 2.0}
    with pytest.raises(DataError, match="row for simulation 'LH_2', got only LH_0, LH_1"):
        read_parameters(bare, "LH_2", names=names)
    with pytest.raises(DataError, match=r"b\.txt:2: expected 3 columns, got 2"):
        read_parameters(bare, "LH_0", names=(*names, "A_AGN1"))
    with pytest.raises(DataError, match=r"suite\.parameter_names"):
        read_parameters(bare, "LH_0")
    with pytest.raises(DataError, match=r"columns of suite\.parameter_names.*leave"):
        read_parameters(table, "CV_0", names=("Omega_m", "A_SN2"))
    assert read_parameters(table, "CV_0", names=("A_SN1", "Omega_m"))["A_SN1"] == 2.0


@pytest.mark.parametrize(
    "text",
    [
        "# Name Omega_m A_SN1 seed\n# a remark\nCV_0 0.3 2 5\n",
        "Omega_m, seed, simulation, A_SN1\n0.3, 5, CV_0, 2\n0.3, 5, CV_0, 2\n",
        "name,Omega_m,A_SN1\nCV_1,0.1,1\nCV_0,0.3,2\n",
    ],
)
def test_the_name_of_the_simulation_in_any_column(tmp_path, text):
    table = write(tmp_path / "a.csv", text)
    assert read_parameters(table, "CV_0") == {"Omega_m": 0.3, "A_SN1": 2.0}
    names = ("Omega_m", "A_SN1", "seed")
    assert read_parameters(table, "CV_0", names=names) == {"Omega_m": 0.3, "A_SN1": 2.0}
    with pytest.raises(DataError, match=r"columns of suite\.parameter_names, \['A_SN1'"):
        read_parameters(table, "CV_0", names=names[1::-1])


def test_what_is_the_same_parameter_and_what_is_not():
    folder = Path(__file__).parents[2] / "data" / "parameters"
    physical, relative = (read_ranges(folder / f"camels_{n}.csv") for n in ("tng_35", "6"))
    assert list(match_ranges(["Omega_b", "h", "Omega_m"], physical, "")) == [
        "Omega_b",
        "h",
        "Omega_m",
    ]
    # 3.6 A_SN1 is another number than A_SN1
    for names, ranges in ((["A_SN1"], physical), (["WindEnergyIn1e51erg"], relative)):
        with pytest.raises(DataError, match=f"a range for parameter '{names[0]}'"):
            match_ranges(names, ranges, "")
    assert physical["WindEnergyIn1e51erg"].fiducial == 3.6 * relative["A_SN1"].fiducial


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.txt"):
        read_parameters(tmp_path / "gone.txt", "LH_0")


HEADER = "ParamName,LogFlag,MaxVal,MinVal,FiducialVal,Description\n"


def test_ranges_by_column_name(tmp_path):
    path = write(tmp_path / "r.csv", HEADER + "sigma8,0,1.0,0.6,.8,text\nASN1,1,4,.25,1,more\n")
    ranges = read_ranges(path)
    assert ranges == {
        "sigma8": ParameterRange(0.6, 1.0, 0.8, False),
        "ASN1": ParameterRange(0.25, 4.0, 1.0, True),
    }
    assert list(match_ranges(["A_SN1", "sigma_8"], ranges, path)) == ["A_SN1", "sigma_8"]
    with pytest.raises(DataError, match=r"'A_SN2', got only sigma8, ASN1"):
        match_ranges(["A_SN2"], ranges, path)


@pytest.mark.parametrize(
    "text",
    [
        "ParamName,MinVal,MaxVal,LogFlag\na,0,1,0\n",
        HEADER + "a,0,1,2,1,\n",
        HEADER + "a,0,1,0,3,\n",
        HEADER + "a,1,1,0,0.5,\n",
        HEADER + "a,0,1,0,0.5,\na,0,1,0,0.5,\n",
    ],
)
def test_bad_ranges_are_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"r\.csv"):
        read_ranges(write(tmp_path / "r.csv", text))


@pytest.mark.parametrize(("table", "range_table", "count"), CAMELS_PAIRS)
def test_camels_tables(realdata, table, range_table, count):
    folder = realdata / "camels_params"
    name = (folder / table).read_text().splitlines()[1].split()[0]
    params = read_parameters(folder / table, name)
    ranges = match_ranges(params, read_ranges(folder / range_table), range_table)
    assert len(params) == len(ranges) == count
    assert "seed" not in params
    for key, entry in ranges.items():
        low, high = (entry.min, entry.max)
        # one public table sets this parameter to 2000 where the other says 0; both lie inside
        assert low - 1e-9 * abs(low) <= params[key] <= high + 1e-9 * abs(high), key


def test_camels_values_agree_between_two_public_tables(realdata):
    folder = realdata / "camels_params"
    rows = np.loadtxt(folder / "params_LH_IllustrisTNG.txt")
    named = read_parameters(folder / "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", "LH_17")
    assert list(named.values()) == list(rows[17])
    with pytest.raises(DataError, match="header"):
        read_parameters(folder / "params_LH_IllustrisTNG.txt", "LH_17")
    names = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")
    assert read_parameters(folder / "params_LH_IllustrisTNG.txt", "LH_17", names=names) == named


@pytest.mark.parametrize(
    ("shipped", "source"),
    [
        ("camels_tng_35.csv", "SB35_param_minmax.csv"),
        ("camels_6.csv", "Info_IllustrisTNG_L25n256_6params.txt"),
        ("camels_6.csv", "Info_SIMBA_L25n256_6params.csv"),
    ],
)
def test_shipped_tables_are_those_of_camels(realdata, shipped, source):
    path = Path(__file__).parents[2] / "data" / "parameters" / shipped
    ours, theirs = read_ranges(path), read_ranges(realdata / "camels_params" / source)
    assert len(ours) == len(theirs)
    assert match_ranges(theirs, ours, path) == theirs


@pytest.mark.parametrize(
    ("table", "count"),
    [
        ("CosmoAstroSeed_IllustrisTNG_L25n256_1P.txt", 28),
        ("CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", 6),
        ("CosmoAstroSeed_IllustrisTNG_L50n512_1P.txt", 35),
        ("CosmoAstroSeed_IllustrisTNG_L50n512_CV.txt", 35),
        ("CosmoAstroSeed_IllustrisTNG_L50n512_SB35.txt", 35),
        ("CosmoAstroSeed_SIMBA_L25n256_LH.txt", 6),
    ],
)
def test_every_real_table_is_read_by_name(realdata, table, count):
    """First and last row, against a reading by position."""
    path = realdata / "camels_params" / table
    header, *rows = path.read_text().splitlines()
    for row in (rows[0], rows[-1]):
        name, *values = row.split()
        expected = dict(zip(header.split()[1:], map(float, values), strict=True))
        assert read_seed(path, name) == expected.pop("seed")
        assert read_parameters(path, name) == expected
        assert len(expected) == count


@pytest.mark.parametrize("table", ["CV", "EX", "LH", "LH_Nbody"])
def test_every_real_table_without_names(realdata, table):
    path = realdata / "camels_params" / f"params_{table}_IllustrisTNG.txt"
    rows = np.loadtxt(path)
    last = f"{table}_{len(rows) - 1}"
    assert list(read_parameters(path, last, names=tuple("abcdef")).values()) == list(rows[-1])
    with pytest.raises(DataError, match=rf"row for simulation '{table}_{len(rows)}'"):
        read_parameters(path, f"{table}_{len(rows)}", names=tuple("abcdef"))
