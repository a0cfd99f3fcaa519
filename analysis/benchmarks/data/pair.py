"""One pair of the size of CAMELS L25n256: all species, three axes, 1024 x 1024."""

import tempfile
from functools import partial
from pathlib import Path

from analysis.benchmarks.data.files import write_pair
from analysis.benchmarks.data.memory import peak_bytes
from analysis.benchmarks.data.timing import best_seconds
from analysis.benchmarks.tables import Measurement
from emulator.fields import CONDITION, TARGETS, find_fields
from emulator.projection.blocks import parts_of
from emulator.projection.deposit import Kernel
from emulator.projection.pair import parts_by_kind, project_field
from emulator.projection.twins import require_pair
from emulator.readers.snapshots import DARK_MATTER, open_snapshot

N_PIXELS, SIDE = 1024, 256


def measure() -> list[Measurement]:
    """All of this section: two minutes."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        paths = write_pair(Path(name), SIDE)
        size = sum(path.stat().st_size for path in paths)
        for kernel in ("cic", "tsc"):
            for workers in (1, 2):
                seconds = best_seconds(partial(project, *paths, kernel, workers), runs=2)
                memory = peak_bytes(project, *paths, kernel, workers)
                rows.append([kernel, str(workers), f"{seconds:.1f}", f"{memory / 1e6:.0f}"])
    note = (
        f"{SIDE}^3 dark-matter particles in both runs, as many gas particles, 5 % as many stars: "
        f"{size / 1e9:.2f} GB in the page cache; maps of {N_PIXELS}^2 along three axes."
    )
    header = ["kernel", "threads", "time [s]", "peak memory [MB]"]
    return [Measurement("A pair of CAMELS size", note, [], header, rows)]


def project(
    dmo_path: Path, hydro_path: Path, kernel: Kernel, workers: int, *, warm_up: bool = False
) -> None:
    """Project a pair; to 16 pixels if only to compile."""
    dmo, hydro = open_snapshot(dmo_path), open_snapshot(hydro_path)
    require_pair(dmo, hydro)
    kinds = parts_by_kind(hydro, wind="gas", black_holes="ignore")
    sources = [(CONDITION, parts_of(dmo, DARK_MATTER))]
    sources += [(field, kinds[field.particles[0]]) for field in find_fields(TARGETS)]
    for field, parts in sources:
        project_field(
            field,
            parts,
            str(hydro_path),
            n_pixels=16 if warm_up else N_PIXELS,
            kernel="cic" if warm_up else kernel,
            block_particles=1_048_576,
            workers=workers,
        )
