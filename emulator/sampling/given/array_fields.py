"""Conditions of a model of arrays, as a user passes them: brought to one form, or refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from emulator.data.condition import Condition
from emulator.fields import Field
from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.given.parameters import Policy, check_range, for_samples, parameter_rows
from emulator.sampling.given.request import Given


def read_arrays(
    condition: Any,
    params: Any,
    card: ModelCard,
    *,
    large_scale: Any = None,
    **places: Any,
) -> Given:
    """Read labels and units of conditions, and stack them.

    Parameters
    ----------
    condition
        Of one condition ``(y, x)`` or ``(sample, y, x)``; of several ``(field, y, x)`` or
        ``(sample, field, y, x)`` in the order of the model; a Dataset that holds each by its name;
        or one that holds ``condition`` and ``large_scale`` as an ensemble does [unit of each].
    params
        As of :meth:`emulator.sampling.base.BaseEmulator.sample`; None where the model has none.
    card
        Of the model.
    large_scale
        Conditions after the first, ``(field, y, x)`` or ``(sample, field, y, x)``.
    places
        Centres and a projection, which arrays do not have.

    Returns
    -------
    Given
        ``field (sample, y, x)`` of the first condition, ``large_scale (sample, field, y, x)`` of
        the others.

    Raises
    ------
    EmulatorError
        For wrong shapes, missing names, another unit, places to cut at, and what is no array of
        numbers.
    """
    asked = [name for name, value in places.items() if value is not None]
    if asked:
        raise EmulatorError(
            f"{', '.join(asked)}: arrays are drawn whole, and have no places to cut at"
        )
    rows, names = card.domain.conditions, list(card.normalisation.params)
    values, shape = _stacked(condition, large_scale, rows), (len(rows), *card.grid.shape)
    if len(rows) == 1 and values.ndim in (2, 3) and values.shape[-2:] == shape[1:]:
        values = values.reshape(-1, *shape)
    elif values.ndim == 3:
        values = values[None]
    if values.ndim != 4 or values.shape[1:] != shape:
        raise EmulatorError(
            f"condition: expected (sample, {', '.join(map(str, shape))}), the conditions "
            f"{', '.join(row.name for row in rows)} whole, got {values.shape}"
        )
    table = parameter_rows({} if params is None and not names else params, names)
    return Given(values[:, 0], values[:, 1:], table, None)


def prepare_arrays(given: Given, card: ModelCard, *, out_of_range: Policy = "raise") -> Condition:
    """Check values and parameters, and hand them to a network.

    Raises
    ------
    EmulatorError
        Values that are not finite, or negative where the field is not signed; another number of
        rows of parameters, or one outside its range, unless ``out_of_range`` is ``warn``.
    """
    further = given.large_scale
    layers = [given.field, *(() if further is None else np.moveaxis(further, 1, 0))]
    for row, own in zip(card.domain.conditions, layers, strict=True):
        if not np.isfinite(own).all() or (not row.signed and (own < 0).any()):
            kind = "finite values" if row.signed else "finite values >= 0"
            raise EmulatorError(f"condition: expected {kind} of {row.name} [{row.unit}]")
    normalisation = card.normalisation
    table = for_samples(given.params, len(given.field))
    check_range(table, normalisation, out_of_range)
    normalisation.require_positive(table)
    arrays = (given.field, further, np.ascontiguousarray(table, np.float64))
    return Condition(*(torch.from_numpy(np.array(array)) for array in arrays))


def require_plain_call(**asked: Any) -> None:
    """Refuse options of a call that are of maps of matter.

    Raises
    ------
    EmulatorError
        Names them.
    """
    named = [name for name, value in asked.items() if value is not None]
    if named:
        raise EmulatorError(
            f"{', '.join(named)}: of models of maps of matter alone, and this one is of arrays: "
            "leave it out"
        )


def _stacked(condition: Any, further: Any, rows: Sequence[Field]) -> np.ndarray:
    """Conditions as one array, in the form that they were given."""
    names = [row.name for row in rows]
    if hasattr(condition, "data_vars"):
        if all(name in condition for name in names):
            layers = [_plain(condition[row.name], row.name, row) for row in rows]
            if len({layer.shape for layer in layers}) > 1:
                shapes = [layer.shape for layer in layers]
                raise EmulatorError(f"condition: expected conditions of one shape, got {shapes}")
            return np.stack(layers, axis=-3)
        if "condition" not in condition:
            raise EmulatorError(
                f"condition: expected the variables {', '.join(names)}, got {list(condition)}"
            )
        further = condition.get("large_scale", further)
        condition = condition["condition"]
    values = _plain(condition, "condition", rows[0] if len(rows) == 1 else None)
    if len(rows) == 1 or further is None:
        return values
    more = _plain(further, "large_scale", None)
    if more.shape[-2:] != values.shape[-2:] or more.ndim != values.ndim + 1:
        raise EmulatorError(
            f"large_scale: expected the conditions after the first, of {values.shape[-2:]} pixels, "
            f"got {more.shape}"
        )
    return np.concatenate([values[..., None, :, :], more], axis=-3)


def _plain(values: Any, name: str, row: Field | None) -> np.ndarray:
    """Numbers of an argument; units that it says must be those of its field."""
    unit = getattr(values, "attrs", {}).get("units")
    if row is not None and unit is not None and str(unit) != row.unit:
        raise EmulatorError(
            f"{name}: expected units {row.unit!r}, got {str(unit)!r}: convert the values and set "
            "attrs['units']"
        )
    return plain_array(values, name).astype(np.float32, copy=False)
