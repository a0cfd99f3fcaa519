import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, write_snapshot

from emulator.fields import TARGETS, find_fields
from emulator.io import DataError, EmulatorError
from emulator.projection.blocks import parts_of
from emulator.projection.pair import (
    parts_by_kind,
    project_field,
    project_species,
    projection_labels,
)
from emulator.projection.twins import (
    require_halos_on_peaks,
    require_mean_density,
    require_pair,
    require_same_phases,
)
from emulator.readers.catalogs import Halos
from emulator.readers.snapshots import open_snapshot

BOX = BOX_KPCH / 1e3
MATTER = 0.3 * 2.77536627e11 * BOX**3
"""Mass of the matter in the box [Msun/h]."""


def family(folder, rng, sizes=(1500, 0, 700, 41)):
    """Gas in several files, one of them empty."""
    for i, size in enumerate(sizes):
        gas = {
            "Coordinates": rng.uniform(0, BOX_KPCH, (size, 3)).astype(np.float32),
            "Masses": rng.uniform(1, 2, size).astype(np.float32),
        }
        write_snapshot(
            folder / f"snap.{i}.hdf5",
            {0: gas} if size else {},
            n_files=len(sizes),
            totals=[sum(sizes), 0, 0, 0, 0, 0],
        )
    return open_snapshot(folder / "snap.hdf5")


@pytest.fixture
def gas(tmp_path, rng):
    return family(tmp_path, rng)


def maps_of(snapshot, kernel="cic", **options):
    options = {"n_pixels": 16, "block_particles": 100, **options}
    return project_species(parts_of(snapshot, 0), kernel=kernel, **options)


@pytest.mark.parametrize("kernel", ["ngp", "cic", "tsc", "adaptive"])
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_threads_sum_to_the_same_maps(gas, kernel, workers):
    one = maps_of(gas, kernel, slabs=2)
    many = maps_of(gas, kernel, slabs=2, workers=workers)
    # the adaptive width is read from a mesh in single precision
    np.testing.assert_allclose(many.maps, one.maps, rtol=1e-4 if kernel == "adaptive" else 1e-11)
    assert many.mass_particles_msunh == pytest.approx(one.mass_particles_msunh, rel=1e-12)
    assert one.mass_map_msunh == pytest.approx(one.mass_particles_msunh, rel=1e-12)


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_the_size_of_a_block_does_not_matter(gas, block):
    np.testing.assert_allclose(
        maps_of(gas, block_particles=block).maps, maps_of(gas).maps, rtol=1e-11
    )


@pytest.mark.slow
def test_processes_and_a_cluster_sum_to_the_same_maps(gas):
    from distributed import LocalCluster

    expected = maps_of(gas).maps
    processes = maps_of(gas, workers=2, scheduler="processes").maps
    np.testing.assert_allclose(processes, expected, rtol=1e-11)
    with LocalCluster(
        n_workers=2, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        shared = maps_of(gas, workers=2, scheduler=cluster.scheduler_address)
    np.testing.assert_allclose(shared.maps, expected, rtol=1e-11)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_fault_met_by_a_worker_is_told(gas, scheduler):
    with h5py.File(gas.paths[2], "r+") as handle:
        handle["PartType0/Coordinates"][650] = np.nan
    with pytest.raises(DataError, match=r"snap\.2\.hdf5:PartType0/Coordinates.*finite values"):
        maps_of(gas, workers=2, scheduler=scheduler)


def test_a_scheduler_that_does_not_answer(gas, monkeypatch):
    from emulator.projection import workers

    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    with pytest.raises(EmulatorError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9"):
        maps_of(gas, workers=2, scheduler="tcp://127.0.0.1:9")


def test_labels_of_slabs():
    assert projection_labels(1) == ("x", "y", "z")
    assert projection_labels(2) == ("x0", "x1", "y0", "y1", "z0", "z1")


def pair(folder, rng, *, particle_mass=None, **header):
    """A DMO snapshot and a hydro one with gas, stars, wind and black holes."""
    side = 16
    q = (np.indices((side,) * 3).reshape(3, -1).T + 0.5) * BOX_KPCH / side
    wave = 2 * np.pi / BOX_KPCH
    x = (q + 2000.0 * np.sin(wave * q[:, [1, 2, 0]])) % BOX_KPCH
    mass = MATTER / len(x) / 1e10 if particle_mass is None else particle_mass
    tables = {"dmo": mass, "hydro": 0.84 * mass}
    dmo = write_snapshot(
        folder / "dmo.hdf5",
        {1: {"Coordinates": x}},
        mass_table=(0, tables["dmo"], 0, 0, 0, 0),
        **header,
    )
    stars = x[:60]
    hydro = write_snapshot(
        folder / "hydro.hdf5",
        {
            0: {"Coordinates": x, "Masses": np.full(len(x), 0.15 * mass, np.float32)},
            1: {"Coordinates": x},
            4: {
                "Coordinates": stars,
                "Masses": np.full(60, 2.0, np.float32),
                "GFM_StellarFormationTime": np.where(np.arange(60) < 40, 0.5, 0.0),
            },
            5: {"Coordinates": x[:3], "Masses": np.full(3, 7.0, np.float32)},
        },
        mass_table=(0, tables["hydro"], 0, 0, 0, 0),
        **header,
    )
    return open_snapshot(dmo), open_snapshot(hydro)


@pytest.mark.parametrize(
    ("wind", "holes", "stars", "extra_gas"),
    [("gas", "ignore", 80, 40), ("stars", "ignore", 120, 0), ("gas", "stars", 101, 40)],
)
def test_what_wind_and_black_holes_count_as(tmp_path, rng, wind, holes, stars, extra_gas):
    dmo, hydro = pair(tmp_path, rng)
    kinds = parts_by_kind(hydro, wind=wind, black_holes=holes)
    options = {"n_pixels": 8, "kernel": "cic", "block_particles": 99}
    maps = {
        field.name: project_field(field, kinds[field.particles[0]], "hydro", **options)
        for field in find_fields(TARGETS)
    }
    gas = 0.15 * MATTER + extra_gas * 1e10
    assert maps["stars"].mass_map_msunh == pytest.approx(stars * 1e10, rel=1e-9)
    assert maps["gas"].mass_map_msunh == pytest.approx(gas, rel=1e-6)
    assert maps["dm_hydro"].mass_map_msunh == pytest.approx(0.84 * MATTER, rel=1e-9)
    own = project_species(parts_of(dmo, DARK_MATTER), **options)
    assert own.mass_map_msunh == pytest.approx(MATTER, rel=1e-9)


@pytest.mark.parametrize(
    ("header", "mass", "message"),
    [
        ({}, MATTER / 16**3 / 1e10, None),
        ({"BoxSize": 25.0}, None, "probably in Mpc/h, not kpc/h.*length_unit to 'Mpc/h'"),
        ({"BoxSize": 25.0 / 0.6711}, None, "probably in Mpc, not kpc/h"),
        ({"BoxSize": BOX_KPCH / 0.6711}, None, "probably in kpc, not kpc/h"),
        ({}, MATTER / 16**3, "masses are probably in Msun/h"),
        ({}, MATTER / 16**3 / 1e10 / 0.6711, "masses are probably in 1e10 Msun,"),
        ({"BoxSize": 2 * BOX_KPCH}, None, "a sub-box, an incomplete snapshot"),
        ({}, 0.84 * MATTER / 16**3 / 1e10, "a hydro run in place"),
        ({"BoxSize": 0.7 * BOX_KPCH}, None, "units of length or mass differ"),
    ],
)
def test_the_mean_density_tells_wrong_units(tmp_path, rng, header, mass, message):
    mass = MATTER / 16**3 / 1e10 if mass is None else mass
    if message is None:
        assert require_pair(*pair(tmp_path, rng, particle_mass=mass, **header)) == 0.049
    else:
        with pytest.raises(DataError, match=rf"(?s)dmo\.hdf5:PartType1.*{message}"):
            require_pair(*pair(tmp_path, rng, particle_mass=mass, **header))


def test_the_mean_density_of_masses_one_by_one(tmp_path, rng):
    dmo, _ = pair(tmp_path, rng)
    require_mean_density(dmo, 1.015 * MATTER)
    with pytest.raises(DataError, match=r"1\.03 times as much"):
        require_mean_density(dmo, 1.03 * MATTER)


def test_other_phases_are_refused(rng):
    field = rng.lognormal(0, 1, (3, 8, 8)).repeat(4, 1).repeat(4, 2)
    require_same_phases(field, field * rng.uniform(0.5, 1.5, field.shape), "hydro")
    with pytest.raises(DataError, match="other initial phases"):
        require_same_phases(field, rng.lognormal(0, 1, field.shape), "hydro")
    with pytest.raises(DataError, match="other initial phases"):
        require_same_phases(field, np.ones_like(field), "hydro")


def test_a_catalogue_of_another_box_is_refused(rng):
    dmo = rng.lognormal(0, 1, (50, 50))
    peaks = np.argwhere(dmo > np.quantile(dmo, 0.98))
    z = rng.uniform(0, BOX, len(peaks))
    place = np.column_stack([(peaks + 0.5) * 0.5, z])
    mass = rng.uniform(1e12, 1e14, len(peaks))
    require_halos_on_peaks(Halos(place, mass, mass), dmo, 0.5, "groups")
    with pytest.raises(DataError, match="groups: expected halos where the dark-matter-only map"):
        require_halos_on_peaks(Halos(place[:, [1, 0, 2]], mass, mass), dmo, 0.5, "groups")
    few = Halos(place[:9, [1, 0, 2]], mass[:9], mass[:9])
    require_halos_on_peaks(few, dmo, 0.5, "groups")
