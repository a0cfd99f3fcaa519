"""Fields, parameters and places that a user passes, as plain arrays in the units of this project.

Units and labels are read here, once; what the numbers must be is checked by
:func:`emulator.sampling.inputs.prepare_condition`.
"""

from typing import Any, NamedTuple

import numpy as np

from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.model.redshift import require_told_redshift
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.given.centres import Centres, as_pairs, centres_at, pixel_centres
from emulator.sampling.given.parameters import hubble_of, parameter_rows
from emulator.sampling.given.quantities import convert, is_quantity
from emulator.sampling.grids import require_same_grid, require_same_spacing
from emulator.units import Unit


class Given(NamedTuple):
    """What was passed, without units."""

    field: np.ndarray
    """Windows ``(sample, y, x)`` or ``(y, x)``, or a box ``(y, x)`` [Msun/h per pixel]."""
    large_scale: np.ndarray | None
    """Context windows [Msun/h per pixel]."""
    params: np.ndarray
    """Table ``(1 or sample, param)``."""
    centres: Centres | None
    """Pixels of a box."""


def read_given(
    condition: Any,
    params: Any,
    card: ModelCard,
    *,
    large_scale: Any = None,
    centres: Any = None,
    centres_mpch: Any = None,
) -> Given:
    """Read units, labels and places.

    Parameters
    ----------
    condition, params, large_scale, centres, centres_mpch
        See :meth:`emulator.sampling.base.BaseEmulator.sample`; maps of files are read already.
    card
        Of the model.

    Raises
    ------
    EmulatorError
        What has another unit, is of another grid, or is no array of numbers; centres that are no
        places of a box.
    """
    rows = parameter_rows(params, list(card.normalisation.params))
    hubble = hubble_of(rows, list(card.normalisation.params))
    attrs = getattr(condition, "attrs", {})
    require_told_redshift(attrs, list(card.normalisation.params), rows, "condition")
    if hasattr(condition, "data_vars"):
        require_same_grid(condition.attrs, card.matter_grid, "condition")
        large_scale = _variable(condition, "large_scale") if large_scale is None else large_scale
        condition = _variable(condition, "condition")
    field = _masses(condition, "condition", card, hubble)
    around = None if large_scale is None else _masses(large_scale, "large_scale", card, hubble)
    return Given(field, around, rows, _places(centres, centres_mpch, field, card, hubble))


def _variable(dataset: Any, name: str) -> Any:
    if name not in dataset:
        raise EmulatorError(f"condition: the Dataset has no {name!r}, only {list(dataset)}")
    return dataset[name]


def _masses(values: Any, name: str, card: ModelCard, hubble: np.ndarray | None) -> np.ndarray:
    if is_quantity(values):
        return convert(values, "Msun", name, hubble)
    attrs = getattr(values, "attrs", {})
    require_same_grid(attrs, card.matter_grid, name)
    if name == "condition":
        require_same_spacing(values, card.matter_grid, name)
    unit = attrs.get("units", Unit.MASS_PER_PIXEL)
    if unit != Unit.MASS_PER_PIXEL:
        raise EmulatorError(
            f"{name}: expected units {str(Unit.MASS_PER_PIXEL)!r}, got {str(unit)!r}: convert the "
            "values and set attrs['units']"
        )
    if name == "large_scale" and not card.normalisation.context_factors and np.size(values) == 0:
        return np.asarray(values)
    return plain_array(values, name)


def _places(
    centres: Any, centres_mpch: Any, field: np.ndarray, card: ModelCard, hubble: np.ndarray | None
) -> Centres | None:
    if centres is None and centres_mpch is None:
        return None
    name = "centres" if centres_mpch is None else "centres_mpch"
    if centres is not None and centres_mpch is not None:
        raise EmulatorError("centres: give pixels, or centres_mpch= in Mpc/h, and not both")
    dimensions = card.domain.dimensions
    if field.ndim != dimensions:
        raise EmulatorError(
            f"{name}: expected one whole-box map ({', '.join(card.domain.axes)}) to cut windows "
            f"from, got an array of shape {field.shape}"
        )
    places = centres if centres_mpch is None else centres_mpch
    if is_quantity(places):
        places, centres = as_pairs(convert(places, "Mpc", name, hubble), name, dimensions), None
    if centres is None:
        return centres_at(places, field.shape, card.matter_grid.pixel_mpch)
    return pixel_centres(places, field.shape)
