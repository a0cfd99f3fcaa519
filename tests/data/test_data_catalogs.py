from dataclasses import replace

import numpy as np
import pytest
from data_samples import BOX_KPCH, damage, set_value, write_catalogue

from emulator.io import DataError
from emulator.readers.catalogs import read_halos
from emulator.readers.headers import Header
from emulator.simulate.cosmology import Cosmology

HEADER = Header(25.0, 0.0, 0.3, 0.049, 0.6711, None, (), 1e-3, 1e10)
ROCKSTAR = """#ID DescID M200c Mvir Rvir X Y Z PID
#a = 1.000000
#Box size: 25.000000 Mpc/h
7 -1 1e12 2e12 200.0 1.0 24.5 3.0 -1
8 -1 3e11 4e11 100.0 2.0 20.5 5.0 7
9 -1 5e13 6e13 900.0 25.0 0.0 7.0 -1
"""


def test_halos(tmp_path):
    position = [[BOX_KPCH, -1.0, 3000.0], [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]
    path = write_catalogue(tmp_path / "g.hdf5", position, [100.0, 0.0, 7.0], [200.0, 0.0, 30.0])
    halos = read_halos(path)
    np.testing.assert_allclose(halos.position_mpch[0], [0.0, 24.999, 3.0], rtol=1e-6)
    np.testing.assert_allclose(halos.m200c_msunh, [1e12, 7e10])
    np.testing.assert_allclose(halos.r200c_mpch, [0.2, 0.03])


def test_a_family_of_catalogues_and_none_at_all(tmp_path):
    for i, mass in enumerate([[3.0, 2.0], [], [1.0]]):
        path = tmp_path / f"tab.{i}.hdf5"
        write_catalogue(path, np.ones((len(mass), 3)), mass, mass, NumFiles=3, Ngroups_Total=3)
    np.testing.assert_allclose(read_halos(path).m200c_msunh, [3e10, 2e10, 1e10])
    (tmp_path / "tab.1.hdf5").unlink()
    with pytest.raises(DataError, match=r"tab\.1\.hdf5"):
        read_halos(path)
    empty = write_catalogue(tmp_path / "none.hdf5", np.ones((0, 3)), [], [])
    assert read_halos(empty).position_mpch.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.pop("Group/Group_M_Crit200"), "Group_M_Crit200: expected a dataset"),
        (lambda h: h["Header"].attrs.pop("BoxSize"), "'BoxSize'"),
        (lambda h: h["Header"].attrs.modify("Ngroups_Total", 5), r"5 groups.*got 2"),
        (set_value("Group/GroupPos", (1, 1), np.nan), "GroupPos: expected finite"),
        (set_value("Group/GroupPos", (1, 1), 5e4 + 1), r"GroupPos: .*\[0, 25\] Mpc/h"),
        (set_value("Group/Group_M_Crit200", 1, -2.0), "Crit200: .*none negative, got .*1 others"),
        (set_value("Group/Group_R_Crit200", 1, 0.0), "a radius of every halo.*got 1 of zero"),
    ],
)
def test_damaged_catalogues(tmp_path, change, message):
    path = write_catalogue(tmp_path / "g.hdf5", np.ones((2, 3)), [1.0, 2.0], [1.0, 2.0])
    damage(path, change)
    with pytest.raises(DataError, match=message):
        read_halos(path)


def test_a_catalogue_of_another_box(tmp_path):
    halos = (np.ones((2, 3)), [1.0, 2.0], [35.0, 44.0])
    path = write_catalogue(tmp_path / "g.hdf5", *halos)
    assert len(read_halos(path, HEADER).m200c_msunh) == 2
    write_catalogue(path, *halos, BoxSize=50_000.0)
    with pytest.raises(DataError, match=r"its snapshot, 25 Mpc/h, got one of 50 Mpc/h"):
        read_halos(path, HEADER)
    write_catalogue(path, *halos, Redshift=0.5)
    with pytest.raises(DataError, match=r"redshift 0, got one of redshift 0\.5"):
        read_halos(path, HEADER)


def test_units_of_a_catalogue_in_mpc(tmp_path):
    units = {"UnitLength_in_cm": 3.08568e24, "UnitMass_in_g": 1.989e33, "BoxSize": 25.0}
    path = write_catalogue(tmp_path / "g.hdf5", np.full((1, 3), 2.0), [3e12], [0.25], **units)
    halos = read_halos(path, HEADER)
    np.testing.assert_allclose(halos.position_mpch, 2.0)
    np.testing.assert_allclose(halos.m200c_msunh, 3e12)
    np.testing.assert_allclose(halos.r200c_mpch, 0.25)


def test_units_that_only_the_config_or_h_can_tell(tmp_path):
    """A catalogue without units has those of its snapshot; GIZMO's have been divided by h."""
    centre = np.full((1, 3), 2.0)
    in_mpch = replace(HEADER, length_mpch=1.0, mass_msunh=1.0)
    silent = write_catalogue(tmp_path / "a.hdf5", centre, [3e12], [0.25], BoxSize=25.0)
    gizmo = write_catalogue(
        tmp_path / "b.hdf5",
        centre,
        [3e12],
        [0.25],
        BoxSize=25.0,
        HubbleParam=0.6711,
        UnitLength_In_CGS=3.085678e24 / 0.6711,
        UnitMass_In_CGS=1.989e33 / 0.6711,
    )
    for path, header in ((silent, in_mpch), (gizmo, HEADER)):
        halos = read_halos(path, header)
        np.testing.assert_allclose(halos.position_mpch, 2.0)
        np.testing.assert_allclose(halos.m200c_msunh, 3e12, rtol=1e-6)
        np.testing.assert_allclose(halos.r200c_mpch, 0.25)
    with pytest.raises(DataError, match=r"25 Mpc/h, got one of 0\.025 Mpc/h"):
        read_halos(silent, HEADER)


def test_positions_outside_by_rounding_are_wrapped(tmp_path):
    path = tmp_path / "halos.csv"
    path.write_text("#x,y,z,M200c\n-1e-6,25.00001,25,1e13\n")
    position = read_halos(path, HEADER).position_mpch
    np.testing.assert_allclose(position, [[25.0 - 1e-6, 1e-5, 0.0]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("numbered", [False, True])
def test_rockstar(tmp_path, numbered):
    path = tmp_path / "out_0.list"
    header, *rest = ROCKSTAR.splitlines()
    if numbered:
        header = "#" + " ".join(f"{name}({i})" for i, name in enumerate(header[1:].split()))
    path.write_text("\n".join([header, *rest]))
    halos = read_halos(path, HEADER)
    # the halo with a parent is a subhalo
    np.testing.assert_allclose(halos.m200c_msunh, [1e12, 5e13])
    np.testing.assert_allclose(halos.position_mpch, [[1, 24.5, 3], [0, 0, 7]])
    inside = 4 / 3 * np.pi * halos.r200c_mpch**3 * 200 * 2.77536627e11
    np.testing.assert_allclose(inside, halos.m200c_msunh, rtol=1e-9)


def test_radii_at_a_redshift(tmp_path):
    path = tmp_path / "halos.csv"
    path.write_text("z,y,x,m200c\n1,2,3,1e13\n")
    halos = read_halos(path, replace(HEADER, redshift=1.0))
    expansion = Cosmology(omega_m=0.3, sigma_8=0.8).expansion_rate(0.5)
    physical = np.cbrt(3e13 / (800 * np.pi * 2.77536627e11 * expansion**2))
    np.testing.assert_allclose(halos.r200c_mpch, 2.0 * physical, rtol=1e-9)
    np.testing.assert_allclose(halos.position_mpch, [[3, 2, 1]])


def test_csv_with_radii_and_without_halos(tmp_path):
    path = tmp_path / "halos.csv"
    path.write_text("x,y,z,m200c,r200c\n1,2,3,1e13,0.35\n1,2,3,0,0\n")
    assert read_halos(path, HEADER).r200c_mpch.tolist() == [0.35]
    path.write_text("x,y,z,m200c,r200c\n")
    assert len(read_halos(path, HEADER).m200c_msunh) == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("o.list", ROCKSTAR.replace("M200c", "M200b"), r"columns x, y, z, m200c.*No m200c"),
        ("o.list", ROCKSTAR.replace("25.000000", "50.0"), "25 Mpc/h, got one of 50 Mpc/h"),
        ("o.list", ROCKSTAR.replace("24.5", "24500"), r":4:y: .*\[0, 25\] Mpc/h, got 24500"),
        ("o.list", ROCKSTAR.replace("25.0 0.0 7.0", "25.001 0.0 7.0"), r":6:x: .*got 25\.001"),
        ("o.list", ROCKSTAR.replace("1e12 2", "nan 2"), ":4:m200c: expected zero or more, finite"),
        ("o.list", ROCKSTAR.replace("1e12 2", "-1e12 2"), ":4:m200c: .*got -1e"),
        ("o.list", ROCKSTAR.replace("24.5", "many"), ":4:y: expected a number, got 'many'"),
        ("o.list", ROCKSTAR.replace(" 24.5", ""), ":4: expected 9 values, got 8"),
        ("o.list", ROCKSTAR.replace("1.000000", "0.500000"), "redshift 0, got one of redshift 1"),
        ("o.list", "1 2 3\n", "only no header"),
        ("o.csv", "\nx,y,z,m200c\n\n1,2,1e12\n", ":4: expected 4 values, got 3"),
        ("o.csv", "x,y,z,m200c,r200c\n1,2,3,1e12,0\n", "a radius of every halo"),
        ("o.csv", "x,y,z,m200c,r200c\n1,2,3,1e12,-0.1\n", ":2:r200c: .*got -0.1"),
    ],
)
def test_bad_text_catalogues(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=rf"(?s)o\.\w+.*{message}"):
        read_halos(tmp_path / name, HEADER)


def test_a_text_catalogue_needs_its_box(tmp_path):
    (tmp_path / "o.list").write_text(ROCKSTAR)
    with pytest.raises(DataError, match="the header of its snapshot"):
        read_halos(tmp_path / "o.list")
    with pytest.raises(DataError, match="no such file"):
        read_halos(tmp_path / "gone.csv", HEADER)
