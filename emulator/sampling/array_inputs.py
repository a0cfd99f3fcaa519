"""What a user passes to ``sample`` of a model of arrays: brought to one form, or refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from emulator.data.condition import Condition
from emulator.fields import Field
from emulator.io import EmulatorError
from emulator.model.card import ArrayGrid
from emulator.model.normalisation import Normalisation
from emulator.sampling.inputs import Policy, parameter_table

if TYPE_CHECKING:
    import xarray as xr


def prepare_arrays(
    condition: "np.ndarray | xr.Dataset",
    params: Any,
    normalisation: Normalisation,
    grid: ArrayGrid,
    *,
    large_scale: np.ndarray | None = None,
    out_of_range: Policy = "raise",
) -> Condition:
    """Check and shape the conditions of a model of arrays.

    Parameters
    ----------
    condition
        Of one condition ``(y, x)`` or ``(sample, y, x)``; of several ``(field, y, x)`` or
        ``(sample, field, y, x)`` in the order of the model; a Dataset that holds each by its name;
        or one that holds ``condition`` and ``large_scale`` as an ensemble does [unit of each].
    params
        As in :func:`emulator.sampling.inputs.prepare_condition`; None where the model has none.
    normalisation, grid
        Of the bundle.
    large_scale
        Conditions after the first, ``(field, y, x)`` or ``(sample, field, y, x)``.
    out_of_range
        What to do with a parameter outside the trained range.

    Raises
    ------
    EmulatorError
        For wrong shapes, missing or unknown names, values that are not finite, or negative where
        the field is not signed.
    """
    rows = normalisation.conditions or ()
    values = _stacked(condition, large_scale, rows)
    shape = (len(rows), *grid.shape)
    if values.ndim == 3 and (len(rows) > 1 or values.shape == shape):
        values = values[None] if len(rows) > 1 else values[:, None]
    elif values.ndim in (2, 3):
        values = values.reshape(-1, 1, *values.shape[-2:])
    if values.ndim != 4 or values.shape[1:] != shape:
        raise EmulatorError(
            f"condition: expected (sample, {', '.join(map(str, shape))}), the conditions "
            f"{', '.join(row.name for row in rows)} whole, got {values.shape}"
        )
    for index, row in enumerate(rows):
        own = values[:, index]
        if not np.isfinite(own).all() or (not row.signed and (own < 0).any()):
            kind = "finite values" if row.signed else "finite values >= 0"
            raise EmulatorError(f"condition: expected {kind} of {row.name} [{row.unit}]")
    given = {} if params is None and not normalisation.params else params
    table = parameter_table(given, normalisation, len(values), out_of_range)
    return Condition(
        torch.from_numpy(np.array(values[:, 0])),
        torch.from_numpy(np.array(values[:, 1:])),
        torch.from_numpy(np.array(table, np.float64)),
    )


def _stacked(
    condition: "np.ndarray | xr.Dataset", further: np.ndarray | None, rows: Sequence[Field]
) -> np.ndarray:
    """Conditions as one array, in the form that they were given."""
    if isinstance(condition, np.ndarray) or not hasattr(condition, "data_vars"):
        values = np.asarray(condition, np.float32)
        if further is None:
            return values
    else:
        names = [row.name for row in rows]
        if all(name in condition for name in names):
            layers = [np.asarray(condition[name].to_numpy(), np.float32) for name in names]
            if len({layer.shape for layer in layers}) > 1:
                shapes = [layer.shape for layer in layers]
                raise EmulatorError(f"condition: expected conditions of one shape, got {shapes}")
            return np.stack(layers, axis=-3)
        if "condition" not in condition:
            raise EmulatorError(
                f"condition: expected the variables {', '.join(names)}, got {list(condition)}"
            )
        values = np.asarray(condition["condition"].to_numpy(), np.float32)
        further = condition["large_scale"].to_numpy() if "large_scale" in condition else further
    if len(rows) == 1 or further is None:
        return values
    more = np.asarray(further, np.float32)
    if more.shape[-2:] != values.shape[-2:] or more.ndim != values.ndim + 1:
        raise EmulatorError(
            f"large_scale: expected the conditions after the first, of {values.shape[-2:]} pixels, "
            f"got {more.shape}"
        )
    return np.concatenate([values[..., None, :, :], more], axis=-3)
