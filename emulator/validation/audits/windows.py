"""Held-out windows that are audited: cut once, with what takes the place of their conditions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from emulator.config import SamplingConfig, maps_file
from emulator.data.maps import read_maps
from emulator.model.card import ModelCard
from emulator.sampling.ensemble import Emulator
from emulator.sampling.held_out import HeldOut, cut_windows
from emulator.validation.audits.chosen import by_runs, partners_of, spread_by_mass
from emulator.validation.scales import scales_of, unit_of

WINDOWS_EACH = 4
"""Windows of a simulation, if there are enough of these: many runs say more than many windows."""

POOL = 64
"""Windows of a simulation that a partner of the same mass is sought among."""


class Audited(NamedTuple):
    """Windows of several simulations, one after the other.

    ``conditions`` and ``params`` are their own, ``contexts`` those of a window of the same mass,
    ``strangers`` the parameters of another simulation; None where there is no other.
    """

    conditions: xr.Dataset
    params: list[dict[str, float]]
    contexts: xr.DataArray | None
    strangers: list[dict[str, float]] | None
    truth: xr.DataArray
    scales: xr.DataArray
    owners: list[int]
    simulations: list[str]
    runs: list[str]
    names: list[str]
    mass_difference: float
    """Mean of ``|ln|`` of the mass of the partner over that of the window."""


def cut_audited(
    model: Emulator,
    maps_dir: Path,
    runs: Mapping[str, str],
    known: Mapping[str, Mapping[str, float]],
    sampling: SamplingConfig,
    n_windows: int,
) -> Audited:
    """Cut about ``n_windows`` windows of simulations of as many runs as possible.

    Parameters
    ----------
    model
        For its window, context, channels and parameters.
    maps_dir
        Folder of ``{simulation}.h5``.
    runs
        Run of each simulation that may be audited.
    known
        Parameters of simulations that may lend theirs.
    sampling
        Seed of the choice.

    Raises
    ------
    DataError
        Maps that do not fit the model.
    """
    n_simulations = min(len(runs), max(1, n_windows // WINDOWS_EACH))
    names = by_runs(runs)[:n_simulations]
    n_each = -(-n_windows // n_simulations)
    pool = sampling.model_copy(update={"windows_per_simulation": max(POOL, n_each)})
    density = density_parameter(model.card)
    conditions, contexts, truths, scales, masses = [], [], [], [], []
    params: list[dict[str, float]] = []
    strangers: list[dict[str, float]] = []
    owners: list[int] = []
    has_partners = bool(model.card.normalisation.context_factors)
    for number, name in enumerate(names):
        path = maps_file(maps_dir, name)
        held = cut_windows(model, path, [], pool, split="test")
        pairs = _pairs(held, n_each)
        rows, partners = [i for i, _ in pairs], [i for _, i in pairs]
        has_partners &= rows != partners
        conditions.append(held.conditions.isel(sample=rows))
        contexts.append(held.conditions["large_scale"].isel(sample=partners))
        truths.append(held.facts["truth"].isel(sample=rows))
        mass = _masses(held)
        masses += [abs(np.log(mass[b] / mass[a])) for a, b in pairs if min(mass[a], mass[b]) > 0]
        maps = read_maps(path, lazy=True, verified=False)
        scales += [scales_of(maps, model.fields, unit_of(maps)).values] * len(rows)
        maps.close()
        others = {other: known[other] for other in known if other != name}
        lenders = partners_of(held.params, others, density)
        params += [held.params] * len(rows)
        strangers += [
            {key: known[lenders[i % len(lenders)]][key] for key in held.params}
            for i in range(len(rows))
            if lenders
        ]
        owners += [number] * len(rows)
    return Audited(
        conditions=xr.concat(conditions, "sample"),
        params=params,
        contexts=xr.concat(contexts, "sample") if has_partners else None,
        strangers=strangers if len(strangers) == len(params) and model.params else None,
        truth=xr.concat(truths, "sample").assign_coords(channel=model.channels),
        scales=xr.DataArray(
            np.array(scales), dims=("sample", "channel"), coords={"channel": model.channels}
        ),
        owners=owners,
        simulations=names,
        runs=[runs[name] for name in names],
        names=[f"audit {names[owner]} {i}" for i, owner in enumerate(owners)],
        mass_difference=float(np.mean(masses)) if masses else float("nan"),
    )


def density_parameter(card: ModelCard) -> str | None:
    """Parameter that the mean density of a map shows, if the model is told one."""
    share = card.normalisation.cosmic_share
    return share.omega_m if share is not None and isinstance(share.omega_m, str) else None


def _masses(held: HeldOut) -> Sequence[float]:
    values = held.conditions["condition"]
    means = values.mean([dim for dim in values.dims if dim != "sample"], dtype=np.float64)
    return [float(mean) for mean in means.values]


def _pairs(held: HeldOut, n_each: int) -> list[tuple[int, int]]:
    masses = _masses(held)
    return spread_by_mass(masses, n_each) if len(masses) > 1 else [(0, 0)]
