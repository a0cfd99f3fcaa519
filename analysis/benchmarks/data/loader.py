"""Training batches: windows a second from a map store of 1024 x 1024."""

import tempfile
import time
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import ChannelConfig
from emulator.config.channels import resolve_channels
from emulator.data.dataset import StepSampler
from emulator.data.maps import read_maps
from emulator.fields import TARGETS, find_fields
from emulator.model.normalisation import CosmicShare, Normalisation, ParameterScale
from emulator.model.windows import windows_for
from emulator.projection.pyramid import context_pyramid
from emulator.readers.catalogs import Halos
from emulator.suites.full_maps import FullMaps, write_maps

N_PIXELS, WINDOW, FACTORS = 1024, 128, (2, 4, 8)
N_SIMULATIONS, BATCH, STEPS = 4, 32, 40
_WANTED = 500.0


def measure() -> list[Measurement]:
    """All of this section: a minute."""
    rows, best = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        paths = [write_store(Path(folder), number) for number in range(N_SIMULATIONS)]
        for cache in ("memory", "none"):
            for workers in (0, 1, 2):
                rate = samples_per_second(paths, lazy=cache == "none", workers=workers)
                best = max(best, rate)
                rows.append([cache, str(workers), f"{rate:.0f}"])
    note = (
        f"Samples of (condition, {len(FACTORS)} context maps, 3 targets) of {WINDOW}^2 from "
        f"{N_SIMULATIONS} simulations of {N_PIXELS}^2, batches of {BATCH}, files in the page "
        "cache; `training.cache` and `training.loader_workers` as given."
    )
    bars = [
        Bar(f"{cache}, {workers} workers [samples/s]", float(rate), _WANTED, INFINITY)
        for cache, workers, rate in rows
        if workers == "2"
    ]
    return [Measurement("Loader", note, bars, ["cache", "workers", "samples/s"], rows)]


def write_store(
    folder: Path, number: int, n_pixels: int = N_PIXELS, factors: tuple[int, ...] = FACTORS
) -> Path:
    """A maps file of the real size with random content."""
    rng = np.random.default_rng(number)
    fields = rng.lognormal(22.0, 1.0, (3, 4, n_pixels, n_pixels)).astype(np.float32)
    path = folder / f"SB_{number}.h5"
    attrs = {
        "suite": "Benchmark", "set": "SB", "simulation": f"SB_{number}", "run": f"SB_{number}",
        "box_size_mpch": 50.0, "pixel_mpch": 50.0 / n_pixels, "depth_mpch": 50.0, "redshift": 0.0,
        "hubble_h": 0.67, "omega_m": 0.3, "omega_b": 0.049, "periodic": 1,
        "params": '{"A": 1.0}',
        "param_ranges": '{"A": {"min": 0, "max": 2, "fiducial": 1, "log": false}}',
    }  # fmt: skip
    maps = FullMaps(
        values=fields,
        fields=find_fields(TARGETS),
        projections=("x", "y", "z"),
        context=context_pyramid(fields[:, 0], factors),
        halos=Halos(np.empty((0, 3)), np.empty(0), np.empty(0)),
        attrs=attrs,
        sources=(),
    )
    write_maps(maps, attrs, path)
    return path


def samples_per_second(paths: list[Path], *, lazy: bool, workers: int) -> float:
    """Rate over STEPS batches, after as many that warm the caches."""
    dataset = windows_for(
        normalisation(),
        [read_maps(path, lazy=lazy) for path in paths],
        window=WINDOW,
        batch_size=BATCH,
        seed=0,
        mass_tilt=1.0,
    )
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=StepSampler(2 * STEPS, lambda: 0),
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
    )
    start = 0.0
    for step, _ in enumerate(loader, 1):
        if step == STEPS:
            start = time.perf_counter()
    return STEPS * BATCH / (time.perf_counter() - start)


def normalisation(factors: tuple[int, ...] = FACTORS) -> Normalisation:
    """Statistics that leave the random content as it is."""
    return Normalisation(
        channels=resolve_channels(
            [ChannelConfig(name=name, transform="log_ratio") for name in TARGETS],
            find_fields(TARGETS),
        ),
        target_mean=(0.0,) * 3,
        target_std=(1.0,) * 3,
        condition_floor_msunh=1.0,
        condition_mean=(0.0,) * (1 + len(factors)),
        condition_std=(1.0,) * (1 + len(factors)),
        context_factors=factors,
        params={"A": ParameterScale(minimum=0.0, maximum=2.0, fiducial=1.0, log=False)},
        cosmic_share=CosmicShare(omega_m=0.3, omega_b=0.049),
    )
