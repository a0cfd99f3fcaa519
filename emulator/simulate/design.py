"""The design of the embedded suite: which universes, which astrophysics, which seeds.

Sets, named as in CAMELS: ``SB`` fills the parameter space with scrambled Sobol sequences (cosmology
by N-body run, astrophysics by simulation), ``CV`` repeats the fiducial point with other phases,
``BE`` draws the baryons of a CV run again: same phases, same parameters, and ``1P`` moves one
parameter at a time, with the same phases and the same random numbers of the baryons throughout.

Every simulation is a function of (suite seed, set, index): adding runs, or a set, changes no other
simulation. Values are rounded as in the tables, so that a table holds exactly what was run.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emulator.config import ConfigError, EmbeddedSuite, set_of

DECIMALS = 5
SETS = ("SB", "CV", "BE", "1P")


@dataclass(frozen=True)
class Parameter:
    """A parameter, its range, and whether it is sampled in the logarithm."""

    name: str
    minimum: float
    maximum: float
    fiducial: float
    log: bool
    description: str

    def step(self, fraction: float, fiducial: float) -> float:
        """The value ``fraction`` of the way from the fiducial to the end of the range.

        -1 is the minimum and 1 the maximum; steps are equal in what is sampled.
        """
        end = self.maximum if fraction > 0 else self.minimum
        if self.log:
            value: float = fiducial * (end / fiducial) ** abs(fraction)
            return round(value, DECIMALS)
        return round(fiducial + (end - fiducial) * abs(fraction), DECIMALS)

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


def parameters_of(suite: EmbeddedSuite) -> tuple[Parameter, ...]:
    """Parameters that a suite varies: cosmology alone where nothing has baryons."""
    return PARAMETERS if suite.coarse_mesh is None else COSMOLOGY


@dataclass(frozen=True)
class Simulation:
    """One hydro outcome of one N-body run."""

    name: str
    set: str
    run: str
    ic_seed: int
    baryon_seed: int
    params: dict[str, float] = field(hash=False)


def fiducial_point(suite: EmbeddedSuite) -> dict[str, float]:
    """Parameters of the sets CV, BE and 1P.

    Raises
    ------
    ConfigError
        A name that is no parameter, or a value outside its range.
    """
    parameters = parameters_of(suite)
    point = {parameter.name: parameter.fiducial for parameter in parameters}
    for name, value in suite.design.fiducial.items():
        where = f"suite.design.fiducial.{name}"
        parameter = next((p for p in parameters if p.name == name), None)
        if parameter is None:
            raise ConfigError(f"{where}: no such parameter; there are {', '.join(point)}")
        if not parameter.minimum <= value <= parameter.maximum:
            raise ConfigError(
                f"{where}: expected a value of the design range [{parameter.minimum}, "
                f"{parameter.maximum}], got {value}"
            )
        point[name] = round(value, DECIMALS)
    return point


def build_design(suite: EmbeddedSuite) -> dict[str, list[Simulation]]:
    """Every simulation of the suite, by N-body run, as named by ``suite.designed_runs()``.

    Returns
    -------
    Run name -> its simulations, which share ``ic_seed``, Omega_m and sigma_8 and differ in
    ``baryon_seed`` (1, 2, ...); but those of 1P share that, too.

    Raises
    ------
    ConfigError
        A fiducial point outside the ranges.
    """
    design = suite.design
    cosmologies = _sobol_points(COSMOLOGY, design.sb_runs, (suite.seed, 1))
    astrophysics = _sobol_points(ASTROPHYSICS, design.sb_runs * design.sb_per_run, (suite.seed, 2))
    fiducial = fiducial_point(suite)
    built: dict[str, list[Simulation]] = {}
    for run, names in suite.designed_runs().items():
        kind, number = run[:2], int(run[2:])
        # All of 1P has the same phases, so that responses are differences of equal universes.
        ic_seed = _phase_seed(suite.seed, kind, 0 if kind == "1P" else number)
        built[run] = []
        for i, name in enumerate(names):
            # Baryon seeds start at 1: SeedSequence pads with zeros, so 0 would repeat the phases.
            baryon_seed, params = 1 + i, dict(fiducial)
            if kind == "SB":
                own = astrophysics[number * design.sb_per_run + i]
                params = {name: (cosmologies[number] | own)[name] for name in fiducial}
            elif kind == "1P":
                baryon_seed = 1
                params |= _one_changed(name, design.one_p_steps, fiducial)
            built[run].append(Simulation(name, set_of(name), run, ic_seed, baryon_seed, params))
    return built


def _one_changed(name: str, steps: int, fiducial: dict[str, float]) -> dict[str, float]:
    """What ``1P_p3_n1`` changes: parameter 3, one step of ``steps`` below the fiducial."""
    _, number, step = name.split("_")
    parameter = PARAMETERS[int(number[1:]) - 1]
    fraction = int(step.replace("n", "-")) / steps
    return {parameter.name: parameter.step(fraction, fiducial[parameter.name])}


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
