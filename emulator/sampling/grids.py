"""Whether maps are of the kind that a model was trained on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from emulator.domain import domain_of
from emulator.io import DataError
from emulator.model.card import Grid, ModelCard
from emulator.units import Unit

TOLERANCE = 1.0e-6
_OF_COORDINATES = 1.0e-4
"""Coordinates may be in float32."""
_REMEDY = "Project the maps as those of the training were, or train another model."


def require_maps_of(attrs: Mapping[Any, Any], card: ModelCard, where: str) -> None:
    """Maps are of the domain and of the grid that a model was trained on.

    Raises
    ------
    DataError
        Other conditions, another unit of length, pixel or edges; and see :func:`require_same_grid`.
    """
    domain, grid = domain_of(attrs, where), card.grid
    if domain != card.domain:
        raise DataError(
            f"{where}:domain", f"{card.domain} as the model was trained", f"{domain}", _REMEDY
        )
    if isinstance(grid, Grid):
        require_same_grid(attrs, grid, where)
    elif abs(float(attrs["pixel"]) - grid.pixel) > TOLERANCE * grid.pixel:
        raise DataError(
            f"{where}:pixel", f"{grid.pixel:g} as the model was trained", f"{attrs['pixel']}",
            _REMEDY,
        )  # fmt: skip


def require_same_grid(attrs: Mapping[Any, Any], grid: Grid, where: str) -> None:
    """What maps say of themselves is what a model was trained on.

    Parameters
    ----------
    attrs
        Of the maps; what they do not say is not looked at.
    grid
        Of the model. Bundles of formats up to 5 do not know the kernel of their maps; a redshift
        that is a parameter is judged as one.
    where
        The file, for messages.

    Raises
    ------
    DataError
        Another pixel, depth or redshift, or maps that were deposited by another kernel: one that
        smooths otherwise looks like other matter to the model.
    """
    for name in ("pixel_mpch", "depth_mpch", "redshift"):
        if name not in attrs:
            continue
        if getattr(grid, name) is None:
            continue
        wanted, found = float(getattr(grid, name)), float(attrs[name])
        if abs(found - wanted) > TOLERANCE * max(1.0, abs(wanted)):
            raise DataError(
                f"{where}:{name}", f"{wanted:g} as the model was trained", f"{found:g}", _REMEDY
            )
    kernel = attrs.get("deposit")
    if kernel is not None and grid.deposit is not None and str(kernel) != grid.deposit:
        raise DataError(
            f"{where}:deposit", f"{grid.deposit} as the model was trained", str(kernel), _REMEDY
        )


def require_same_spacing(values: Any, grid: Grid, where: str) -> None:
    """Coordinates of a labelled array, if they are in Mpc/h, are those of the model's pixels.

    Parameters
    ----------
    values
        A DataArray; of what has no coordinates nothing is known.
    grid
        Of the model.
    where
        The array, for messages.

    Raises
    ------
    DataError
        Pixels of another side.
    """
    for axis, along in getattr(values, "coords", {}).items():
        if along.dims != (axis,) or along.size < 2 or along.attrs.get("units") != Unit.LENGTH:
            continue
        places = np.asarray(along.values, np.float64)
        found = float(places[-1] - places[0]) / (along.size - 1)
        if abs(found - grid.pixel_mpch) > _OF_COORDINATES * grid.pixel_mpch:
            raise DataError(
                f"{where}:{axis}", f"pixels of {grid.pixel_mpch:g} Mpc/h as the model was trained",
                f"{found:g}", _REMEDY,
            )  # fmt: skip
