"""Conditions of which only some parameters are known."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.data.condition import Condition
from emulator.model.card import ModelCard
from emulator.sampling.given.request import read_given
from emulator.sampling.inputs import Policy, prepare_condition

if TYPE_CHECKING:
    import xarray as xr

Ranges = Mapping[str, tuple[float, float]]
Known = Mapping[str, float] | Sequence[Mapping[str, float]]


class PartlyKnown(NamedTuple):
    """Windows, and the names of what is known of their parameters; other columns hold anything."""

    condition: Condition
    known: tuple[str, ...]


def prepare_known(
    card: ModelCard,
    condition: "np.ndarray | xr.Dataset",
    known: Known,
    prior: Ranges | None,
    *,
    large_scale: np.ndarray | None,
    centres: Sequence[tuple[int, int]] | None,
    out_of_range: Policy,
) -> PartlyKnown:
    """Check and shape conditions; arguments as of :meth:`BaseEmulator.simulator`.

    Raises
    ------
    EmulatorError
        For what :func:`emulator.sampling.inputs.prepare_condition` refuses, with the free
        parameters at their fiducial values, or as near as their prior allows.
    """
    card.require_maps("infer, simulator and uncertainty")
    scales = card.normalisation.params
    rows = [known] if isinstance(known, Mapping) else list(known)
    names = tuple(name for name in scales if all(name in row for row in rows))
    free = {name: scale.fiducial for name, scale in scales.items() if name not in names}
    for name, (low, high) in (prior or {}).items():
        if name in free:
            free[name] = float(np.clip(free[name], low, high))
    whole = [{**row, **free} for row in rows]
    given = read_given(condition, whole, card, large_scale=large_scale, centres=centres)
    prepared = prepare_condition(
        given.field, given.params, card.normalisation, card.matter_grid,
        large_scale=given.large_scale,
        centres=given.centres, out_of_range=out_of_range,
    )  # fmt: skip
    return PartlyKnown(prepared, names)
