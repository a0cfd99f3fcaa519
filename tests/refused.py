"""Ensembles that the judge must refuse, each beside the calibrated one that it must accept.

The law is known: of a DMO map of :mod:`fabricated`, each field is its share of the matter times a
response to the parameters and to the surroundings within some 10 pixels, times lognormal noise that
is *correlated in space*, so that the sum over a square scatters far more than that of independent
pixels; stars live in patches of dense pixels.
Every simulation has parameters of its own. The truth is one draw, the members of ``calibrated`` are
others; all other kinds are wrong in one way:

===================  ===============================================================================
``ignorant``         each member has the parameters of a random training simulation
``unconditional``    each member belongs to a random other DMO map: calibrated, and useless
``under_dispersed``  half the distance from the mean of the members
``over_dispersed``   more noise, as correlated as that of the law; the mean stays
``blurred``          smoothed over 0.8 pixels; the mean stays
``mass_losing``      a tenth of every field is lost
===================  ===============================================================================
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import fabricated
import numpy as np
import xarray as xr
from fabricated import N_PIXELS, OMEGA_B, WINDOW, Simulation
from scipy import ndimage, special

from emulator.io import write_dataset, write_json

SCATTER = (0.08, 0.30, 0.50)
"""Of the logarithm of each field."""
RESPONSE = (-0.15, 0.70)
"""Of the logarithm of dark matter and gas to the feedback parameter, from its middle to its end."""
SURROUNDINGS = (0.05, 0.20, 0.50)
"""Of the logarithm of each field to a standard deviation of the smoothed DMO map."""
SMOOTHING_PIXELS = 6.0
CORRELATION_PIXELS = 1.5
KINDS = (
    "calibrated",
    "ignorant",
    "unconditional",
    "under_dispersed",
    "over_dispersed",
    "blurred",
    "mass_losing",
)
REFUSED = KINDS[1:]
_LOW, _HIGH = 0.004, 0.020
"""Range of the feedback parameter, which is the share of the stars as well."""


def simulations(n_train: int = 16, n_cv: int = 6, n_draws: int = 0) -> list[Simulation]:
    """Training runs ``SB_*`` and held-out ``CV_*`` of their own parameters and phases.

    ``n_draws`` re-drawn truths ``BE_*`` share the run of each ``CV_*``.
    """
    suite = []
    for i in range(n_train + n_cv):
        held_out = i >= n_train
        run = i - n_train if held_out else i
        # low-discrepancy points, with an offset for those that are held out
        u, v = ((i + 1) * np.array([0.7549, 0.5698])) % 1.0
        parameters = (0.2 + 0.2 * u, _LOW + (_HIGH - _LOW) * v)
        name = "CV" if held_out else "SB"
        suite.append(Simulation(f"{name}_{run}", f"{name}{run}", *parameters, i, 1000 + i))
        for j in range(n_draws if held_out else 0):
            index = n_draws * run + j
            redraw = dataclasses.replace(suite[-1 - j], name=f"BE_{index}", baryons=5000 + index)
            suite.append(redraw)
    return suite


def correlated_noise(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Gaussian noise of unit variance, half of it white, half of it smooth; periodic."""
    white, rough = rng.normal(size=(2, *shape))
    sigma = (*(0.0,) * (len(shape) - 2), CORRELATION_PIXELS, CORRELATION_PIXELS)
    smooth = ndimage.gaussian_filter(rough, sigma, mode="wrap")
    # standard deviation of white noise after a Gaussian filter in two dimensions
    return np.sqrt(0.5) * (white + smooth * 2.0 * np.sqrt(np.pi) * CORRELATION_PIXELS)


def draw(simulation: Simulation, dmo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw ``(projection, channel, y, x)`` of the law [Msun/h per pixel]."""
    f_b, s = OMEGA_B / simulation.omega_m, simulation.star_share
    feedback = (s - 0.5 * (_LOW + _HIGH)) / (0.5 * (_HIGH - _LOW))
    noise = correlated_noise(rng, (4, *dmo.shape))
    relative = dmo / dmo.mean(axis=(1, 2), keepdims=True)
    factor = [np.exp(w * n - w**2 / 2) for w, n in zip(SCATTER, noise[:3], strict=True)]
    felt = feedback * np.tanh(relative)
    factor = [f * e for f, e in zip(factor, environment(relative), strict=True)]
    occupied = special.ndtr(noise[3]) < np.clip(relative / 8.0, 0.0, 1.0)
    return np.stack(
        [
            (1 - f_b) * dmo * factor[0] * np.exp(RESPONSE[0] * felt),
            (f_b - s) * dmo * factor[1] * np.exp(RESPONSE[1] * felt),
            s * dmo * 4.0 * factor[2] * occupied,
        ],
        axis=1,
    )


def environment(relative: np.ndarray) -> list[np.ndarray]:
    """What the surroundings do to each field; 1 on average over the map."""
    sigma = (0.0, SMOOTHING_PIXELS, SMOOTHING_PIXELS)
    smooth = np.log(ndimage.gaussian_filter(relative, sigma, mode="wrap"))
    smooth = (smooth - smooth.mean((1, 2), keepdims=True)) / smooth.std((1, 2), keepdims=True)
    effects = [np.exp(amplitude * smooth) for amplitude in SURROUNDINGS]
    return [effect / effect.mean((1, 2), keepdims=True) for effect in effects]


def truth_maps(simulation: Simulation) -> np.ndarray:
    """``(projection, species, y, x)`` [Msun/h per pixel]."""
    dmo = fabricated.dmo_maps(simulation)
    hydro = draw(simulation, dmo, np.random.default_rng([2, simulation.baryons]))
    return np.concatenate([dmo[:, None], hydro], axis=1)


def make_ensemble(
    simulation: Simulation,
    kind: str = "calibrated",
    *,
    redraws: Sequence[Simulation] = (),
    n_members: int = 8,
    n_windows: int = 6,
) -> xr.Dataset:
    """An ensemble of the contract, of one of the kinds."""
    if kind not in KINDS:
        raise ValueError(f"expected one of {KINDS}, got {kind}")
    maps = truth_maps(simulation)
    members = np.stack([_member(simulation, maps[:, 0], kind, k) for k in range(n_members)])
    rng = np.random.default_rng([4, simulation.phases])
    centre = rng.integers(0, N_PIXELS, size=(n_windows, 2))
    projection = rng.integers(0, 3, size=n_windows)
    tiles = [(projection[i], *np.ix_(*_pixels(centre[i]))) for i in range(n_windows)]

    def cut(values: np.ndarray) -> np.ndarray:
        """``(projection, ..., y, x)`` at all windows, ``(sample, ..., y, x)``."""
        return np.stack([values[p][..., rows, columns] for p, rows, columns in tiles]).astype("f4")

    fields = cut(np.moveaxis(members, 1, 0))
    ensemble = fabricated.assemble_ensemble(
        simulation,
        fields=fields,
        truth=cut(maps[:, 1:]),
        condition=cut(maps[:, 0]),
        centre=centre,
        projection=projection,
    )
    if redraws:
        others = np.stack([cut(truth_maps(redraw)[:, 1:]) for redraw in redraws])
        ensemble["truth_redraw"] = (("draw", "sample", "channel", "y", "x"), others)
    spoil = {
        "under_dispersed": under_dispersed,
        "over_dispersed": over_dispersed,
        "blurred": blurred,
        "mass_losing": mass_losing,
    }.get(kind)
    return spoil(ensemble) if spoil else ensemble


def _pixels(centre: np.ndarray) -> list[np.ndarray]:
    return [(np.arange(WINDOW) + c - WINDOW // 2) % N_PIXELS for c in centre]


def _member(simulation: Simulation, dmo: np.ndarray, kind: str, member: int) -> np.ndarray:
    rng = np.random.default_rng([3, simulation.baryons, member])
    if kind == "ignorant":
        training = [s for s in simulations() if s.name.startswith("SB")]
        other = training[int(rng.integers(len(training)))]
        simulation = dataclasses.replace(
            simulation, omega_m=other.omega_m, star_share=other.star_share
        )
    if kind == "unconditional":
        phases = 10_000 + 100 * simulation.phases + member
        dmo = fabricated.dmo_maps(dataclasses.replace(simulation, phases=phases))
    return draw(simulation, dmo, rng)


def under_dispersed(ensemble: xr.Dataset, factor: float = 0.5) -> xr.Dataset:
    """Members at ``factor`` of their distance from their mean, which stays."""
    fields = ensemble["fields"]
    mean = fields.mean("member")
    near = (mean + factor * (fields - mean)).transpose(*fields.dims)
    return ensemble.assign(fields=fields.copy(data=near.values))


def over_dispersed(ensemble: xr.Dataset, more: float = 1.2, seed: int = 0) -> xr.Dataset:
    """Members times noise of ``more`` times the scatter of the law; their mean stays."""
    fields = ensemble["fields"]
    rng = np.random.default_rng([seed, int(ensemble["centre"].values.sum())])
    noise = correlated_noise(rng, fields.shape)
    width = more * np.array(SCATTER)[:, None, None]
    factor = np.exp(width * noise - width**2 / 2)
    return ensemble.assign(fields=(fields * factor.astype(np.float32)).astype(np.float32))


def blurred(ensemble: xr.Dataset, pixels: float = 0.8) -> xr.Dataset:
    """Members smoothed by a Gaussian; the mass of each window stays."""
    fields = ensemble["fields"]
    smooth = ndimage.gaussian_filter(fields.values, (0, 0, 0, pixels, pixels), mode="reflect")
    return ensemble.assign(fields=fields.copy(data=smooth))


def mass_losing(ensemble: xr.Dataset, lost: float = 0.1) -> xr.Dataset:
    """Members without a share of their mass."""
    return ensemble.assign(fields=ensemble["fields"] * np.float32(1.0 - lost))


def write_maps(root: Path, **sizes: int) -> tuple[Path, dict[str, list[str]]]:
    """Write the maps of :func:`simulations` and the splits; return their folder, and the splits."""
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for simulation in simulations(**sizes):
        fabricated.write_maps(root / "maps", simulation, truth_maps(simulation))
        splits["train" if simulation.name.startswith("SB") else "test"].append(simulation.name)
    write_json(root / "results" / "splits.json", splits)
    return root / "maps", splits


def write_ensembles(
    root: Path,
    kind: str = "calibrated",
    *,
    n_train: int = 16,
    n_cv: int = 6,
    n_draws: int = 0,
    **ensemble: int,
) -> list[Path]:
    """Write ensembles of the held-out simulations ``CV_*`` below ``root/kind``."""
    paths = []
    suite = simulations(n_train, n_cv, n_draws)
    for simulation in suite:
        if simulation.name.startswith("CV"):
            redraws = [s for s in suite if s.run == simulation.run and s != simulation]
            paths.append(root / kind / "ensembles" / "test" / f"{simulation.name}.nc")
            write_dataset(make_ensemble(simulation, kind, redraws=redraws, **ensemble), paths[-1])
    return paths
