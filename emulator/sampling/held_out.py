"""Held-out simulations: windows, draws, and the truth beside them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.config import SamplingConfig
from emulator.data.cutouts import Cutout, Pixel, Shape, extract, window_places
from emulator.data.maps import Maps, read_maps
from emulator.fields import shared_unit
from emulator.io import DataError
from emulator.metrics.channels import UNIT_OF_FIELD
from emulator.model.redshift import require_own_redshift
from emulator.sampling.cf import describe
from emulator.sampling.ensemble import Emulator
from emulator.sampling.grids import require_maps_of
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


RESPONSE_MEMBERS = 2
"""Members of a window of a response set: the fewest that tell their scatter."""

COPIED = ("simulation", "run", "set", "suite", "box_size_mpch", "omega_m", "omega_b", "hubble_h")
"""Attributes of the maps that an ensemble keeps."""


class HeldOut(NamedTuple):
    """Windows of one held-out simulation, cut for a model: conditions and what is true there.

    ``noise_of`` names the windows of a response set, see :meth:`Emulator.sample`.
    """

    conditions: "xr.Dataset"
    params: dict[str, float]
    facts: "xr.Dataset"
    noise_of: tuple[str, ...] | None = None


def cut_windows(
    emulator: Emulator,
    maps_path: Path,
    redraw_paths: Sequence[Path],
    options: SamplingConfig,
    *,
    split: str,
    response_set: str | None = None,
) -> HeldOut:
    """Cut the windows of one simulation.

    Windows are chosen without replacement from the non-overlapping tiling of all projections (ready
    windows are used whole), by a stream that depends on the sampling seed and on the run. All
    simulations of a response set have the same windows, and the same noise in each.

    Parameters
    ----------
    emulator
        The model, for its window, context, channels and parameters.
    maps_path
        ``maps/{simulation}.h5`` of the held-out simulation.
    redraw_paths
        Maps of re-drawn truths of the same run; those with other parameters are truths of another
        simulation of it and are left out. May be empty.
    options
        Windows and seed.
    split
        Name of the split, kept in the attributes.
    response_set
        Name of the set, if the simulation is of one that moves one parameter at a time; kept in the
        attributes.

    Returns
    -------
    Conditions ``condition, large_scale``, parameters, and the facts: ``truth``, ``centre``,
    ``projection`` (its number), ``projection_label`` and, if there are re-draws,
    ``truth_redraw (draw, sample, channel, y, x)``.

    Raises
    ------
    DataError
        If the maps do not have the pixels, depth or redshift that the model was trained on, a
        re-drawn truth has another dark-matter-only map, or a response set is of ready windows.
    """
    import xarray as xr

    maps = read_maps(maps_path)
    require_maps_of(maps.attrs, emulator.card, str(maps.path))
    if emulator.card.has_told_redshift:
        require_own_redshift(maps.attrs, maps.params, str(maps.path))
    if response_set is not None and not maps.periodic:
        raise DataError(
            f"{maps_path}",
            f"whole boxes of the response set {response_set}, cut at the same places",
            "ready windows, which need not lie at the same places",
            "Take the set out of data.split.response_sets.",
        )
    places = _choose_windows(maps, emulator.card.grid.shape, options, response_set)
    cuts = _cut_all(maps, places, emulator)
    names = emulator.params
    missing = [name for name in names if name not in maps.params]
    if missing:
        raise DataError(f"{maps_path}:params", f"parameters {names}", f"{missing} missing")
    mass, pixel = {"units": _unit_of(emulator)}, {"units": str(Unit.PIXEL)}
    space = maps.domain.axes
    dims = ("sample", "channel", *space)
    facts = xr.Dataset(
        {
            "truth": (dims, np.stack([cut.target for cut in cuts]), mass),
            "centre": (("sample", "axis"), np.array([p[1] for p in places]), pixel),
            "projection": (("sample",), np.array([p[0] for p in places])),
            "projection_label": (("sample",), [maps.projections[p[0]] for p in places]),
        },
        attrs={name: maps.attrs[name] for name in COPIED if name in maps.attrs} | {"split": split},
    )
    noise_of = None
    if response_set is not None:
        facts.attrs["response_set"] = response_set
        noise_of = tuple(
            ", ".join(map(str, (f"{response_set}: {p}", *centre))) for p, centre in places
        )
    redraws = _cut_redraws(redraw_paths, maps, places, emulator, cuts)
    if redraws:
        targets = np.stack([[cut.target for cut in draw] for draw in redraws])
        facts["truth_redraw"] = (("draw", *dims), targets, mass)
    conditions = xr.Dataset(
        {
            "condition": (("sample", *space), np.stack([cut.condition for cut in cuts])),
            "large_scale": (
                ("sample", "level", *space),
                np.stack([cut.large_scale for cut in cuts]),
            ),
        }
    )
    params = {name: float(maps.params[name]) for name in names}
    return HeldOut(conditions, params, facts, noise_of)


def _unit_of(emulator: Emulator) -> str:
    """Unit of the truth; maps of matter say that of masses."""
    if emulator.card.domain.is_matter:
        return str(Unit.MASS_PER_PIXEL)
    return shared_unit(emulator.fields, UNIT_OF_FIELD)


def response_options(options: SamplingConfig) -> SamplingConfig:
    """Options of a response set: two members of each window, and as many more windows.

    Members of common noise cancel it, windows do not repeat each other: for one cost, responses are
    known best from many windows of few members.
    """
    n_windows = max(1, options.windows_per_simulation * options.n_members // RESPONSE_MEMBERS)
    return options.model_copy(
        update={"n_members": RESPONSE_MEMBERS, "windows_per_simulation": n_windows}
    )


def draw_members(
    emulator: Emulator, windows: HeldOut, options: SamplingConfig, members: range
) -> "xr.Dataset":
    """Draw some members of every window; the Dataset of :meth:`Emulator.sample` and the facts."""
    ensemble = emulator.sample(
        windows.conditions,
        windows.params,
        n_members=len(members),
        first_member=members.start,
        seed=options.seed,
        noise_of=windows.noise_of,
        sampling=options,
        progress=True,
    )
    labelled = ensemble.assign(windows.facts).assign_attrs(ensemble.attrs | windows.facts.attrs)
    return describe(labelled)


def _cut_all(maps: Maps, places: Sequence[tuple[int, Pixel]], emulator: Emulator) -> list[Cutout]:
    return [
        extract(
            maps,
            projection,
            centre,
            window=emulator.card.grid.shape,
            context_factors=emulator.card.normalisation.context_factors,
            species=emulator.channels,
        )
        for projection, centre in places
    ]


def _cut_redraws(
    paths: Sequence[Path],
    maps: Maps,
    places: Sequence[tuple[int, Pixel]],
    emulator: Emulator,
    cuts: Sequence[Cutout],
) -> list[list[Cutout]]:
    """Windows of the re-drawn truths of one simulation, each with the same conditions."""
    redraws = []
    for path in paths:
        other = read_maps(path)
        if other.params != maps.params:
            continue
        require_maps_of(other.attrs, emulator.card, str(other.path))
        draw = _cut_all(other, places, emulator)
        for one, again in zip(cuts, draw, strict=True):
            if not np.allclose(one.condition, again.condition, rtol=1e-4):
                raise DataError(
                    path,
                    f"the dark-matter-only maps of {maps.path}, whose truth it re-draws",
                    "others",
                    "Equal phases and parameters, another twin? See suite.phases, redraw_sets.",
                )
        redraws.append(draw)
    return redraws


def _choose_windows(
    maps: Maps, window: Shape, options: SamplingConfig, response_set: str | None
) -> list[tuple[int, Pixel]]:
    places = window_places(maps, window)
    # runs of a response set differ in cosmology, not in where things are
    phases = str(maps.attrs["run"]) if response_set is None else response_set
    digest = hashlib.sha256(phases.encode()).digest()[:4]
    rng = np.random.default_rng([options.seed, int.from_bytes(digest, "little")])
    n_windows = min(options.windows_per_simulation, len(places))
    chosen = rng.choice(len(places), size=n_windows, replace=False)
    return [places[i] for i in sorted(chosen)]
