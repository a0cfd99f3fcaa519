"""Gravity against linear theory, CAMB, HMcode, a published mass function, and itself."""

import itertools

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.suite.runs import (
    DEMO,
    FIDUCIAL_COSMOLOGY,
    REFERENCE,
    STANDARD,
    particle_mass,
    power,
)
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import EmbeddedSuite
from emulator.simulate.cosmology import Cosmology, Growth, LinearPower
from emulator.simulate.gravity import run_gravity
from emulator.simulate.halos import build_tree, find_halos
from emulator.simulate.lpt import initial_particles, lagrangian_displacements, linear_density_modes

LARGE = EmbeddedSuite(box_size_mpch=100.0, n_particles=128, mesh=384, n_steps=80)
"""The resolution of ``standard`` (mesh three times the particles) in a box with long waves."""

Floats = NDArray[np.float64]


def measure() -> list[Measurement]:
    """All of this section: about fifteen minutes on one core."""
    return [growth(), transfer(), large_box(), convergence()]


def growth_ratio(suite: EmbeddedSuite, ic_seed: int) -> tuple[Floats, Floats]:
    """Wave numbers below 1 [h/Mpc], and the power of a quiet run over linear theory.

    Both have the same phases, hence no cosmic variance: linear theory is the lattice displaced by
    perturbation theory to a = 1, where sigma_8 = 0.02 leaves only its first order.
    """
    quiet, box = Cosmology(0.3, 0.02), suite.box_size_mpch
    density = linear_density_modes(suite.n_particles, box, LinearPower(quiet), ic_seed)
    fields = lagrangian_displacements(density, box)
    linear, _ = initial_particles(fields, box, 1.0, Growth(quiet))
    edges = np.array([0.9 * 2.0 * np.pi / box, 0.35, 0.5, 0.65, 0.8, 1.0])
    k, expected = power([(linear, 1.0)], box, edges)
    _, found = power([(run_gravity(suite, quiet, ic_seed), 1.0)], box, edges)
    return k, found / expected


def growth() -> Measurement:
    """Fluctuations that stay small grow as linear theory says."""
    runs = {"demo": DEMO, "standard": STANDARD}
    ratios = {name: growth_ratio(suite, 1) for name, suite in runs.items()}
    bars = [
        Bar(
            f"{name}: largest |P / P_linear - 1|, k < 1 h/Mpc", np.abs(r - 1).max(), -INFINITY, 0.02
        )
        for name, (_, r) in ratios.items()
    ]
    rows = [[f"{k:.2f}", *(f"{r[1][i]:.4f}" for r in ratios.values())]
            for i, k in enumerate(ratios["demo"][0])]  # fmt: skip
    note = (
        "sigma_8 = 0.02, 25 Mpc/h. P_linear is that of the same phases, displaced by 2LPT to a = 1."
    )
    return Measurement("Growth", note, bars, ["k [h/Mpc]", *runs], rows)


def camb_power(k_hmpc: Floats, cosmology: Cosmology, *, nonlinear: bool) -> Floats:
    """P(k) [(Mpc/h)^3] of CAMB at z = 0, with HMcode 2020 if nonlinear."""
    import camb

    h2 = cosmology.hubble_h**2
    facts = {
        "H0": 100 * cosmology.hubble_h,
        "ombh2": cosmology.omega_b * h2,
        "omch2": (cosmology.omega_m - cosmology.omega_b) * h2,
        "mnu": 0.0,
        "ns": cosmology.spectral_index,
        "redshifts": [0.0],
        "kmax": 50.0,
        "WantTransfer": True,
        "DoLensing": False,
    }
    sigma_8 = camb.get_results(camb.set_params(As=2e-9, **facts)).get_sigma8()[0]
    amplitude = 2e-9 * (cosmology.sigma_8 / sigma_8) ** 2
    params = camb.set_params(As=amplitude, halofit_version="mead2020", **facts)
    params.NonLinear = camb.model.NonLinear_both if nonlinear else camb.model.NonLinear_none
    table = camb.get_results(params).get_matter_power_interpolator(nonlinear=nonlinear)
    power: Floats = table.P(0.0, k_hmpc)
    return power


def transfer() -> Measurement:
    """The Eisenstein & Hu fit against CAMB."""
    rows, worst = [], 0.0
    bands = ((0.01, 0.1), (0.1, 0.25), (0.25, 10.0))
    for omega_m in (0.1, 0.2, 0.3, 0.5):
        cosmology = Cosmology(omega_m, 0.8)
        row = [f"{omega_m:g}"]
        for low, high in bands:
            k = np.geomspace(low, high, 200)
            error = np.abs(
                LinearPower(cosmology)(k) / camb_power(k, cosmology, nonlinear=False) - 1
            )
            row.append(f"{error.max():.1%}")
            if omega_m == 0.3 and low >= 0.1:
                worst = max(worst, error.max())
        rows.append(row)
    note = (
        "Largest error of linear power, sigma_8 fixed. A box of 25 Mpc/h holds k > 0.25 h/Mpc. The "
        "errors far from Omega_m = 0.3 and at the acoustic peaks are those of the fit itself."
    )
    bars = [Bar("Omega_m = 0.3, k > 0.1 h/Mpc: largest error", worst, -INFINITY, 0.03)]
    header = ["Omega_m", *(f"{low:g} < k < {high:g}" for low, high in bands)]
    return Measurement("Linear power against CAMB", note, bars, header, rows)


def large_box(seeds: tuple[int, ...] = (1, 2, 3, 4), suite: EmbeddedSuite = LARGE) -> Measurement:
    """Power against HMcode and FoF counts against Warren et al. (2006), L = 100 Mpc/h."""
    box, mass = suite.box_size_mpch, particle_mass(suite)
    edges = np.array([0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0])
    ratios, sizes = [], []
    for seed in seeds:
        positions = run_gravity(suite, FIDUCIAL_COSMOLOGY, seed)
        k, found = power([(positions, 1.0)], box, edges)
        ratios.append(found / camb_power(k, FIDUCIAL_COSMOLOGY, nonlinear=True))
        tree = build_tree(positions.astype(float), box)
        sizes.append(find_halos(tree, mass).n_fof)
    mean, error = np.mean(ratios, axis=0), np.std(ratios, axis=0, ddof=1) / np.sqrt(len(seeds))
    bars = [
        Bar("smallest P / HMcode", mean.min(), 0.85, 1.15),
        Bar("largest P / HMcode", mean.max(), 0.85, 1.15),
    ]
    rows = [["P / HMcode", f"k = {k[i]:.2f} h/Mpc", f"{mean[i]:.3f} +- {error[i]:.3f}", ""]
            for i in range(len(mean))]  # fmt: skip
    bins = np.array([20, 60, 110, 180, 300, 500, 900, 2000, 5000])
    counts = np.histogram(np.concatenate(sizes), bins)[0]
    expected = warren_counts(bins * mass, box**3 * len(seeds))
    resolved = (bins[:-1] >= 110) & (counts >= 60)
    deviation = np.abs(counts / expected - 1)[resolved].max()
    bars.append(
        Bar("FoF / Warren, >= 110 particles: largest deviation", deviation, -INFINITY, 0.15)
    )
    for i, count in enumerate(counts):
        rows.append(["FoF / Warren", f"{bins[i] * mass:.2g} to {bins[i + 1] * mass:.2g} Msun/h "
                     f"({bins[i]} to {bins[i + 1]} particles)", f"{count / expected[i]:.3f}",
                     f"{count} halos"])  # fmt: skip
    note = (
        f"L = {box:g} Mpc/h, N = {suite.n_particles}, mesh {suite.mesh}, {suite.n_steps} steps, "
        f"{len(seeds)} seeds. Halos of fewer than about 110 particles are too few: the mesh "
        "softens what binds them. HMcode 2020 by CAMB, Warren et al. 2006 by colossus."
    )
    return Measurement(
        "Power and halos in a large box", note, bars, ["ratio", "where", "value", ""], rows
    )


def warren_counts(edges_msunh: Floats, volume: float) -> Floats:
    """Number of halos in bins of FoF mass [Msun/h] in a volume [(Mpc/h)^3]."""
    from colossus.cosmology import cosmology as colossus_cosmology
    from colossus.lss.mass_function import massFunction
    from scipy.integrate import trapezoid

    model = FIDUCIAL_COSMOLOGY
    colossus_cosmology.setCosmology(
        "suite",
        {"flat": True, "H0": 100 * model.hubble_h, "Om0": model.omega_m, "Ob0": model.omega_b,
         "sigma8": model.sigma_8, "ns": model.spectral_index, "relspecies": False},
    )  # fmt: skip

    def count(low: float, high: float) -> float:
        masses = np.geomspace(low, high, 200)
        density = massFunction(masses, 0.0, mdef="fof", model="warren06", q_out="dndlnM")
        return float(trapezoid(density, np.log(masses)))

    pairs = itertools.pairwise(edges_msunh)
    return volume * np.array([count(low, high) for low, high in pairs])


def convergence(seeds: tuple[int, ...] = (1, 2, 3, 4)) -> Measurement:
    """Power of the presets against a finer mesh and more steps, the same phases."""
    box = REFERENCE.box_size_mpch
    edges = np.array([0.2, 0.5, 0.8, 1.2, 1.7, 2.4, 3.4, 4.7, 6.3, 8.0])
    runs = {"demo": DEMO, "standard": STANDARD}
    ratios: dict[str, list[Floats]] = {name: [] for name in runs}
    for seed in seeds:
        k, exact = power([(run_gravity(REFERENCE, FIDUCIAL_COSMOLOGY, seed), 1.0)], box, edges)
        for name, suite in runs.items():
            positions = run_gravity(suite, FIDUCIAL_COSMOLOGY, seed)
            ratios[name].append(power([(positions, 1.0)], box, edges)[1] / exact)
    at_4 = {name: [np.interp(4.0, k, ratio) for ratio in found] for name, found in ratios.items()}
    bars = [
        Bar("standard: mean at k = 4 h/Mpc", float(np.mean(at_4["standard"])), 0.95, INFINITY),
        Bar("standard: worst seed at k = 4 h/Mpc", min(at_4["standard"]), 0.90, INFINITY),
    ]
    figures = {}
    for name, suite in runs.items():
        mean = np.mean(ratios[name], axis=0)
        figures[name] = {
            "n_particles": suite.n_particles,
            "mesh": suite.mesh,
            "n_steps": suite.n_steps,
            "box_size_mpch": box,
            "k_5_percent_hmpc": float(np.interp(-0.95, -mean, k)),
            "k_10_percent_hmpc": float(np.interp(-0.90, -mean, k)),
        }
    rows = [[f"{k[i]:.2f}", *(f"{np.mean(r, axis=0)[i]:.3f} ({np.min(r, axis=0)[i]:.3f} to "
                              f"{np.max(r, axis=0)[i]:.3f})" for r in ratios.values())]
            for i in range(len(k))]  # fmt: skip
    usable = "; ".join(
        f"{name}: 5 % at k = {f['k_5_percent_hmpc']:.1f}, 10 % at {f['k_10_percent_hmpc']:.1f}"
        for name, f in figures.items()
    )
    note = (
        f"P over that of mesh {REFERENCE.mesh} and {REFERENCE.n_steps} steps, 25 Mpc/h, 64^3 "
        f"particles, {len(seeds)} seeds: mean (least to largest). Power is lost at {usable} h/Mpc."
    )
    header = [
        "k [h/Mpc]",
        *(f"{name} (mesh {s.mesh}, {s.n_steps} steps)" for name, s in runs.items()),
    ]
    return Measurement("Self-convergence", note, bars, header, rows, figures)
