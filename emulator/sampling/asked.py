"""Inputs of a call of a model: read, and prepared for its network, of matter or of arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.data.condition import Condition
from emulator.io import EmulatorError
from emulator.model.card import Grid, ModelCard
from emulator.sampling.condition_score import check_conditions
from emulator.sampling.given.array_fields import prepare_arrays, read_arrays
from emulator.sampling.given.parameters import params_beside
from emulator.sampling.given.request import Given, read_given
from emulator.sampling.inputs import Policy, prepare_condition
from emulator.sampling.painting.labelled import is_periodic
from emulator.sampling.painting.source import read_source


def read_asked(
    condition: Any, params: Any, card: ModelCard, *, projection: str | None, **places: Any
) -> Given:
    """What was passed, without units; arguments as of :meth:`BaseEmulator.sample`.

    Raises
    ------
    EmulatorError
        Files of patches, a projection of an array, missing parameters; and as
        :func:`~emulator.sampling.given.request.read_given`, of arrays
        :func:`~emulator.sampling.given.array_fields.read_arrays`.
    """
    grid = card.grid
    if not isinstance(grid, Grid):
        return read_arrays(condition, params, card, projection=projection, **places)
    if isinstance(condition, str | Path) or "maps" in getattr(condition, "data_vars", ()):
        card.require_maps("condition: a file or its maps")
        condition, own, periodic = read_source(condition, grid, projection)
        _require_box(periodic)
        params = params_beside(own, params, card, "condition")
    elif projection is not None:
        raise EmulatorError("projection: names a map of a file, and the condition is an array")
    elif params is None:
        params = params_beside(None, None, card, "condition")
    if any(places.get(name) is not None for name in ("centres", "centres_mpch")):
        _require_box(is_periodic(getattr(condition, "attrs", {})))
    return read_given(condition, params, card, **places)


def _require_box(periodic: bool) -> None:
    """Windows are cut across the edges of a map."""
    if not periodic:
        raise EmulatorError(
            "condition: expected the map of a whole box, whose opposite edges touch, got a patch "
            "(attribute periodic): paint it, or pass windows and large_scale="
        )


def prepare_asked(
    given: Given, card: ModelCard, out_of_range: Policy
) -> tuple[Condition, NDArray[np.float64] | None]:
    """What a network is given, and how usual it is; values and parameters were looked at.

    Scores are those of :func:`~emulator.sampling.condition_score.check_conditions`.

    Raises
    ------
    EmulatorError
        What does not fit the model, is beyond its training, or it was never trained without.
    """
    grid = card.grid
    if isinstance(grid, Grid):
        prepared = prepare_condition(
            given.field, given.params, card.normalisation, grid,
            large_scale=given.large_scale, centres=given.centres, out_of_range=out_of_range,
        )  # fmt: skip
    else:
        prepared = prepare_arrays(given, card, out_of_range=out_of_range)
    card.require_trained_without(prepared.params)
    return prepared, check_conditions(prepared, card, out_of_range)
