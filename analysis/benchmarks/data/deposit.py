"""CIC deposit of 16.8 million particles to a 1024 x 1024 map, against Pylians."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.data.particles import BOX_MPCH, displaced_lattice, snapshot_like
from analysis.benchmarks.data.timing import best_seconds
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.projection.blocks import Block
from emulator.projection.deposit import deposit_maps, padded_shape, without_ghosts

try:
    import MAS_library as pylians
except ImportError:
    pylians = None

N_PIXELS = 1024
_BLOCK = 1_048_576


def measure() -> list[Measurement]:
    """All of this section: about two minutes."""
    lattice = displaced_lattice(256)
    orders = {
        "snapshot-like": snapshot_like(lattice),
        "lattice": lattice,
        "random": np.random.default_rng(1).permutation(lattice),
    }
    mass = np.random.default_rng(2).uniform(0.5, 1.5, len(lattice)).astype(np.float32)
    rows, rates, ratios, threads = [], {}, {}, {}
    for order, position in orders.items():
        rates[order] = len(mass) / best_seconds(partial(ours, position, mass)) / 1e6
        threads[order] = len(mass) / best_seconds(partial(two_threads, position, mass)) / 1e6
        all_axes = len(mass) / best_seconds(partial(ours, position, mass, axes=(0, 1, 2))) / 1e6
        peer = peer_rate(position, mass)
        ratios[order] = rates[order] / peer if peer else float("nan")
        rows.append([order, f"{rates[order]:.0f}", f"{threads[order]:.0f}", f"{all_axes:.0f}",
                     f"{peer:.0f}" if peer else "not installed",
                     f"{ratios[order]:.2f}"])  # fmt: skip
    found = ours(orders["random"], mass)
    exact = float(mass.sum(dtype=np.float64))
    scaling = threads["snapshot-like"] / rates["snapshot-like"]
    bars = [
        Bar(f"{order} order: rate over Pylians' MA, one core", ratios[order], wanted, INFINITY)
        for order, wanted in (("snapshot-like", 3.0), ("random", 2.0))
    ]
    bars += [
        Bar("snapshot-like order: two threads over one", scaling, 1.7, INFINITY),
        Bar("mass lost or gained", abs(found.sum() / exact - 1.0), -INFINITY, 1e-12),
    ]
    if pylians is not None:
        bars.append(
            Bar("largest difference from Pylians, in means", difference(mass), -INFINITY, 1e-5)
        )
    header = ["order", "one thread [M/s]", "two threads [M/s]", "three axes [M/s]",
              "Pylians [M/s]", "ratio"]  # fmt: skip
    note = (
        "Million particles a second, positions (n, 3) and masses in float32, one axis unless said. "
        "Ours checks every coordinate and mass and accumulates in float64; Pylians gets (n, 2) "
        "positions that were copied beforehand, and accumulates in float32."
    )
    return [Measurement("Deposit", note, bars, header, rows)]


def ours(
    position: NDArray[np.float32], mass: NDArray[np.float32], *, axes: tuple[int, ...] = (2,)
) -> NDArray[np.float64]:
    """Deposit block by block, as a projection does."""
    return without_ghosts(_accumulate(position, mass, axes))


def _accumulate(
    position: NDArray[np.float32], mass: NDArray[np.float32], axes: tuple[int, ...] = (2,)
) -> NDArray[np.float64]:
    grids = np.zeros(padded_shape(len(axes), N_PIXELS))
    for start in range(0, len(mass), _BLOCK):
        chosen = slice(start, start + _BLOCK)
        block = Block(position[chosen], mass[chosen], BOX_MPCH, 1.0, "benchmark")
        deposit_maps(block, grids, "cic", axes=axes)
    return grids


def two_threads(position: NDArray[np.float32], mass: NDArray[np.float32]) -> NDArray[np.float64]:
    """Half of the particles each, on grids of their own."""
    half = len(mass) // 2
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            _accumulate, (position[:half], position[half:]), (mass[:half], mass[half:])
        )
        return without_ghosts(first + second)


def peer_rate(position: NDArray[np.float32], mass: NDArray[np.float32]) -> float:
    """Million particles a second of Pylians; 0 if it is not installed."""
    if pylians is None:
        return 0.0
    flat, grid = _flat(position), np.zeros((N_PIXELS, N_PIXELS), np.float32)
    seconds = best_seconds(lambda: pylians.MA(flat, grid, BOX_MPCH, "CIC", W=mass, verbose=False))
    return len(mass) / seconds / 1e6


def difference(mass: NDArray[np.float32]) -> float:
    """Largest difference between the two maps, in units of the mean pixel.

    Pylians centres its pixel ``i`` on ``i``, not on ``i + 1/2``. Positions are multiples of 2^-13
    pixels, so that shifting them by half a pixel rounds nothing.
    """
    pixels = np.random.default_rng(3).integers(0, N_PIXELS << 13, (len(mass), 3)) / 8192.0
    grids = np.zeros(padded_shape(1, N_PIXELS))
    block = Block(pixels.astype(np.float32), mass, float(N_PIXELS), 1.0, "benchmark")
    deposit_maps(block, grids, "cic", axes=(2,))
    found = without_ghosts(grids)[0]
    grid = np.zeros((N_PIXELS, N_PIXELS), np.float32)
    moved = ((pixels[:, :2] - 0.5) % N_PIXELS).astype(np.float32)
    pylians.MA(moved, grid, float(N_PIXELS), "CIC", W=mass, verbose=False)
    return float(np.abs(found - grid).max() / found.mean())


def _flat(position: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(position[:, :2])
