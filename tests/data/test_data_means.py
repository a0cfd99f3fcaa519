"""Fields that are mass-weighted means of a property of particles: against sums over particles."""

import numpy as np
import pytest
from data_samples import write_snapshot

from emulator.fields import FIELDS, Field
from emulator.io import DataError
from emulator.projection.pair import parts_by_kind, project_field
from emulator.readers.snapshots import open_snapshot

BOX, N, PIXELS = 25_000.0, 4000, 4
METALS = Field(
    name="metals", label="metallicity", unit="1", particles=("gas",), mean_of="GFM_Metallicity",
    transform="log", floor=1e-6,
)  # fmt: skip
VELOCITY = Field(
    name="velocity", label="velocity", unit="km/s", particles=("gas", "dark_matter"),
    mean_of="Vx", signed=True, transform="asinh", floor=10.0,
)  # fmt: skip


@pytest.fixture
def hydro(tmp_path, rng):
    def particles(**properties):
        return {
            "Coordinates": rng.uniform(0, BOX, (N, 3)),
            "Masses": rng.uniform(0.5, 2.0, N),
            "Vx": rng.normal(0, 100, N),
        } | properties

    gas = particles(
        GFM_Metallicity=rng.lognormal(-4, 1, N),
        InternalEnergy=rng.lognormal(5, 1, N),
        ElectronAbundance=rng.uniform(0, 1.2, N),
    )
    groups = {0: gas, 1: particles(), 4: {"Coordinates": np.ones((1, 3)), "Masses": np.ones(1)}}
    return open_snapshot(write_snapshot(tmp_path / "s.hdf5", groups)), groups


def project(snapshot, field, **options):
    kinds = parts_by_kind(snapshot, wind="gas", black_holes="ignore")
    parts = [part for kind in field.particles for part in kinds[kind]]
    defaults = {"n_pixels": PIXELS, "kernel": "ngp", "block_particles": 999}
    return project_field(field, parts, "s", **(defaults | options))


def mean_by_hand(groups, values):
    """Mean along z of each pixel, weighted by mass."""
    position = np.concatenate([group["Coordinates"] for group in groups])
    mass = np.concatenate([group["Masses"] for group in groups])
    cells = np.floor(position[:, :2] / BOX * PIXELS).astype(int)
    weighted, total = np.zeros((2, PIXELS, PIXELS))
    np.add.at(weighted, tuple(cells.T), mass * np.concatenate(values))
    np.add.at(total, tuple(cells.T), mass)
    return weighted / total


def test_a_dataset_is_averaged_by_mass(hydro):
    snapshot, groups = hydro
    maps = project(snapshot, METALS).maps
    expected = mean_by_hand([groups[0]], [groups[0]["GFM_Metallicity"]])
    np.testing.assert_allclose(maps[2], expected, rtol=1e-6)


def test_signed_means_of_several_kinds_of_particles(hydro):
    snapshot, groups = hydro
    maps = project(snapshot, VELOCITY).maps
    both = [groups[0], groups[1]]
    expected = mean_by_hand(both, [group["Vx"] for group in both])
    np.testing.assert_allclose(maps[2], expected, rtol=1e-6, atol=1e-6)
    assert (maps < 0).any()


def test_the_temperature_of_an_ideal_gas(hydro):
    """Two thirds of the energy per particle: T = 2/3 u mu m_p / k_B."""
    snapshot, groups = hydro
    gas = groups[0]
    mu = 4 / (1 + 3 * 0.76 + 4 * 0.76 * gas["ElectronAbundance"])
    kelvin = 2 / 3 * gas["InternalEnergy"] * 1e10 * mu * 1.67262192e-24 / 1.380649e-16
    maps = project(snapshot, FIELDS["gas_temperature"]).maps
    np.testing.assert_allclose(maps[2], mean_by_hand([gas], [kelvin]), rtol=1e-6)


@pytest.mark.parametrize("kernel", ["cic", "tsc", "adaptive"])
def test_the_mean_of_a_constant_is_that_constant(hydro, kernel):
    snapshot, groups = hydro
    path = snapshot.paths[0]
    groups[0]["GFM_Metallicity"] = np.full(N, 0.02)
    snapshot = open_snapshot(write_snapshot(path, groups))
    maps = project(snapshot, METALS, kernel=kernel, n_pixels=8).maps
    np.testing.assert_allclose(maps, 0.02, rtol=1e-6)


def test_workers_share_a_mean(hydro):
    snapshot, _ = hydro
    one, two = (project(snapshot, METALS, workers=n).maps for n in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_a_pixel_without_particles_has_no_mean(hydro):
    with pytest.raises(DataError, match=r"pixels without.*deposit: adaptive, or fewer"):
        project(hydro[0], METALS, n_pixels=256)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda gas: gas.pop("GFM_Metallicity"), "GFM_Metallicity: expected a dataset"),
        (
            lambda gas: gas.update(GFM_Metallicity=np.ones((N, 3))),
            r"one number a particle, \(4000,\)",
        ),
        (lambda gas: gas["GFM_Metallicity"].__setitem__(7, np.nan), "finite values"),
    ],
)
def test_a_property_that_is_none(hydro, change, words):
    snapshot, groups = hydro
    change(groups[0])
    with pytest.raises(DataError, match=words):
        project(open_snapshot(write_snapshot(snapshot.paths[0], groups)), METALS)
