"""Halo catalogues: how far they may be from their snapshot, and from what a halo can be."""

from pathlib import Path

import numpy as np
import pytest
from tolerances import both_sides, refused

from emulator.projection.twins import require_halos_on_peaks
from emulator.readers.catalogs import Halos, _require_match, _require_plausible, _wrapped
from emulator.readers.halo_tables import Listed, radius_200c, read_csv, read_rockstar
from emulator.readers.headers import Header
from emulator.units import CRITICAL_DENSITY

HEADER = Header(25.0, 1.0, 0.3, 0.049, 0.6711, (0, 8), (), 1e-3, 1e10)
MATTER = 0.3 * CRITICAL_DENSITY * 25.0**3


def listed(**changes):
    return Listed(25.0, 1.0, np.zeros((0, 3)), np.zeros(0), np.zeros(0))._replace(**changes)


def test_catalogues_and_snapshots():
    def match(**changes):
        _require_match(listed(**changes), HEADER, Path("g"))

    both_sides(lambda x: match(box_size_mpch=25.0 + x), 25e-4)
    both_sides(lambda x: match(redshift=1.0 + x), 2e-4)
    match(redshift=None)


@pytest.mark.parametrize(("n", "most"), [(9, 2.0), (10, 1.1), (30, 1.1)])
def test_masses_and_radii_of_halos(n, most):
    mass = np.full(n, 1e13)

    def plausible(ratio):
        radius = radius_200c(mass, 0.3, 1.0) / np.cbrt(ratio)
        _require_plausible(Halos(np.zeros((n, 3)), mass, radius), HEADER, Path("g"))

    for edge in (most, 1 / most):
        inside, outside = (1 + (edge - 1) * s for s in (0.99, 1.02))
        assert not refused(plausible, inside)
        assert refused(plausible, outside)


def test_halos_are_lighter_than_their_box():
    def plausible(mass):
        mass = np.array([mass, 1e12])
        halos = Halos(np.zeros((2, 3)), mass, radius_200c(mass, 0.3, 1.0))
        _require_plausible(halos, HEADER, Path("g"))

    plausible(0.999 * MATTER)
    assert refused(plausible, MATTER)


def test_radii_hold_200_times_the_critical_density():
    """At z = 1, comoving: E^2 = 0.3 x 8 + 0.7, and lengths are twice as long."""
    inside = 200 * CRITICAL_DENSITY * 3.1 / 8 * 4 / 3 * np.pi
    assert radius_200c(np.array([1e13]), 0.3, 1.0)[0] ** 3 == pytest.approx(1e13 / inside)


def test_positions_are_wrapped_into_the_box():
    position = np.array([[-1e-17, 25.0, 24.0], [-3.0, 51.0, 0.0]])
    np.testing.assert_allclose(_wrapped(position, 25.0), [[0, 0, 24], [22, 1, 0]], atol=1e-12)


def test_lists_and_snapshots(tmp_path):
    path = tmp_path / "a.list"

    def read(text):
        path.write_text(f"#X Y Z M200c{text[0]}\n{text[1]}1 2 3 1e12{text[2]}\n")
        return read_rockstar(path, HEADER)

    both_sides(lambda x: read(("", f"#Om = {0.3 * (1 + x):.9f}\n", "")), 1e-3)
    both_sides(lambda x: read(("", f"#h0 = {0.6711 * (1 + x):.9f}\n", "")), 1e-3)
    both_sides(lambda x: read((" scale", "", f" {0.5 * (1 + x):.9f}")), 1e-3)
    both_sides(lambda x: read((" scale", "#a = 0.5\n", f" {0.5 * (1 + x):.9f}")), 1e-4)
    both_sides(lambda x: read(("", f"#a = 0.5\n#a = {0.5 * (1 + x):.9f}\n", "")), 1e-4)
    assert read(("", "#a = 0.25\n", "")).redshift == 3.0
    assert read(("", "#Box size: 26.0 Mpc/h\n", "")).box_size_mpch == 26.0
    assert read(("", "", ""))[:2] == (25.0, None)


def test_positions_of_a_table_lie_in_the_box_to_a_millionth(tmp_path):
    path = tmp_path / "a.csv"

    def read(x):
        path.write_text(f"x,y,z,m200c\n1,{x:.9f},3,0\n")
        return read_csv(path, HEADER)

    assert not refused(read, -24.5e-6)
    assert refused(read, -25.8e-6)
    assert not refused(read, 25 + 24.5e-6)
    assert refused(read, 25 + 25.8e-6)


@pytest.mark.parametrize(("n", "counted"), [(9, 0), (10, 10), (100, 100), (150, 100)])
def test_halos_on_peaks(n, counted):
    """A map of 0 and 1: the mean of a halo's pixel, in standard errors of the most massive."""
    dmo = np.zeros((40, 40))
    dmo[:, :20] = 1.0
    mass = np.arange(1.0, n + 1)

    def require(n_dense):
        """The most massive lie on the dense half, the others do not."""
        columns = np.where(np.arange(n) >= n - n_dense, 3, 30)
        place = np.column_stack([np.full(n, 0.25), (columns + 0.5) * 0.5, np.zeros(n)])
        require_halos_on_peaks(Halos(place, mass, mass), dmo, 0.5, "g")

    if not counted:
        require(0)
        return
    least = int(np.ceil((0.5 + 3.0 * 0.5 / np.sqrt(counted)) * counted))
    assert not refused(require, least)
    assert refused(require, least - 1)
