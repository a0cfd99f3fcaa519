"""Contiguous HDF5 into maps: the rate against those of reading alone and of depositing alone."""

import tempfile
from pathlib import Path

import h5py
import numpy as np

from analysis.benchmarks.data.files import write_pair
from analysis.benchmarks.data.memory import peak_bytes
from analysis.benchmarks.data.timing import best_seconds
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.projection.blocks import parts_of, read_blocks
from emulator.projection.deposit import deposit_maps, padded_shape
from emulator.projection.pair import project_species
from emulator.readers.snapshots import DARK_MATTER, Snapshot, open_snapshot

N_PIXELS, BLOCK = 1024, 1_048_576
_SLACK = 200e6


def measure() -> list[Measurement]:
    """All of this section: a minute."""
    rows, bars = [], []
    for side in (128, 256):
        with tempfile.TemporaryDirectory() as folder:
            dmo, _ = write_pair(Path(folder), side, star_share=0.01)
            read, put, both, shared = (side**3 / seconds / 1e6 for seconds in _seconds(dmo))
            memory = peak_bytes(project, dmo)
        grid = np.prod(padded_shape(3, N_PIXELS)) * 8
        allowed = float(grid + BLOCK * (3 * 4 + 8) + _SLACK)
        name = f"{side}^3"
        slower = min(read, put)
        bars.append(Bar(f"{name}: rate over the slower of its parts", both / slower, 0.8, INFINITY))
        bars.append(Bar(f"{name}: peak memory [MB]", memory / 1e6, -INFINITY, allowed / 1e6))
        rows.append([name, f"{read:.0f}", f"{put:.0f}", f"{both:.0f}", f"{shared:.0f}",
                     f"{memory / 1e6:.0f}"])  # fmt: skip
    note = (
        f"Dark matter of a file in the page cache (float32 positions), to three maps of "
        f"{N_PIXELS}^2, CIC, blocks of {BLOCK} particles. The bar on memory is the grids, one "
        "block and 200 MB."
    )
    header = ["particles", "reading alone [M/s]", "depositing alone [M/s]", "both [M/s]",
              "both, two threads [M/s]", "peak memory [MB]"]  # fmt: skip
    return [Measurement("Reading", note, bars, header, rows)]


def _seconds(path: Path) -> tuple[float, float, float, float]:
    snapshot = open_snapshot(path)
    part = parts_of(snapshot, DARK_MATTER)[0]
    blocks = [block._replace(position=block.position.copy()) for block in read_blocks(part, BLOCK)]
    grids = np.zeros(padded_shape(3, N_PIXELS))
    return (
        best_seconds(lambda: _read(path)),
        best_seconds(lambda: [deposit_maps(block, grids, "cic") for block in blocks]),
        best_seconds(lambda: _project(snapshot, 1)),
        best_seconds(lambda: _project(snapshot, 2)),
    )


def _read(path: Path) -> None:
    with h5py.File(path) as handle:
        dataset = handle["PartType1/Coordinates"]
        buffer = np.empty((BLOCK, 3), dataset.dtype)
        for start in range(0, len(dataset), BLOCK):
            stop = min(start + BLOCK, len(dataset))
            dataset.read_direct(buffer[: stop - start], np.s_[start:stop])


def _project(snapshot: Snapshot, workers: int) -> None:
    project_species(
        parts_of(snapshot, DARK_MATTER),
        n_pixels=N_PIXELS,
        kernel="cic",
        block_particles=BLOCK,
        workers=workers,
    )


def project(path: Path, *, warm_up: bool) -> None:
    """Project the dark matter, or a thousand particles of it on 16 pixels."""
    parts = parts_of(open_snapshot(path), DARK_MATTER)
    if warm_up:
        parts = [parts[0].split_at(1000)[0]]
    project_species(
        parts, n_pixels=16 if warm_up else N_PIXELS, kernel="cic", block_particles=BLOCK
    )
