"""The temperature of the surrogate: its formula, what it leaves alone, and that maps show it."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from emulator.config import DataConfig, DesignConfig, EmbeddedSuite
from emulator.fields import FIELDS
from emulator.simulate.halos import HaloTable
from emulator.simulate.neighbourhood import DarkMatterRun, Members
from emulator.simulate.simulate import simulate_run
from emulator.simulate.tables import write_tables
from emulator.simulate.thermodynamics import (
    GAMMA,
    MEAN_WEIGHT,
    PROTON_OVER_BOLTZMANN,
    heat,
    polytrope,
    relative_density,
    virial_temperature,
)
from emulator.suites import build_suite

SUITE = EmbeddedSuite(
    n_particles=16, mesh=32, n_steps=8, design=DesignConfig(sb_runs=0, cv_runs=1, be_draws=1)
)
HEATED = SUITE.model_copy(update={"thermodynamics": True})
ONE = {"A_SN1": 1.0, "A_AGN1": 1.0, "A_SN2": 1.0, "A_AGN2": 1.0}
THERMAL = {"InternalEnergy", "ElectronAbundance"}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = tuple(tmp_path_factory.mktemp(name) for name in ("cold", "hot"))
    for suite, folder in zip((SUITE, HEATED), folders, strict=True):
        write_tables(suite, folder)
        simulate_run(suite, "CV0", folder)
    return folders[0], folders[1]


def datasets(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as handle:
        handle.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def test_nothing_else_in_a_snapshot_changes(roots: tuple[Path, Path]) -> None:
    for name in ("CV_0", "BE_0"):
        cold, hot = (datasets(SUITE.path("hydro_snapshot", root, name)) for root in roots)
        assert set(hot) - set(cold) == {f"PartType0/{key}" for key in THERMAL}
        assert all(hot[key].tobytes() == values.tobytes() for key, values in cold.items())
        more = sum(hot[f"PartType0/{key}"].nbytes for key in THERMAL)
        assert more == 8 * SUITE.n_particles**3
    for kind in ("dmo_snapshot", "dmo_catalogue"):
        cold, hot = (SUITE.path(kind, root, "CV_0").read_bytes() for root in roots)
        assert cold == hot


def test_maps_of_masses_are_the_same_bits_and_two_fields_more(roots: tuple[Path, Path]) -> None:
    data = DataConfig(n_pixels=16, window=8, context_factors=(2,))
    wider = data.model_copy(update={"fields": (*data.fields, "gas_temperature", "compton_y")})
    cold = build_suite(SUITE, roots[0]).read_maps(data, "CV_0").values
    hot = build_suite(HEATED, roots[1]).read_maps(wider, "CV_0").values
    assert hot[:, :4].tobytes() == cold.tobytes()
    gas, kelvin, y = (hot[:, i] for i in (2, 4, 5))
    assert 3.0e3 < kelvin.min() < kelvin.max() < 1.0e9
    # y of a pixel is its electrons times their temperature: exactly, as all gas is as ionised
    ratio = y / (gas * kelvin)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)


def test_another_baryon_seed_heats_otherwise(roots: tuple[Path, Path]) -> None:
    energies = [
        datasets(SUITE.path("hydro_snapshot", roots[1], name))["PartType0/InternalEnergy"]
        for name in ("CV_0", "BE_0")
    ]
    assert not np.array_equal(*energies)


class Gas:
    """What :func:`heat` reads of a hydro outcome."""

    def __init__(self, gas: np.ndarray) -> None:
        self.gas = gas


def universe(n_side: int = 12, box: float = 25.0) -> tuple[DarkMatterRun, np.ndarray]:
    """A lattice, with one halo that owns its first 600 particles, all at x = 1/2."""
    lattice = (np.indices((n_side,) * 3).reshape(3, -1).T + 0.5) * (box / n_side)
    halos = HaloTable(np.full((1, 3), 12.5), np.array([1e14]), np.array([1.0]), np.array([600]))
    own = np.arange(600)
    members = Members(own, np.array([0, 600]), np.zeros((600, 3)), np.full(600, 0.5))
    run = DarkMatterRun(box, lattice, 1e9, halos, members, np.zeros(1))
    gas = lattice.copy()
    gas[own] = 12.5 + np.array([0.5, 0.0, 0.0])
    return run, gas


def kelvin_of(run: DarkMatterRun, gas: np.ndarray, seed: int = 1, **params: float) -> np.ndarray:
    found = heat(run, Gas(gas), ONE | params, (3, seed))  # type: ignore[arg-type]
    return found.internal_energy * (GAMMA - 1) * MEAN_WEIGHT * PROTON_OVER_BOLTZMANN


def test_the_virial_temperature_is_that_of_a_cluster() -> None:
    """``k_B T = mu m_p G M / 2 R``: 1e14 Msun/h with R200c of its density, in SI units."""
    mass, h = 1e14, 0.6711
    radius = (mass / (4 / 3 * np.pi * 200 * 2.77536627e11)) ** (1 / 3)
    joule = 0.5 * MEAN_WEIGHT * 1.67262192e-27 * 6.6743e-11
    joule *= mass / h * 1.98841e30 / (radius / h * 3.0856776e22)
    kelvin = virial_temperature(mass, radius)
    assert kelvin == pytest.approx(joule / 1.380649e-23, rel=1e-3)


def test_halo_gas_is_a_polytrope_and_the_rest_follows_its_density() -> None:
    run, gas = universe()
    kelvin = kelvin_of(run, gas)
    expected = virial_temperature(1e14, 1.0) * polytrope(np.array([0.5]), 5.71 * 50**-0.084)[0]
    # the scatter of the halo is common: that of its particles, 0.2, leaves the median
    assert np.std(np.log(kelvin[:600])) == pytest.approx(0.2, abs=0.02)
    seeds = [np.median(kelvin_of(run, gas, seed)[:600]) for seed in range(1, 41)]
    assert np.mean(np.log(seeds)) == pytest.approx(np.log(expected), abs=0.15)
    assert np.std(np.log(seeds)) == pytest.approx(0.25, abs=0.08)
    free = np.flatnonzero(relative_density(gas, 25.0) < 1.5)
    free = free[free >= 600]
    density = np.clip(relative_density(gas, 25.0)[free], 0.1, 1000)
    scatter = np.log(kelvin[free] / (1e4 * density**0.6))
    assert np.mean(scatter) == pytest.approx(0.0, abs=0.03)
    assert np.std(scatter) == pytest.approx(0.2, abs=0.02)


def test_feedback_heats_by_the_stated_powers_with_the_same_numbers() -> None:
    run, gas = universe()
    kelvin = kelvin_of(run, gas)
    winds = kelvin_of(run, gas, A_SN1=4.0, A_SN2=0.5)
    np.testing.assert_allclose(winds[600:], kelvin[600:] * 4.0**0.1 * 0.5**0.15, rtol=1e-12)
    agn = kelvin_of(run, gas, A_AGN1=0.25, A_AGN2=2.0)
    np.testing.assert_array_equal(agn[600:], kelvin[600:])
    igm = kelvin_of(run, gas, A_AGN1=1e-300)[:600]
    np.testing.assert_allclose(
        (agn - kelvin)[:600], (kelvin[:600] - igm) * (0.25**0.1 * 2.0**0.15 - 1.0), rtol=1e-6
    )


def test_the_density_of_a_lattice_is_one() -> None:
    box = 25.0
    lattice = (np.indices((12,) * 3).reshape(3, -1).T + 0.5) * (box / 12)
    np.testing.assert_allclose(relative_density(lattice - 3 * box, box), 1.0, rtol=1e-5)


def test_a_row_of_the_table_is_made_only_of_what_is_written() -> None:
    for name in ("gas_temperature", "compton_y"):
        assert "suite.thermodynamics: true" in str(SUITE.lacks(FIELDS[name]))
        assert HEATED.lacks(FIELDS[name]) is None
