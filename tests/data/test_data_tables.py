"""Tables, families of files and statistics: what counts as a header, a unit, a constant."""

import numpy as np
import pytest
import torch
from tolerances import refused

from emulator.config import ChannelConfig
from emulator.config.channels import resolve_channels
from emulator.fields import FIELDS
from emulator.io import EmulatorError
from emulator.model.fit import RunningMoments, _density_source
from emulator.model.normalisation import CosmicShare, Normalisation, ParameterScale
from emulator.readers.gadget import _redshift, chunk_paths, first_chunk, stated_units
from emulator.readers.headers import LENGTHS, MASSES, scale, stated_number
from emulator.readers.numbers import integer, integers
from emulator.readers.parameter_table import _names_columns, read_table, shorten, split_cells
from emulator.readers.parameters import parameters_of, seed_of
from emulator.readers.snapshots import _same_counts


def test_a_unit_in_cgs_is_the_usual_one_if_it_is_close():
    """Files round the parsec and the sun; others are taken as they are."""
    mpc, sun = 3.085678e24, 1.989e33
    for factor, length in ((1e-3, 1e-3), (1.0, 1.0), (1.0018, 1.0), (0.9982, 1.0)):
        found, _ = stated_units({"UnitLength_in_cm": factor * mpc}, "f")
        assert found == (pytest.approx(length, rel=1e-12), 0)
    for factor in (1.0021, 0.9979, 0.5):
        assert stated_units({"UnitLength_in_cm": factor * mpc}, "f")[0][0] == pytest.approx(factor)
    assert stated_units({"UnitMass_in_g": 1.0017e10 * sun}, "f") == (None, (1e10, 0))
    # GIZMO has divided by h
    whole = {"UnitLength_In_CGS": 2 * mpc, "UnitMass_In_CGS": 3 * sun}
    assert stated_units(whole, "f") == ((pytest.approx(2.0), 1), (pytest.approx(3.0), 1))
    assert stated_units({"UnitLength_in_cm": 0.0}, "f") == (None, None)


def test_units_with_and_without_h():
    assert {n: scale(u, 0.5) for n, u in LENGTHS.items()} == {
        "kpc/h": 1e-3, "Mpc/h": 1.0, "kpc": 0.5e-3, "Mpc": 0.5,
    }  # fmt: skip
    assert {n: scale(u, 0.5) for n, u in MASSES.items()} == {
        "1e10 Msun/h": 1e10, "Msun/h": 1.0, "1e10 Msun": 0.5e10, "Msun": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("attrs", "redshift"),
    [
        ({"Time": 0.25}, 3.0), ({"Time": 1.0}, 0.0), ({"Time": 1.5}, None), ({"Time": 0.0}, None),
        ({}, None), ({"Redshift": 3.0, "Time": 0.25}, 3.0), ({"Redshift": 2.0, "Time": 7.0}, 2.0),
    ],
)  # fmt: skip
def test_a_redshift_out_of_the_scale_factor(attrs, redshift):
    assert _redshift(attrs, "f") == redshift


def test_a_redshift_and_a_scale_factor_agree_in_one_plus_z():
    assert not refused(_redshift, {"Redshift": 3.0 + 3.9e-4, "Time": 0.25}, "f")
    assert refused(_redshift, {"Redshift": 3.0 + 4.2e-4, "Time": 0.25}, "f")


def test_a_number_by_one_of_two_names():
    names = ("Omega0", "Omega_Matter")
    assert stated_number({"Omega0": 0.0, "Omega_Matter": 0.3}, names, "f") == 0.3
    assert stated_number({"Omega0": 0.0}, names, "f") == 0.0
    assert stated_number({}, names, "f") is None
    assert refused(stated_number, {"Omega0": 0.31, "Omega_Matter": 0.3}, names, "f")


def test_files_of_a_family(tmp_path):
    for i in range(3):
        (tmp_path / f"snap.{i}.hdf5").touch()
    first = tmp_path / "snap.0.hdf5"
    assert first_chunk(tmp_path / "snap.hdf5") == first
    assert first_chunk(tmp_path / "other.hdf5") == tmp_path / "other.hdf5"
    assert chunk_paths(tmp_path / "snap.2.hdf5", 3) == [
        tmp_path / f"snap.{i}.hdf5" for i in range(3)
    ]
    assert chunk_paths(tmp_path / "any.hdf5", 1) == [tmp_path / "any.hdf5"]
    (tmp_path / "snap.hdf5").touch()
    assert first_chunk(tmp_path / "snap.hdf5") == tmp_path / "snap.hdf5"
    for number in (0, -1, 100_001, 4):
        assert refused(chunk_paths, first, number)


def test_headers_count_the_same_with_fewer_types():
    assert _same_counts((1, 2), (1, 2, 0))
    assert _same_counts((1, 2, 0), (1, 2))
    assert not _same_counts((1, 2), (1, 2, 3))


def test_whole_numbers_fit_into_63_bits():
    assert integer({"a": np.uint64(2**63 - 1)}, "a", "f") == 2**63 - 1
    assert integer({"a": 2.0**62}, "a", "f") == 2**62
    for value in (np.uint64(2**63), 2.0**63, -(2.0**63), -np.inf):
        assert refused(integers, {"a": value}, "a", "f")
    assert integers({"a": np.empty(0)}, "a", "f").tolist() == []


@pytest.mark.parametrize(
    ("cells", "known", "expected"),
    [
        ("Name a", (), True), ("Name", (), False), ("a b", (), False),
        ("Omega0 b c d", ("Omega_m", "b", "x", "y"), True), ("a b c d", ("a", "x", "y"), False),
        ("a b", ("a", "b", "x", "y", "z"), False),
    ],
)  # fmt: skip
def test_a_comment_that_names_columns(cells, known, expected):
    assert _names_columns(cells.split(), set(known)) == expected


def test_of_two_comments_the_one_as_wide_as_the_rows_counts(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("# name of it all\n#Name a b\nLH_0 1 2\nLH_1 3 4\n")
    table = read_table(path)
    assert (table.columns, table.names) == (("a", "b"), ("LH_0", "LH_1"))
    assert parameters_of(table, "LH_1") == {"a": 3.0, "b": 4.0}
    assert seed_of(table, "LH_1") is None


def test_rows_without_names_are_numbered(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("0.1, 5, 1\n0.2, 6, 2\n")
    table = read_table(path, ("Omega_m", "Seed", "b"))
    assert parameters_of(table, "SET_1_1") == {"Omega_m": 0.2, "b": 2.0}
    assert seed_of(table, "LH_0") == 5.0


def test_equal_rows_of_a_simulation_are_one(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("#Name a\nLH_0 1\nLH_0 1\n")
    assert read_table(path).names == ("LH_0",)
    path.write_text("#Name a\nLH_0 1\nLH_0 2\n")
    assert refused(read_table, path)


def test_cells_and_lists_of_names():
    assert split_cells(" a, b ,c") == ["a", "b", "c"]
    assert split_cells(" a  b\tc") == ["a", "b", "c"]
    assert shorten([]) == "none"
    names = [f"n{i}" for i in range(13)]
    assert shorten(names[:12]) == ", ".join(names[:12])
    assert shorten(names) == ", ".join(names[:12]) + ", ... (13 in all)"


@pytest.mark.parametrize(("scatter", "flat"), [(0.9e-6, True), (1.1e-6, False)])
def test_what_varies_by_less_than_a_millionth_is_constant(scatter, flat):
    moments = RunningMoments(1)
    moments.add(0, np.array([-1 - scatter, -1 + scatter] * 50))
    try:
        moments.result(["a"])
    except EmulatorError:
        assert flat
    else:
        assert not flat


def test_a_density_is_a_parameter_or_the_same_everywhere():
    assert _density_source("Omega_m", {0.3, 0.31}, ("sigma_8", "Omega0")) == "Omega0"
    assert _density_source("Omega_b", {0.049}, ("Omega0",)) == 0.049
    with pytest.raises(EmulatorError, match=r"0\.3 to 0\.31"):
        _density_source("Omega_m", {0.3, 0.31}, ("sigma_8",))


RANGE = {"minimum": 0.0, "maximum": 2.0, "fiducial": 1.0, "log": False}
CHANNELS = resolve_channels([ChannelConfig(name="gas", transform="hurdle")], [FIELDS["gas"]])
STATISTICS = {
    "channels": CHANNELS, "target_mean": (0.0, 0.0),
    "target_std": (1.0, 1.0), "condition_floor_msunh": 1e8, "condition_mean": (0.0,) * 3,
    "condition_std": (1.0,) * 3, "context_factors": (2, 4), "params": {},
    "cosmic_share": CosmicShare(omega_m=0.3, omega_b=0.05),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sound"),
    [
        ({}, True),
        ({"target_mean": (1e4, -1e4)}, True), ({"target_mean": (1.02e4, 0.0)}, False),
        ({"target_mean": (0.0, -1.02e4)}, False),
        ({"condition_std": (1e-4, 1e4, 1.0)}, True),
        ({"condition_std": (0.98e-4, 1.0, 1.0)}, False),
        ({"condition_std": (1.0, 1.02e4, 1.0)}, False), ({"target_std": (1.0,)}, False),
        ({"condition_mean": (0.0,) * 2}, False), ({"condition_floor_msunh": 0.0}, False),
        ({"context_factors": (2, 2)}, False), ({"context_factors": (1, 4)}, False),
        ({"cosmic_share": {"omega_m": "Omega_m", "omega_b": 0.05}}, False),
        ({"cosmic_share": {"omega_m": 0.05, "omega_b": 0.05}}, True),
        ({"cosmic_share": {"omega_m": 0.05, "omega_b": 0.06}}, False),
        ({"cosmic_share": {"omega_m": 0.05, "omega_b": 0.0}}, False),
        ({"params": {"a": RANGE}}, True), ({"params": {"a": RANGE | {"fiducial": 0.0}}}, True),
        ({"params": {"a": RANGE | {"fiducial": 2.1}}}, False),
        ({"params": {"a": RANGE | {"log": True}}}, False),
        ({"params": {"a": RANGE | {"maximum": 0.0, "fiducial": 0.0}}}, False),
    ],
)  # fmt: skip
def test_statistics_that_can_be(changes, sound):
    assert refused(Normalisation.parse, STATISTICS | changes, "s") != sound


def test_an_unknown_parameter_stays_unknown():
    scale = ParameterScale(minimum=1.0, maximum=4.0, fiducial=2.0, log=True)
    scaled = scale.scale(torch.tensor([np.nan, 8.0], dtype=torch.float64))
    assert bool(scaled[0].isnan())
    assert float(scaled[1]) == pytest.approx(2.0)


@pytest.mark.parametrize(("omega_m", "expected"), [("m", [0.2, 0.1]), (0.2, [0.25, 0.25])])
def test_a_share_is_of_each_sample(omega_m, expected):
    changes = {
        "params": {"a": RANGE, "m": RANGE},
        "cosmic_share": CosmicShare(omega_m=omega_m, omega_b=0.05),
    }
    statistics = Normalisation.parse(STATISTICS | changes, "s")
    params = torch.tensor([[1.0, 0.25], [1.0, 0.5]], dtype=torch.float64)
    assert statistics.baryon_fraction(params).tolist() == pytest.approx(expected)
