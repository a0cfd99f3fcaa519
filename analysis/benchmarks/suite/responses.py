"""What each parameter does to gas and stars of halos, beside CAMELS-TNG."""

import functools

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.suite.baryons import contents
from analysis.benchmarks.suite.runs import DEMO, dark_matter_run
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.simulate.baryons import Strengths, baryonify
from emulator.simulate.cosmology import Cosmology
from emulator.simulate.design import FIDUCIAL, PARAMETERS

SEEDS = (1, 2, 3, 4, 5, 6)
MASSES = (2.0e12, 1.0e13)
LEAST = 0.5

REAL = {
    "Omega_m": ((1.54, 0.85), (1.82, 0.66)), "sigma_8": ((1.02, 0.95), (0.82, 1.07)),
    "A_SN1": ((0.66, 2.08), (1.88, 0.28)), "A_AGN1": ((1.08, 0.90), (1.03, 0.94)),
    "A_SN2": ((0.68, 1.22), (1.61, 0.58)), "A_AGN2": ((1.27, 0.75), (1.05, 0.94)),
}  # fmt: skip
"""Gas and stars within R200c over the fiducial, at the low and the high end of a parameter: the set
1P of CAMELS-TNG, 28 halos of 1e13 to 3e13 Msun/h."""

Floats = NDArray[np.float64]


@functools.lru_cache(maxsize=64)
def _content(seed: int, name: str, value: float) -> tuple[Floats, Floats]:
    """Gas and stars within R200c over M200c of the halos of :data:`MASSES`, ``(halo,)`` each."""
    params = FIDUCIAL | {name: value}
    cosmology = Cosmology(params["Omega_m"], params["sigma_8"])
    run = dark_matter_run(DEMO, seed, cosmology)
    hydro = baryonify(
        run,
        params,
        baryon_fraction=cosmology.baryon_fraction,
        strengths=Strengths(),
        seeds=(seed, 1),
    )
    low, high = MASSES
    chosen = (run.halos.m200c >= low) & (run.halos.m200c < high)
    gas, stars = contents(run, hydro, DEMO.box_size_mpch)
    return gas[chosen], stars[chosen]


def _means(name: str, value: float) -> Floats:
    found = [_content(seed, name, value) for seed in SEEDS]
    return np.array([np.concatenate([pair[i] for pair in found]).mean() for i in (0, 1)])


def halo_responses() -> Measurement:
    """Contents at the ends over those of the fiducial, and how much of the real response it is."""
    rows, bars = [], []
    fiducial = _means("A_SN1", FIDUCIAL["A_SN1"])
    for parameter in PARAMETERS:
        ends = [
            _means(parameter.name, parameter.step(side * _reach(parameter.name),
                                                  parameter.fiducial)) / fiducial
            for side in (-1, 1)
        ]  # fmt: skip
        row = [parameter.name]
        for i, field in enumerate(("gas", "stars")):
            real = REAL[parameter.name][i]
            row += [f"{real[0]:.2f} / {real[1]:.2f}", f"{ends[0][i]:.2f} / {ends[1][i]:.2f}"]
            for end, ours, wanted in zip(("low", "high"), ends, real, strict=True):
                share = float(np.log(ours[i]) / np.log(wanted))
                what = f"{parameter.name} {end}: {field}, share of the real response"
                bars.append(Bar(what, share, LEAST, INFINITY))
        rows.append(row)
    note = (
        "Within R200c, over the fiducial, at the low and the high end. Real: CAMELS-TNG, halos of "
        f"1e13 to 3e13 Msun/h. Surrogate: `demo`, halos of {MASSES[0]:.0e} to {MASSES[1]:.0e} "
        f"Msun/h of {len(SEEDS)} universes, over the same random numbers; the two parameters of "
        "cosmology half way to their ends, at a fixed mass, as a share of the mass. Wanted: the "
        "sign and half the size, as logarithms."
    )
    header = ["parameter", "gas, real", "surrogate", "stars, real", "surrogate"]
    return Measurement("Beside reality: responses of halos", note, bars, header, rows)


def _reach(name: str) -> float:
    return 1.0 if name.startswith("A_") else 0.5
