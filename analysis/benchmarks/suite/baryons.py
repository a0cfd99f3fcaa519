"""Suppression, responses to the parameters, and the content of halos."""

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from analysis.benchmarks.suite.runs import (
    DEMO,
    FIDUCIAL_COSMOLOGY,
    STANDARD,
    STRENGTHS,
    dark_matter_run,
    draw,
    power,
    total_matter,
)
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import EmbeddedSuite
from emulator.simulate.baryons import HydroParticles
from emulator.simulate.neighbourhood import DarkMatterRun

EDGES = np.array([0.2, 0.5, 0.8, 1.3, 2.0, 3.5, 5.0, 7.0, 9.0, 11.0, 15.0])
SEEDS = tuple(range(1, 9))

Floats = NDArray[np.float64]


def measure() -> list[Measurement]:
    """All of this section: about five minutes on one core."""
    return [suppression(), responses(), halo_content()]


def suppression_of(
    suite: EmbeddedSuite, ic_seed: int, edges: Floats = EDGES, **params: float
) -> Floats:
    """S(k) = P_total / P_DMO of one universe."""
    run, box = dark_matter_run(suite, ic_seed), suite.box_size_mpch
    hydro = draw(run, (ic_seed, 1), strengths=STRENGTHS, **params)
    found = power(total_matter(hydro), box, edges)[1]
    return found / power([(run.positions, run.particle_mass_msunh)], box, edges)[1]


def suppression() -> Measurement:
    """The fiducial point against the range of published hydrodynamic runs."""
    values = np.array([suppression_of(STANDARD, seed) for seed in SEEDS])
    demo = np.array([suppression_of(DEMO, seed) for seed in SEEDS])
    mean = values.mean(axis=0)
    dip = mean[EDGES[:-1] >= 5.0]
    bars = [
        Bar("largest |S - 1|, k < 0.5 h/Mpc, any seed", np.abs(values[:, 0] - 1).max(), -INFINITY,
            0.01),
        Bar("least S, 5 < k < 15 h/Mpc", dip.min(), 0.80, 0.95),
        Bar("largest S, 5 < k < 15 h/Mpc", dip.max(), 0.80, 0.95),
    ]  # fmt: skip
    rows = [[f"{EDGES[i]:g} to {EDGES[i + 1]:g}",
             *(f"{s[:, i].mean():.3f} +- {s[:, i].std(ddof=1):.3f}" for s in (values, demo))]
            for i in range(len(mean))]  # fmt: skip
    note = (
        f"S = P_total / P_DMO, {len(SEEDS)} universes: mean and scatter between them; shot "
        "noise is not removed. For orientation, TNG100 has 0.992, 0.930 and 0.852 at k = 1, 5, 10."
    )
    return Measurement(
        "Suppression at the fiducial point", note, bars, ["k [h/Mpc]", "standard", "demo"], rows
    )


def response(name: str, low: float, high: float, edges: Floats) -> tuple[Floats, Floats]:
    """Mean and its error over seeds of S(high) - S(low), same random numbers: ``(shell,)`` each."""

    def at(value: float) -> Floats:
        return np.array([suppression_of(DEMO, s, edges, **{name: value}) for s in SEEDS])

    change = at(high) - at(low)
    return change.mean(axis=0), change.std(axis=0, ddof=1) / np.sqrt(len(SEEDS))


def responses() -> Measurement:
    """What each parameter does, between the ends of its range."""
    edges, five, ten = np.array([4.0, 6.0, 9.0, 11.0]), 0, 2
    ranges = {"A_SN1": (0.25, 4), "A_AGN1": (0.25, 4), "A_SN2": (0.5, 2), "A_AGN2": (0.5, 2)}
    rows, bars = [], []
    for name, (low, high) in ranges.items():
        mean, error = response(name, low, high, edges)
        stars = [_star_mass(name, high, seed) / _star_mass(name, low, seed) for seed in SEEDS]
        changes = [f"{mean[i]:+.4f} +- {error[i]:.4f}" for i in (five, ten)]
        rows.append([f"{name} from {low} to {high}", *changes, f"{np.mean(stars):.3f}"])
        if name == "A_AGN1":
            sigma = mean[ten] / error[ten]
            bars.append(Bar("A_AGN1: change of S(10) in its errors", sigma, -INFINITY, -3))
        if name == "A_SN1":
            what = "A_SN1: stellar mass at 4 over that at 0.25"
            bars.append(Bar(what, max(stars), -INFINITY, 0.999))
    note = (
        f"Differences between the ends of each range, `demo`, {len(SEEDS)} universes, same random "
        "numbers; S in 4 < k < 6 and 9 < k < 11 h/Mpc. Supernovae starve the AGN, hence weaken the "
        "suppression at k = 5."
    )
    header = ["parameter", "change of S(5)", "change of S(10)", "ratio of stellar mass"]
    return Measurement("Responses", note, bars, header, rows)


def _star_mass(name: str, value: float, seed: int) -> float:
    return float(
        draw(
            dark_matter_run(DEMO, seed), (seed, 1), strengths=STRENGTHS, **{name: value}
        ).star_masses.sum()
    )


def contents(run: DarkMatterRun, hydro: HydroParticles, box: float) -> tuple[Floats, Floats]:
    """Gas and stars inside R200c over the cosmic share of M200c, ``(halo,)`` each."""
    found = []
    for positions, masses in ((hydro.gas, hydro.gas_masses), (hydro.stars, hydro.star_masses)):
        tree = cKDTree(np.mod(positions, box), boxsize=box)
        near = tree.query_ball_point(run.halos.positions, run.halos.r200c)
        found.append(np.array([masses[index].sum() for index in near]))
    share = FIDUCIAL_COSMOLOGY.baryon_fraction * run.halos.m200c
    return found[0] / share, found[1] / share


def halo_content() -> Measurement:
    """Gas and stellar fractions against mass, and their scatter between halos."""
    box = STANDARD.box_size_mpch
    parts = []
    for seed in SEEDS:
        run = dark_matter_run(STANDARD, seed)
        parts.append((run.halos.m200c, *contents(run, draw(run, (seed, 1)), box)))
    mass, gas, stars = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    edges = 10.0 ** np.array([11.5, 12.0, 12.5, 13.0, 13.5, 14.5])
    rows, mean_gas, scatter = [], [], []
    for low, high in itertools.pairwise(edges):
        inside = (mass >= low) & (mass < high)
        mean_gas.append(gas[inside].mean())
        scatter.append(gas[inside].std(ddof=1) / gas[inside].mean())
        rows.append([f"{low:.2g} to {high:.2g}", f"{inside.sum()}", f"{mean_gas[-1]:.3f}",
                     f"{scatter[-1]:.2f}", f"{stars[inside].mean():.3f}",
                     f"{np.log10(stars[inside]).std(ddof=1):.2f}"])  # fmt: skip

    def stars_near(centre: float) -> float:
        return float(stars[np.abs(np.log10(mass / centre)) < 0.15].mean())

    bars = [
        Bar("stars at 1e12 Msun/h", stars_near(1e12), 0.10, 0.25),
        Bar("stars at 1e13 Msun/h", stars_near(1e13), 0.08, 0.20),
        Bar(
            "least rise of the gas fraction from bin to bin", min(np.diff(mean_gas)), 0.0, INFINITY
        ),
        Bar("least relative scatter of gas, bins from 1e12", min(scatter[1:]), 0.15, 0.35),
        Bar("largest relative scatter of gas, bins from 1e12", max(scatter[1:]), 0.15, 0.35),
    ]
    header = ["M200c [Msun/h]", "halos", "gas / f_b M", "relative scatter", "stars / f_b M",
              "scatter [dex]"]  # fmt: skip
    note = (
        f"Inside R200c of the dark-matter-only halo, over the cosmic share of M200c; `standard`, "
        f"{len(SEEDS)} universes."
    )
    return Measurement("Content of halos", note, bars, header, rows)
