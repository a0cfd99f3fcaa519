"""The design of the embedded suite: which universes, which astrophysics, which seeds.

Sets, named as in CAMELS: ``SB`` fills the parameter space with scrambled Sobol sequences (cosmology
by N-body run, astrophysics by simulation), ``CV`` repeats the fiducial point with other phases, and
``BE`` draws the baryons of a CV run again: same phases, same parameters.

Every simulation is a function of (suite seed, set, index): adding runs, or a set, changes no other
simulation. Values are rounded as in the tables, so that a table holds exactly what was run.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emulator.config import EmbeddedSuite

DECIMALS = 5
SETS = ("SB", "CV", "BE")


@dataclass(frozen=True)
class Parameter:
    """A parameter, its range, and whether it is sampled in the logarithm."""

    name: str
    minimum: float
    maximum: float
    fiducial: float
    log: bool
    description: str

    def from_unit(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map numbers in [0, 1) onto the range."""
        if self.log:
            ratio = self.maximum / self.minimum
            return np.round(self.minimum * ratio**unit, DECIMALS)
        return np.round(self.minimum + (self.maximum - self.minimum) * unit, DECIMALS)


COSMOLOGY = (
    Parameter("Omega_m", 0.1, 0.5, 0.3, False, "matter density"),
    Parameter("sigma_8", 0.6, 1.0, 0.8, False, "amplitude of linear fluctuations"),
)
ASTROPHYSICS = (
    Parameter("A_SN1", 0.25, 4.0, 1.0, True, "supernova energy: fewer stars, gas kept in halos"),
    Parameter("A_AGN1", 0.25, 4.0, 1.0, True, "AGN energy: more gas ejected, and further"),
    Parameter("A_SN2", 0.5, 2.0, 1.0, True, "supernova wind speed: fewer stars in small halos"),
    Parameter("A_AGN2", 0.5, 2.0, 1.0, True, "AGN burstiness: more scatter, rarer bubbles"),
)
PARAMETERS = (*COSMOLOGY, *ASTROPHYSICS)
FIDUCIAL = {parameter.name: parameter.fiducial for parameter in PARAMETERS}


@dataclass(frozen=True)
class Simulation:
    """One hydro outcome of one N-body run."""

    name: str
    set: str
    run: str
    ic_seed: int
    baryon_seed: int
    params: dict[str, float] = field(hash=False)


def build_design(suite: EmbeddedSuite) -> dict[str, list[Simulation]]:
    """Every simulation of the suite, by N-body run, as named by ``suite.runs()``.

    Returns
    -------
    Run name -> its simulations, which share ``ic_seed``, Omega_m and sigma_8 and differ in
    ``baryon_seed`` (1, 2, ...).
    """
    design = suite.design
    cosmologies = _sobol_points(COSMOLOGY, design.sb_runs, (suite.seed, 1))
    astrophysics = _sobol_points(ASTROPHYSICS, design.sb_runs * design.sb_per_run, (suite.seed, 2))
    built: dict[str, list[Simulation]] = {}
    for run, names in suite.runs().items():
        kind, number = run[:2], int(run[2:])
        ic_seed = _phase_seed(suite.seed, kind, number)
        built[run] = []
        for i, name in enumerate(names):
            params = dict(FIDUCIAL)
            if kind == "SB":
                params = cosmologies[number] | astrophysics[number * design.sb_per_run + i]
            # Baryon seeds start at 1: SeedSequence pads with zeros, so 0 would repeat the phases.
            set_name = name.rsplit("_", 1)[0]
            built[run].append(Simulation(name, set_name, run, ic_seed, 1 + i, params))
    return built


def _sobol_points(
    parameters: tuple[Parameter, ...], count: int, seed: tuple[int, int]
) -> list[dict[str, float]]:
    """First ``count`` points of a scrambled Sobol sequence over the ranges."""
    if count == 0:
        return []
    # scipy.stats takes longer to import than this design to make.
    from scipy.stats import qmc

    sampler = qmc.Sobol(len(parameters), scramble=True, seed=np.random.default_rng(seed))
    unit = sampler.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    columns = [p.from_unit(unit[:, i]) for i, p in enumerate(parameters)]
    names = [p.name for p in parameters]
    return [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)]


def _phase_seed(seed: int, kind: str, number: int) -> int:
    """Seed of the initial phases: its own for every suite seed, set and run."""
    sequence = np.random.SeedSequence([seed, SETS.index(kind), number, 1])
    return int(sequence.generate_state(1)[0])
