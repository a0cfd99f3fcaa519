"""How closely two sources of one fact must agree: just within passes, just beyond does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rows import by_field
from tolerances import both_sides, refused

from emulator.config import HeaderFacts
from emulator.projection.budget import require_cosmic_shares, require_same_matter_content
from emulator.projection.twins import (
    _density_hint,
    require_mean_density,
    require_pair,
    require_same_matter,
    require_same_parameters,
    require_same_phases,
)
from emulator.readers.headers import Header, Stated, box_side, require_same_numbers, settle
from emulator.readers.parameters import ParameterRange, require_possible_parameters
from emulator.readers.snapshots import Snapshot
from emulator.units import CRITICAL_DENSITY

HEADER = Header(25.0, 1.0, 0.3, 0.049, 0.6711, (0, 8), (), 1e-3, 1e10)
MATTER = 0.3 * CRITICAL_DENSITY * 25.0**3


def snapshot(params=None, **changes):
    return Snapshot((Path("a.hdf5"),), ((0, 8),), replace(HEADER, **changes), None, params)


@pytest.mark.parametrize(
    ("name", "edge"),
    [
        ("box_size_mpch", 25.0e-4), ("redshift", 2.0e-4), ("omega_m", 0.3e-4),
        ("hubble_h", 0.6711e-4), ("omega_b", 0.049e-4),
    ],
)  # fmt: skip
def test_twins(name, edge):
    value = getattr(HEADER, name)
    both_sides(lambda x: require_pair(snapshot(), snapshot(**{name: value + x})), edge)


def test_one_twin_may_say_omega_b_and_neither_is_an_error():
    assert require_pair(snapshot(omega_b=0.0), snapshot()) == 0.049
    assert require_pair(snapshot(), snapshot(omega_b=None)) == 0.049
    assert refused(require_pair, snapshot(omega_b=None), snapshot(omega_b=0.0))


def test_masses_of_the_header_fill_the_box():
    both_sides(
        lambda x: require_pair(
            snapshot(mass_table_msunh=(0.0, (1 + x) * MATTER / 8)), snapshot()
        ),
        0.02,
    )  # fmt: skip
    both_sides(lambda x: require_mean_density(snapshot(), (1 + x) * MATTER), 0.02)


def test_tables_and_snapshots():
    both_sides(lambda x: require_same_matter({"Omega0": 0.3 / (1 + x)}, snapshot(), "t"), 1e-3)
    require_same_matter({"sigma_8": 0.8}, snapshot(), "t")
    told = snapshot(params={"a": -2.0, "b": 1.0})
    both_sides(lambda x: require_same_parameters({"a": -2.0 + x}, told, "t"), 2e-4)
    require_same_parameters({"a": 7.0}, snapshot(), "t")


def test_the_matter_of_a_hydrodynamic_run():
    masses = {"dm_hydro": 0.84, "gas": 0.15}
    both_sides(
        lambda x: require_same_matter_content(
            masses | {"stars": 0.01 + x}, 1.0, "f", tolerance=0.01
        ),
        0.01,
    )  # fmt: skip
    assert refused(require_same_matter_content, masses, 0.0, "f", tolerance=0.5)


def test_cosmic_shares():
    def shares(**masses):
        return refused(require_cosmic_shares, by_field(masses), 2.0, 0.16, "f", tolerance=0.02)

    found = [shares(dm_hydro=2 * m) for m in (0.819, 0.821, 0.859, 0.861)]
    assert found == [True, False, False, True]
    assert [shares(gas=2 * m) for m in (0.0, 0.179, 0.181)] == [False, False, True]
    assert [shares(gas=0.3, stars=s) for s in (0.29, 0.3, 0.31)] == [False, False, True]
    assert [shares(stars=2 * m) for m in (0.179, 0.181)] == [False, True]
    assert refused(require_cosmic_shares, by_field({"gas": 1.0}), 0.0, 0.16, "f", tolerance=0.02)


FACTS = {"box_size_mpch": 25.0, "redshift": 1.0, "omega_m": 0.3, "omega_b": 0.05, "hubble_h": 0.7}
STATED = Stated(
    25e3, 1.0, 0.3, 0.05, 0.7, None, (0.0, 0.5), (1e-3, 0), (1e10, 0),
    {key: key for key in FACTS}, (),
)  # fmt: skip


@pytest.mark.parametrize("key", FACTS)
def test_config_and_file(key):
    edge = 1e-4 * (FACTS[key] + (key == "redshift"))
    both_sides(lambda x: settle(STATED, HeaderFacts(**{key: FACTS[key] + x}), "f"), edge)
    found = getattr(settle(STATED, HeaderFacts(**{key: FACTS[key] + 0.5 * edge}), "f"), key)
    assert found == FACTS[key]  # the file's own


def test_masses_of_config_and_file():
    both_sides(
        lambda x: settle(STATED, HeaderFacts(mass_table_msunh=(0.0, 5e9 * (1 + x))), "f"), 1e-4
    )
    table = settle(STATED, HeaderFacts(mass_table_msunh=(3e9, 0.0, 2e9)), "f").mass_table_msunh
    assert table == (3e9, 5e9, 2e9)


@pytest.mark.parametrize("key", FACTS)
def test_facts_are_positive_and_redshifts_above_minus_one(key):
    least = -1.0 if key == "redshift" else 0.0
    own = "box_size" if key == "box_size_mpch" else key
    for value, fault in ((least, True), (least + 1e-3, False), (np.inf, True), (np.nan, True)):
        assert refused(settle, replace(STATED, **{own: value}), HeaderFacts(), "f") == fault


def test_two_places_of_one_file():
    both_sides(lambda x: require_same_numbers([2.0, 2.0 + 2 * x], [2.0, 2.0], "a", "b"), 1e-4)
    require_same_numbers(0.0, 2.0, "a", "b")  # zero says nothing
    require_same_numbers(None, 2.0, "a", "b")
    assert refused(require_same_numbers, [1.0], [1.0, 1.0], "a", "b")


def test_sides_of_a_box():
    both_sides(lambda x: box_side({"BoxSize": np.array([2.0, 2.0, 2.0 + x])}, "f"), 2e-6)
    assert box_side({"BoxSize": np.array([3.0])}, "f") == 3.0
    assert refused(box_side, {"BoxSize": np.array([3.0, 3.0])}, "f")


def test_parameters_and_their_ranges():
    entry = {"a": ParameterRange(-1.0, 3.0, 0.0, False)}
    for edge, sign in ((3.0, 1), (-1.0, -1)):
        require_possible_parameters({"a": edge + sign * 3.9e-6}, entry, "t")
        beyond = {"a": edge + sign * 4.1e-6}
        assert refused(require_possible_parameters, beyond, entry, "t")
    require_possible_parameters({"Omega_m": 0.3, "Omega_b": 0.05}, {}, "t")
    assert refused(require_possible_parameters, {"Omega_m": 0.3, "OmegaB": 0.3}, {}, "t")


def test_structures_of_twins(rng):
    """Blocks of 8 x 8 pixels out of 35: independent parts of known weight."""
    one, other = (
        np.pad(rng.normal(size=(3, 8, 8)).repeat(4, 1).repeat(4, 2), ((0, 0), (0, 3), (0, 3)))
        for _ in range(2)
    )
    one -= one[:, :32, :32].mean((1, 2), keepdims=True)
    other -= other[:, :32, :32].mean((1, 2), keepdims=True)
    one /= np.sqrt((one**2).sum())
    other -= (one * other).sum() * one
    other /= np.sqrt((other**2).sum())
    other[:, 32:] = 100.0  # beyond the blocks
    for correlation, fault in ((0.81, False), (0.78, True), (-0.9, True)):
        mixed = correlation * one + np.sqrt(1 - correlation**2) * other
        assert refused(require_same_phases, 7 + one, 5 + mixed, "h") == fault


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1e9, "'Mpc/h'"), (1e9 * 0.7**3, "length_unit to 'Mpc'"), (0.7**3, "'kpc'"),
        (1e10, "mass_unit to 'Msun/h'"), (1e-10, "'1e10 Msun/h'"), (1 / 0.7, "'1e10 Msun'"),
    ],
)  # fmt: skip
def test_a_hint_covers_six_per_cent(factor, words):
    for deviation in (-0.059, 0.0, 0.059):
        assert words in _density_hint(factor * (1 + deviation), 0.7)
    for deviation in (-0.061, 0.061):
        assert words not in _density_hint(factor * (1 + deviation), 0.7)


def test_other_densities_are_those_of_parts_or_of_other_units():
    assert "do not fill BoxSize" in _density_hint(0.97, 0.7)
    assert "units of length or mass differ" in _density_hint(1.03, 0.7)
