"""From a snapshot of dark matter alone to the map that a model of its grid is painted on."""

import numpy as np
import pytest
from data_samples import BOX_KPCH, write_snapshot

from emulator.io import DataError
from emulator.model.card import Grid
from emulator.sampling.painting.snapshot import project_snapshot

BOX = BOX_KPCH / 1000.0
N_PIXELS = 16
MASS = 3.0  # 1e10 Msun/h
GRID = Grid(pixel_mpch=BOX / N_PIXELS, window=8, depth_mpch=BOX / 2, redshift=0.0, deposit="ngp")


@pytest.fixture
def particles():
    return np.random.default_rng(0).uniform(0.0, BOX_KPCH, (500, 3)).astype(np.float32)


@pytest.fixture
def snapshot(tmp_path, particles):
    table = (0.0, MASS, 0.0, 0.0, 0.0, 0.0)
    groups = {1: {"Coordinates": particles}}
    return write_snapshot(tmp_path / "s.hdf5", groups, mass_table=table, Redshift=0.0)


@pytest.mark.parametrize("label", ["x0", "x1", "y0", "y1", "z0", "z1"])
def test_it_is_the_mass_of_the_particles_in_each_pixel_of_the_slab(snapshot, particles, label):
    """Brute force: a histogram of the particles of one half of the box."""
    axis, slab = "xyz".index(label[0]), int(label[1])
    rows, columns = (other for other in range(3) if other != axis)
    inside = particles[:, axis] // (BOX_KPCH / 2) == slab
    edges = np.linspace(0.0, BOX_KPCH, N_PIXELS + 1)
    counts, *_ = np.histogram2d(
        particles[inside, rows], particles[inside, columns], bins=(edges, edges)
    )
    found = project_snapshot(snapshot, GRID, label)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, counts * MASS * 1e10, rtol=1e-6)


def test_the_first_projection_is_the_default(snapshot):
    np.testing.assert_array_equal(
        project_snapshot(snapshot, GRID), project_snapshot(snapshot, GRID, "x0")
    )


def test_a_box_of_another_size_than_the_trainings_has_more_pixels(snapshot):
    finer = GRID.model_copy(update={"pixel_mpch": BOX / 32, "depth_mpch": BOX})
    assert project_snapshot(snapshot, finer, "y").shape == (32, 32)


@pytest.mark.parametrize(
    ("change", "label", "said"),
    [
        ({"redshift": 1.0}, None, r"redshift: expected 1 as the model was trained, got 0"),
        ({"pixel_mpch": BOX / 16.5}, None, r"pixel_mpch: expected a box of a multiple of"),
        ({"depth_mpch": 2 * BOX}, None, r"depth_mpch: expected a box of a multiple of"),
        ({"deposit": None}, None, r"knows the kernel of its maps"),
        ({}, "z", r"projection: expected 'z', got only x0, x1"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(snapshot, change, label, said):
    with pytest.raises(DataError, match=said):
        project_snapshot(snapshot, GRID.model_copy(update=change), label)


def test_a_hydrodynamic_snapshot_is_refused(tmp_path, particles):
    table = (1.0, MASS, 0.0, 0.0, 0.0, 0.0)
    groups = {0: {"Coordinates": particles}, 1: {"Coordinates": particles}}
    path = write_snapshot(tmp_path / "h.hdf5", groups, mass_table=table, Redshift=0.0)
    with pytest.raises(DataError, match=r"dark matter alone, got 500 particles of gas"):
        project_snapshot(path, GRID)
