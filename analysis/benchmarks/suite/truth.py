"""The known truth: pixel scatter of re-draws, their coverage of each other, the environment."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from analysis.benchmarks.suite.baryons import contents
from analysis.benchmarks.suite.runs import DEMO, dark_matter_run, draw
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import DataConfig, DesignConfig
from emulator.data.maps import Maps, read_maps
from emulator.metrics.calibration import interval_coverage, rank_histogram, truth_ranks
from emulator.simulate.baryons import Strengths
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation

N_REDRAWS = 16

Floats = NDArray[np.float64]


def measure() -> list[Measurement]:
    """All of this section: about three minutes on one core."""
    return [pixels(), environment()]


def redrawn_maps(n_draws: int, n_runs: int) -> list[tuple[Maps, Floats]]:
    """Of each run: maps of one outcome and log10 gas of all, ``(draw, projection, y, x)``."""
    design = DesignConfig(sb_runs=0, cv_runs=n_runs, be_draws=n_draws - 1)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        suite = build_suite(DEMO.model_copy(update={"design": design}), root)
        suite.write_tables()
        for run, names in suite.runs.items():
            suite.simulate(run)
            maps = []
            for name in names:
                path = root / f"{name}.h5"
                project_simulation(suite, DataConfig(), name, path)
                maps.append(read_maps(path))
            runs.append((maps[0], np.log10([m.select(["gas"])[:, 0] for m in maps])))
    return runs


def halo_pixels(maps: Maps, low: float, high: float) -> NDArray[np.bool_]:
    """Pixels whose centre lies within the projected R200c of a halo of low <= M200c < high."""
    n, box = maps.n_pixels, maps.n_pixels * maps.pixel_mpch
    centres = (np.arange(n) + 0.5) * maps.pixel_mpch
    mask = np.zeros((3, n, n), dtype=bool)
    chosen = (maps.halo_m200c >= low) & (maps.halo_m200c < high)
    for position, radius in zip(maps.halo_position[chosen], maps.halo_r200c[chosen], strict=True):
        apart = np.abs(centres[:, None] - position)
        apart = np.minimum(apart, box - apart)
        for projection, (row, column) in enumerate(((1, 2), (0, 2), (0, 1))):
            near = apart[:, None, row] ** 2 + apart[None, :, column] ** 2 < radius**2
            mask[projection] |= near
    return mask


def coverage_ranks(log_gas: Floats, mask: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Shares of the ranks of the later draws among the first :data:`N_REDRAWS`, over pixels."""
    ensemble, truths = log_gas[:N_REDRAWS, mask], log_gas[N_REDRAWS:, mask]
    ranks = [
        truth_ranks(
            xr.DataArray(ensemble, dims=("member", "pixel")), xr.DataArray(truth, dims="pixel"), rng
        ).values
        for truth in truths
    ]
    return rank_histogram(np.concatenate(ranks), N_REDRAWS)


def pixels(n_runs: int = 6, coverage_tolerance: float = 0.03) -> Measurement:
    """How much gas pixels scatter between re-draws, and whether re-draws cover each other."""
    runs, rng = redrawn_maps(2 * N_REDRAWS, n_runs), np.random.default_rng(0)
    bins = ((3e11, 1e12), (1e12, 3e12), (3e12, 1e13), (1e13, INFINITY), (1e12, INFINITY))
    rows, rms = [], {}
    for low, high in bins:
        spread = np.concatenate(
            [gas.std(axis=0, ddof=1)[halo_pixels(maps, low, high)] for maps, gas in runs]
        )
        rms[low, high] = float(np.sqrt(np.mean(spread**2)))
        name = f"{low:.0e} to {high:.0e}" if high < INFINITY else f"from {low:.0e}"
        rows.append([name, f"{len(spread)}", f"{rms[low, high]:.3f}", f"{np.median(spread):.3f}"])
    histogram = np.mean(
        [coverage_ranks(gas, halo_pixels(maps, 1e12, INFINITY), rng) for maps, gas in runs], axis=0
    )
    coverage = interval_coverage(xr.DataArray(histogram, dims="rank"))
    deviation = np.abs(coverage - coverage["nominal"])
    bars = [
        Bar("rms scatter of log10 gas, halos from 1e12 Msun/h [dex]", rms[bins[-1]], 0.05, 0.11),
        Bar("coverage of re-draws by re-draws: largest deviation", float(deviation.max()),
            -INFINITY, coverage_tolerance),
    ]  # fmt: skip
    note = (
        f"Maps of `demo` (195 kpc/h pixels, 25 Mpc/h deep), {2 * N_REDRAWS} draws of {n_runs} "
        "fiducial runs, pixels within a projected R200c. In small halos the pixel is as large as "
        "the halo and holds much that is in front and behind: they scatter less. Coverage: 16 "
        f"draws by 16 others, all central intervals from {float(coverage.nominal[0]):.0%} to "
        f"{float(coverage.nominal[-1]):.0%}, pixels of halos from 1e12 Msun/h. In the real pair "
        "gas scatters about its mean at a given DMO density by 0.1 dex, re-draws and all that DMO "
        "does not tell together."
    )
    header = ["M200c [Msun/h]", "pixels", "rms scatter [dex]", "median scatter [dex]"]
    return Measurement("Scatter of re-draws", note, bars, header, rows)


def environment() -> Measurement:
    """The known worth of large-scale context: the gas of a halo against its surroundings."""
    rows, slopes = [], {}
    parts = []
    for seed in range(1, 5):
        run = dark_matter_run(DEMO, seed)
        massive = run.halos.m200c > 1e12
        none, dense = (replace(run, shell_overdensity=np.full(len(massive), x)) for x in (0.0, 2.0))
        same = np.array_equal(
            draw(none, (seed, 1), strengths=Strengths(environment=0.0)).gas,
            draw(dense, (seed, 1), strengths=Strengths(environment=0.0)).gas,
        )
        tanh = np.tanh(run.shell_overdensity[massive])
        box = DEMO.box_size_mpch
        for strength in (0.0, 0.2, 0.4):
            hydro = draw(run, (seed, 1), strengths=Strengths(environment=strength))
            gas = contents(run, hydro, box)[0][massive]
            parts.append((strength, tanh, np.log(gas), same))
    for strength in (0.0, 0.2, 0.4):
        tanh = np.concatenate([t for s, t, _, _ in parts if s == strength])
        change = np.concatenate([g for s, _, g, _ in parts if s == strength])
        change = change - np.concatenate([g for s, _, g, _ in parts if s == 0.0])
        slopes[strength] = float(np.polyfit(tanh, change, 1)[0])
        rows.append([f"{strength:g}", f"{slopes[strength]:+.3f}", f"{change.std():.3f}"])
    identical = float(all(same for *_, same in parts))
    bars = [
        Bar("strength 0: other surroundings give the same bytes (1 = yes)", identical, 1.0, 1.0),
        Bar("strength 0.2: slope of ln f_gas against tanh(delta)", slopes[0.2], 0.02, INFINITY),
    ]
    note = (
        "`environment_strength` alpha moves M_c by -alpha tanh(delta) dex, delta the overdensity "
        "in 3 to 6 Mpc/h; halos above 1e12 Msun/h of 4 `demo` universes; changes of ln f_gas are "
        "against strength 0 with the same random numbers."
    )
    header = ["strength", "slope of ln f_gas against tanh(delta)", "rms change of ln f_gas"]
    return Measurement("Surroundings", note, bars, header, rows)
