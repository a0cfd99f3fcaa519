"""Batches are the same from memory or disk, in one process or several, after a resume or not."""

import fabricated
import numpy as np
import pytest
import torch
from fitted import fit
from torch.utils.data import DataLoader

from emulator.config import ModelConfig
from emulator.data.dataset import StepSampler, corner_stride, window_weights
from emulator.data.maps import read_maps
from emulator.model.windows import windows_for

WINDOW = 16


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    for simulation in fabricated.simulations(n_train=2, n_cv=0):
        fabricated.write_maps(folder, simulation)
    return sorted(folder.glob("*.h5"))


@pytest.fixture(scope="module")
def normalisation(paths):
    return fit(paths, ModelConfig(params=("Omega_m", "A_SN1")), (2, 4))


def dataset(paths, normalisation, *, lazy=False):
    maps = [read_maps(path, lazy=lazy) for path in paths]
    return windows_for(normalisation, maps, window=WINDOW, batch_size=4, seed=5, mass_tilt=1.0)


def batches(source, n_workers, first=0, last=6, *, context="fork"):
    loader = DataLoader(
        source, batch_size=None, sampler=StepSampler(last - first, lambda: first),
        num_workers=n_workers, multiprocessing_context=context if n_workers else None,
    )  # fmt: skip
    return list(loader)


def assert_equal(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        flat = [(*batch.condition, batch.target) for batch in (one, other)]
        assert all(torch.equal(a, b) for a, b in zip(*flat, strict=True))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("n_workers", [0, 2])
def test_where_batches_are_made_does_not_matter(paths, normalisation, lazy, n_workers):
    reference = [dataset(paths, normalisation)[step] for step in range(6)]
    source = dataset(paths, normalisation, lazy=lazy)
    source[0]  # the parent reads before it forks
    assert_equal(batches(source, n_workers), reference)
    # resumed in the middle
    assert_equal(batches(source, n_workers, first=3), reference[3:])


@pytest.mark.slow
def test_lazy_maps_go_to_processes_that_share_nothing(paths, normalisation):
    source = dataset(paths, normalisation, lazy=True)
    reference = [source[step] for step in range(2)]
    assert_equal(batches(source, 1, last=2, context="spawn"), reference)


def test_weights_are_masses_of_windows(paths):
    maps = read_maps(paths[0])
    stride = corner_stride(maps, WINDOW)
    assert stride == 4
    weights = window_weights(maps, WINDOW, 1.0).reshape(3, 16, 16)
    for projection, row, col in ((0, 0, 0), (1, 3, 9), (2, 15, 14)):
        rows, cols = (np.arange(c * stride, c * stride + WINDOW) % 64 for c in (row, col))
        mass = maps.maps[projection, 0][np.ix_(rows, cols)].sum(dtype=np.float64)
        assert weights[projection, row, col] == pytest.approx(mass, rel=1e-6)
    assert (window_weights(maps, WINDOW, 0.0) == 1).all()


@pytest.mark.parametrize(("window", "stride"), [(16, 4), (32, 8), (12, 2), (6, 1), (2, 1)])
def test_corners_divide_map_and_window(paths, window, stride):
    maps = read_maps(paths[0])
    assert corner_stride(maps, window) == stride
    n_weights = len(window_weights(maps, window, 1.0))
    assert n_weights == 3 * (64 // stride) ** 2


def test_windows_fall_as_their_weights_say(paths, normalisation):
    """Mean mass of drawn windows is that of the weights, whatever the tilt."""
    maps = read_maps(paths[0])
    for tilt in (0.0, 2.0):
        source = windows_for(
            normalisation, [maps], window=WINDOW, batch_size=2000, seed=1, mass_tilt=tilt
        )
        mass = window_weights(maps, WINDOW, 1.0)
        share = window_weights(maps, WINDOW, tilt)
        expected = np.average(mass, weights=share)
        found = source[0].condition.field.double().sum((1, 2)).mean()
        # jitter below the stride averages the masses of neighbouring corners
        assert float(found) == pytest.approx(expected, rel=0.04)
