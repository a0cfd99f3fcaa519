"""Compton y: against a uniform box in closed form, and sums over particles."""

import h5py
import numpy as np
import pytest
from data_samples import damage, write_snapshot, write_swift

from emulator.fields import FIELDS, Field
from emulator.io import DataError
from emulator.projection.pair import parts_by_kind, parts_for, project_field
from emulator.readers.snapshots import open_snapshot
from emulator.suites.pair_checks import require_properties

BOX_KPCH, H, X_H = 25_000.0, 0.6711, 0.76
Y = FIELDS["compton_y"]
# CODATA and IAU, in cgs
THOMSON, BOLTZMANN, ELECTRON_REST = 6.6524587e-25, 1.380649e-16, 8.1871058e-7
PROTON, MPC, MSUN = 1.67262192e-24, 3.0856776e24, 1.98841e33


def project(snapshot, field=Y, **options):
    kinds = parts_by_kind(snapshot, wind="gas", black_holes="ignore")
    defaults = {"n_pixels": 4, "kernel": "ngp", "block_particles": 999}
    return project_field(field, parts_for(field, kinds), "s", **(defaults | options))


def kelvin(energy, electrons):
    mu = 4 / (1 + 3 * X_H + 4 * X_H * electrons)
    return 2 / 3 * energy * 1e10 * mu * PROTON / BOLTZMANN


def areas(mass_msun, energy, electrons):
    """Y of each particle [cm^2]."""
    n_electrons = electrons * X_H * mass_msun * MSUN / PROTON
    return THOMSON * BOLTZMANN / ELECTRON_REST * n_electrons * kelvin(energy, electrons)


@pytest.mark.parametrize("redshift", [0.0, 1.0])
@pytest.mark.parametrize("slabs", [1, 2])
@pytest.mark.parametrize("kernel", ["ngp", "adaptive"])
def test_a_uniform_box(tmp_path, redshift, slabs, kernel):
    """``y = sigma_T k_B T n_e L / m_e c^2``: ``n_e`` grows with (1+z)^3, ``L`` shrinks with 1+z."""
    side, mass, energy, electrons = 16, 2.5, 3.0e3, 1.1
    lattice = (np.indices((side,) * 3).reshape(3, -1).T + 0.5) * (BOX_KPCH / side)
    full = np.ones(len(lattice))
    gas = {"Coordinates": lattice, "Masses": mass * full, "InternalEnergy": energy * full,
           "ElectronAbundance": electrons * full}  # fmt: skip
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas}, Redshift=redshift)
    maps = project(open_snapshot(path), slabs=slabs, kernel=kernel).maps
    length = BOX_KPCH / 1e3 / H / (1 + redshift) * MPC
    density = mass * 1e10 / H * MSUN * side**3 / length**3
    n_e = electrons * X_H * density / PROTON
    tau = THOMSON * n_e * length / slabs
    expected = tau * BOLTZMANN * kelvin(energy, electrons) / ELECTRON_REST
    np.testing.assert_allclose(maps, expected, rtol=1e-6)


def test_it_adds_up_over_particles(tmp_path, rng):
    n = 3000
    gas = {
        "Coordinates": rng.uniform(0, BOX_KPCH, (n, 3)),
        "Masses": rng.uniform(0.5, 2.0, n),
        "InternalEnergy": rng.lognormal(5, 1, n),
        "ElectronAbundance": rng.uniform(0, 1.2, n),
    }
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {0: gas}, Redshift=0.5))
    each = areas(gas["Masses"] * 1e10 / H, gas["InternalEnergy"], gas["ElectronAbundance"])
    pixel = BOX_KPCH / 1e3 / 4 / H / 1.5 * MPC
    cells = np.floor(gas["Coordinates"][:, :2] / BOX_KPCH * 4).astype(int)
    expected = np.zeros((4, 4))
    np.add.at(expected, tuple(cells.T), each / pixel**2)
    np.testing.assert_allclose(project(snapshot).maps[2], expected, rtol=1e-6)
    one, two = (project(snapshot, n_pixels=p, workers=w).maps for p, w in ((64, 1), (64, 2)))
    np.testing.assert_allclose(one, two, rtol=1e-12)
    # pixels without particles are no error here: there is nothing in them
    assert (one == 0).any()
    assert one.mean() == pytest.approx(expected.mean(), rel=1e-6)


def test_what_swift_writes_of_it(tmp_path, rng):
    """FLAMINGO's ``ComptonYParameters`` are physical areas in its unit of length, here Mpc."""
    gas = {
        "Coordinates": rng.uniform(0, 30.0, (500, 3)),
        "Masses": np.ones(500),
        "ComptonYParameters": rng.lognormal(-20, 1, 500),
    }
    path = tmp_path / "swift.hdf5"
    write_swift(path, {0: gas})
    maps = project(open_snapshot(path), n_pixels=1).maps
    expected = gas["ComptonYParameters"].sum() / (30.0 / 1.5) ** 2
    np.testing.assert_allclose(maps, expected, rtol=1e-6)


@pytest.mark.parametrize(("data", "number"), [("realdata", 8), ("larger_realdata", 5)])
def test_real_particles(data, number, request, tmp_path):
    """Temperature and y of a real file of TNG50-4: direct sums over its gas, in cgs units."""
    folder = request.getfixturevalue(data) / "tng50-4_subbox0_snap2332"
    source = folder / f"snap_2332.{number}.hdf5"
    path = tmp_path / "snap.hdf5"
    path.write_bytes(source.read_bytes())
    with h5py.File(path, "r+") as handle:
        header, gas = handle["Header"].attrs, handle["PartType0"]
        header["NumFilesPerSnapshot"] = 1
        header["NumPart_Total"] = header["NumPart_ThisFile"]
        h, side = float(header["HubbleParam"]), float(header["BoxSize"]) / 1e3
        mass, energy, electrons = (
            gas[name][:].astype(float) for name in ("Masses", "InternalEnergy", "ElectronAbundance")
        )
    snapshot = open_snapshot(path)
    maps = project(snapshot, n_pixels=1).maps
    each = areas(mass * 1e10 / h, energy, electrons)
    np.testing.assert_allclose(maps, each.sum() / (side / h * MPC) ** 2, rtol=1e-5)
    mean = project(snapshot, FIELDS["gas_temperature"], n_pixels=1).maps
    expected = np.average(kelvin(energy, electrons), weights=mass)
    np.testing.assert_allclose(mean, expected, rtol=1e-5)
    assert 1e4 < expected < 1e7


@pytest.mark.parametrize("name", ["InternalEnergy", "ElectronAbundance"])
@pytest.mark.parametrize("field", ["compton_y", "gas_temperature"])
def test_a_snapshot_without_thermodynamics(tmp_path, rng, name, field):
    gas = {"Coordinates": rng.uniform(0, BOX_KPCH, (10, 3)), "Masses": np.ones(10),
           "InternalEnergy": np.ones(10), "ElectronAbundance": np.ones(10)}  # fmt: skip
    del gas[name]
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {0: gas}))
    words = rf"PartType0/{name}: expected a dataset, got only .*data\.fields asks"
    with pytest.raises(DataError, match=words):
        project(snapshot, FIELDS[field], n_pixels=1)
    with pytest.raises(DataError, match=words):
        require_properties(snapshot, FIELDS[field])


def test_negative_energies_are_no_gas(tmp_path, rng):
    gas = {"Coordinates": rng.uniform(0, BOX_KPCH, (10, 3)), "Masses": np.ones(10),
           "InternalEnergy": np.ones(10), "ElectronAbundance": np.ones(10)}  # fmt: skip
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    damage(path, lambda handle: handle["PartType0/InternalEnergy"].__setitem__(3, -1.0))
    with pytest.raises(DataError, match="y zero or more"):
        project(open_snapshot(path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean_of": "temperature"}, "not both"),
        ({"unit": "K"}, "is in 1, not in K"),
        ({"share": "baryons"}, "sum of compton_y is no share"),
    ],
)
def test_what_a_sum_cannot_be(change, words):
    row = {"name": "y", "label": "y", "unit": "1", "particles": ("gas",), "sum_of": "compton_y"}
    assert not Field(**row).adds_up
    with pytest.raises(ValueError, match=words):
        Field(**(row | change))
