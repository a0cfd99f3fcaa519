"""What a user passes to ``sample``: brought to one form, or refused with a reason."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from emulator.data.condition import Condition
from emulator.data.cutouts import extract
from emulator.data.maps import Maps
from emulator.fields import Field
from emulator.io import DataError, EmulatorError
from emulator.model.card import Grid
from emulator.model.normalisation import Normalisation
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.given.parameters import (
    Policy,
    check_range,
    for_samples,
    parameter_rows,
)
from emulator.suites.window_checks import require_mean_density

__all__ = ["Observed", "Policy", "check_observed", "check_values", "prepare_condition"]


class Observed(NamedTuple):
    """What is known of the fields that are drawn."""

    values: np.ndarray  # (sample, channel, y, x), NaN where nothing is known
    noise: float  # standard deviation, in units of the normalised fields


def prepare_condition(
    condition: np.ndarray,
    params: Any,
    normalisation: Normalisation,
    grid: Grid,
    *,
    large_scale: np.ndarray | None = None,
    centres: Sequence[tuple[int, ...]] | None = None,
    out_of_range: Policy = "raise",
) -> Condition:
    """Check and shape conditions, context and parameters.

    Parameters
    ----------
    condition
        DMO mass [Msun/h per pixel]: ``(y, x)`` or ``(sample, y, x)`` windows together with
        ``large_scale``; or a periodic whole-box map ``(y, x)`` together with ``centres``. Of a
        model of volumes ``(..., z, y, x)``.
    params
        Mapping of names (or a table row), ``(param,)`` or ``(sample, param)`` in the bundle's
        order, or one mapping a sample. None or NaN is an unknown value.
    normalisation, grid
        Of the bundle.
    large_scale
        Context windows, ``(level, y, x)`` or ``(sample, level, y, x)``: block means of the DMO mass
        around the same centre, in the bundle's factors.
    centres
        ``(row, col)`` pixels in a whole-box map; the context is cut by the function that training
        uses.
    out_of_range
        What to do with a parameter outside the trained range, or masses of another mean density
        than that of the universe.

    Raises
    ------
    EmulatorError
        For wrong shapes, missing or unknown names, masses that are negative, not finite, or of
        another mean than the universe (that of a whole box is known; that of the widest windows to
        a factor of three), infinite parameters.
    """
    shape, sides = grid.shape, ", ".join(map(str, grid.shape))
    fields = plain_array(condition, "condition").astype(np.float32, copy=False)
    factors = normalisation.context_factors
    box = None
    if centres is not None:
        box, (fields, large_scale) = fields, _cut(fields, centres, shape, factors)
    if fields.ndim == len(shape):
        fields = fields[None]
    if fields.ndim != 1 + len(shape) or fields.shape[1:] != shape:
        raise EmulatorError(
            f"condition: expected (sample, {sides}) as the model was trained, got "
            f"{fields.shape}; for a whole-box map pass centres="
        )
    if large_scale is None and factors:
        raise EmulatorError(
            f"large_scale: the model needs context windows of factors {list(factors)}; pass "
            "large_scale=, or a whole-box map with centres="
        )
    if factors or np.size(large_scale if large_scale is not None else ()):
        context = plain_array(large_scale, "large_scale").astype(np.float32, copy=False)
    else:
        context = np.empty((len(fields), 0, *shape), np.float32)
    context = context[None] if context.ndim == 1 + len(shape) else context
    expected = (len(fields), len(factors), *shape)
    if context.shape != expected:
        raise EmulatorError(f"large_scale: expected shape {expected}, got {context.shape}")
    for name, values in (("condition", fields), ("large_scale", context)):
        if not np.isfinite(values).all() or (values < 0).any():
            raise EmulatorError(f"{name}: expected finite masses >= 0, got NaN, inf or negative")
    table = for_samples(parameter_rows(params, list(normalisation.params)), len(fields))
    check_range(table, normalisation, out_of_range)
    normalisation.require_positive(table)
    arrays = (fields, context, np.ascontiguousarray(table, np.float64))
    prepared = Condition(*(torch.from_numpy(np.array(array)) for array in arrays))
    _check_density(box, prepared, normalisation, grid, out_of_range)
    return prepared


def _check_density(
    box: np.ndarray | None,
    condition: Condition,
    normalisation: Normalisation,
    grid: Grid,
    policy: Policy,
) -> None:
    """Masses in another unit show in their mean, which the universe knows."""
    names, share = list(normalisation.params), normalisation.cosmic_share
    if share is None:
        return
    source = share.omega_m
    params = condition.params.numpy()
    omega_m = (
        params[:, names.index(source)] if isinstance(source, str) else np.full(len(params), source)
    )
    if np.isnan(omega_m).any():
        return  # refused elsewhere, as the baryon fraction needs it
    has_context = condition.context.shape[1] > 0
    widest = (condition.context[:, -1] if has_context else condition.field).numpy()
    is_box = box is not None and (
        box.ndim == 3 or math.isclose(len(box) * grid.pixel_mpch, grid.depth_mpch, rel_tol=1e-6)
    )
    for i, value in enumerate(omega_m.tolist()):
        try:
            require_mean_density(
                widest[i] if box is None else box,
                value,
                grid.pixel_mpch**2,
                grid.depth_mpch,
                is_box=is_box,
                where=f"condition (sample {i})",
            )
        except DataError as error:
            if policy == "raise":
                raise
            warnings.warn(str(error), stacklevel=4)


def check_values(
    values: np.ndarray,
    condition: Condition,
    fields: Sequence[Field],
    name: str,
    *,
    unknown: bool = False,
) -> np.ndarray:
    """Values ``(sample, channel, y, x)`` as float32, or an error; NaN only where it may be."""
    checked = plain_array(values, name).astype(np.float32, copy=False)
    n_samples, *window = condition.field.shape
    expected = (n_samples, len(fields), *window)
    if checked.shape != expected:
        raise EmulatorError(f"{name}: expected shape {expected}, got {checked.shape}")
    allowed = " (or NaN where unknown)" if unknown else ""
    for index, field in enumerate(fields):
        own = checked[:, index]
        known = own[~np.isnan(own)] if unknown else own
        if not np.isfinite(known).all() or (not field.signed and (known < 0).any()):
            kind = "finite values" if field.signed else "finite values >= 0"
            raise EmulatorError(
                f"{name}: expected {kind}{allowed} of {field.name} [{field.unit}], got others"
            )
    return checked


def check_observed(
    observed: np.ndarray, condition: Condition, fields: Sequence[Field], noise: float
) -> Observed:
    """What is known of the fields; anything that is not NaN must be a value of its field."""
    if not 0 < noise < math.inf:
        raise EmulatorError(f"observation_noise: expected a positive number, got {noise}")
    return Observed(check_values(observed, condition, fields, "observed", unknown=True), noise)


def _cut(
    box: np.ndarray,
    centres: Sequence[tuple[int, ...]],
    window: tuple[int, ...],
    factors: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    maps = Maps.from_dmo(box, factors, len(window))
    cuts = [
        extract(maps, 0, tuple(map(int, at)), window=window, context_factors=factors, species=())
        for at in centres
    ]
    return np.stack([c.condition for c in cuts]), np.stack([c.large_scale for c in cuts])
