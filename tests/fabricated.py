"""A fabricated suite whose conditional distribution is known: the model can be exactly right.

DMO maps are lognormal. A *draw* of the hydro fields multiplies them, pixel by pixel, by shares and
by lognormal noise; stars live in a random subset of dense pixels. The truth is one draw, members
are other draws: an ensemble that is calibrated by construction, for every statistic.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from emulator.io import write_dataset, write_json
from emulator.units import CRITICAL_DENSITY

CHANNELS = ("dm_hydro", "gas", "stars")
SPECIES = ("dmo", *CHANNELS)
OMEGA_B, PIXEL, N_PIXELS, WINDOW = 0.049, 0.2, 64, 16


@dataclasses.dataclass(frozen=True)
class Simulation:
    """Name, run, parameters, and the seeds of phases and baryons."""

    name: str
    run: str
    omega_m: float
    star_share: float
    phases: int
    baryons: int


def simulations(n_train: int = 3, n_cv: int = 3, n_draws: int = 0) -> list[Simulation]:
    """``n_train`` SB runs of two simulations, and CV runs each with ``n_draws`` re-draws."""
    suite = []
    for run in range(n_train):
        for i in range(2):
            index = 2 * run + i
            omega_m = 0.25 + 0.05 * run
            suite.append(
                Simulation(f"SB_{index}", f"SB{run}", omega_m, 0.01 + 0.005 * i, run, index)
            )
    for run in range(n_cv):
        phases = 100 + run
        suite.append(Simulation(f"CV_{run}", f"CV{run}", 0.3, 0.0125, phases, 1000 + run))
        for i in range(n_draws):
            index = n_draws * run + i
            suite.append(Simulation(f"BE_{index}", f"CV{run}", 0.3, 0.0125, phases, 2000 + index))
    return suite


def dmo_maps(simulation: Simulation) -> np.ndarray:
    """Lognormal maps ``(projection, y, x)`` of one total mass [Msun/h per pixel]."""
    rng = np.random.default_rng([1, simulation.phases])
    freq = np.fft.fftfreq(N_PIXELS, 1 / N_PIXELS)
    radius = np.hypot(freq[:, None], freq[None, : N_PIXELS // 2 + 1])
    modes = np.fft.rfft2(rng.normal(size=(3, N_PIXELS, N_PIXELS))) / (1 + radius / 3.0)
    field = np.fft.irfft2(modes, s=(N_PIXELS, N_PIXELS))
    field = np.exp(0.9 * field / field.std())
    mean = CRITICAL_DENSITY * simulation.omega_m * PIXEL**2 * PIXEL * N_PIXELS
    return field / field.mean(axis=(1, 2), keepdims=True) * mean


def draw(
    simulation: Simulation, dmo: np.ndarray, rng: np.random.Generator, scatter: float = 1.0
) -> np.ndarray:
    """One draw ``(projection, channel, y, x)``; ``scatter`` other than 1 makes it wrong."""
    f_b, s = OMEGA_B / simulation.omega_m, simulation.star_share
    noise = rng.normal(size=(3, 3, N_PIXELS, N_PIXELS)) * scatter
    relative = dmo / dmo.mean(axis=(1, 2), keepdims=True)
    sigma = np.array([0.05, 0.25, 0.5])[:, None, None, None] * np.minimum(relative, 2.0)
    factor = np.exp(sigma * noise.transpose(1, 0, 2, 3) - sigma**2 / 2)
    occupied = rng.random(dmo.shape) < np.clip(relative / 8.0, 0.0, 1.0)
    fields = np.stack(
        [(1 - f_b) * dmo * factor[0], (f_b - s) * dmo * factor[1], s * dmo * 8 * factor[2]], axis=1
    )
    fields[:, 2] *= occupied
    # All projections of one box hold the same mass.
    mass = fields.sum(axis=(2, 3), keepdims=True)
    return fields * mass.mean(axis=0, keepdims=True) / mass


def truth_maps(simulation: Simulation) -> np.ndarray:
    """``(projection, species, y, x)`` float32 [Msun/h per pixel]."""
    dmo = dmo_maps(simulation)
    hydro = draw(simulation, dmo, np.random.default_rng([2, simulation.baryons]))
    return np.concatenate([dmo[:, None], hydro], axis=1)


def write_maps(folder: Path, simulation: Simulation, maps: np.ndarray | None = None) -> None:
    """Write one file that follows the contract of ``maps/{simulation}.h5``."""
    maps = truth_maps(simulation) if maps is None else maps
    values, coords = {}, {"projection": ["x", "y", "z"], "species": list(SPECIES)}
    values["maps"] = (("projection", "species", "y", "x"), maps.astype(np.float32))
    for f in (2, 4):
        n = N_PIXELS // f
        blocks = (
            maps[:, 0].astype(np.float32).astype(float).reshape(3, n, f, n, f).mean(axis=(2, 4))
        )
        values[f"context_{f}"] = (("projection", f"y_{f}", f"x_{f}"), blocks.astype(np.float32))
    values["halo_position"] = (("halo", "axis"), np.full((1, 3), 1.0))
    values["halo_m200c"] = ("halo", np.array([1e13]))
    values["halo_r200c"] = ("halo", np.array([0.4]))
    attrs = attributes(simulation)
    for i, name in enumerate(SPECIES):
        mass = float(maps[:, i].sum(axis=(1, 2), dtype=np.float64).mean())
        attrs[f"mass_map_{name}"] = attrs[f"mass_particles_{name}"] = mass
    params = {"Omega_m": simulation.omega_m, "A_SN1": simulation.star_share}
    ranges = {name: {"min": 0.0, "max": 1.0, "fiducial": 0.3, "log": False} for name in params}
    attrs |= {"params": json.dumps(params), "param_ranges": json.dumps(ranges)}
    dataset = xr.Dataset(values, coords=coords, attrs=attrs)
    write_dataset(dataset, folder / f"{simulation.name}.h5")


def attributes(simulation: Simulation) -> dict:
    return {
        "simulation": simulation.name,
        "run": simulation.run,
        "set": simulation.name.split("_")[0],
        "suite": "Fabricated",
        "split": "test",
        "pixel_mpch": PIXEL,
        "box_size_mpch": PIXEL * N_PIXELS,
        "depth_mpch": PIXEL * N_PIXELS,
        "redshift": 0.0,
        "omega_m": simulation.omega_m,
        "omega_b": OMEGA_B,
        "hubble_h": 0.67,
        "conventions": "fabricated",
        "emulator_version": "0",
        "stage": "test",
        "provenance": "{}",
    }


def make_ensemble(
    simulation: Simulation,
    *,
    redraws: Sequence[Simulation] = (),
    n_members: int = 8,
    n_windows: int = 4,
    scatter: float = 1.0,
) -> xr.Dataset:
    """An ensemble of the contract, with re-drawn truths if there are any."""
    maps = truth_maps(simulation)
    dmo = maps[:, 0]
    members = np.stack(
        [
            draw(simulation, dmo, np.random.default_rng([3, simulation.baryons, k]), scatter)
            for k in range(n_members)
        ]
    )
    rng = np.random.default_rng([4, simulation.phases])
    centre = rng.integers(0, N_PIXELS, size=(n_windows, 2))
    projection = rng.integers(0, 3, size=n_windows)

    def cut(field: np.ndarray, i: int) -> np.ndarray:
        rows, columns = ((np.arange(WINDOW) + c - WINDOW // 2) % N_PIXELS for c in centre[i])
        return field[..., rows[:, None], columns[None, :]].astype(np.float32)

    samples = range(n_windows)
    others = [truth_maps(redraw) for redraw in redraws]
    redrawn = [[cut(other[projection[i], 1:], i) for i in samples] for other in others]
    oracle = {"truth_redraw": (("draw", "sample", "channel", "y", "x"), redrawn)} if others else {}
    ensemble = assemble_ensemble(
        simulation,
        fields=np.stack([cut(members[:, projection[i]], i) for i in samples]),
        truth=np.stack([cut(maps[projection[i], 1:], i) for i in samples]),
        condition=np.stack([cut(dmo[projection[i]], i) for i in samples]),
        centre=centre,
        projection=projection,
    )
    return ensemble.assign(oracle)


def assemble_ensemble(
    simulation: Simulation,
    *,
    fields: np.ndarray,
    truth: np.ndarray,
    condition: np.ndarray,
    centre: np.ndarray,
    projection: np.ndarray,
) -> xr.Dataset:
    """Arrays by sample, with the dims, coordinates and attributes of an ensemble file."""
    n_windows, n_members = fields.shape[:2]
    return xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), fields),
            "truth": (("sample", "channel", "y", "x"), truth),
            "condition": (("sample", "y", "x"), condition),
            "params": (
                ("sample", "parameter"),
                np.tile([simulation.omega_m, simulation.star_share], (n_windows, 1)),
            ),
            "centre": (("sample", "axis"), centre),
            "projection": ("sample", projection),
            "seed": ("member", np.arange(n_members)),
        },
        coords={
            "model_seed": ("member", np.zeros(n_members, int)),
            "channel": list(CHANNELS),
            "parameter": ["Omega_m", "A_SN1"],
        },
        attrs={
            **attributes(simulation),
            "n_steps": 20,
            "solver": "exact",
            "notice": "fabricated fields for tests",
        },
    )


def write_suite(root: Path, *, n_draws: int = 0, n_cv: int = 3, scatter: float = 1.0, **ensemble):
    """Write maps, ensembles and splits below ``root``; return ensembles, maps folder and splits."""
    suite = simulations(n_cv=n_cv, n_draws=n_draws)
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    paths = []
    for simulation in suite:
        write_maps(root / "maps", simulation)
        held_out = not simulation.name.startswith("SB")
        splits["test" if held_out else "train"].append(simulation.name)
        if simulation.name.startswith("CV"):
            same_run = [s for s in suite if s.run == simulation.run and s != simulation]
            paths.append(root / "results" / "ensembles" / "test" / f"{simulation.name}.nc")
            drawn = make_ensemble(simulation, redraws=same_run, scatter=scatter, **ensemble)
            write_dataset(drawn, paths[-1])
    write_json(root / "results" / "splits.json", splits)
    return paths, root / "maps", splits
