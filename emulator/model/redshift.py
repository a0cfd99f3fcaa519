"""Redshift as a parameter: what a map says of its time is what the model is told."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from emulator.config.suites.redshifts import PARAMETER
from emulator.io import DataError
from emulator.model.card import Grid, ModelCard

AGREEMENT = 1.0e-4


def require_own_redshift(attrs: Mapping[Any, Any], params: Mapping[str, float], where: str) -> None:
    """Check that the parameter is the redshift of the map, to 1e-4 in 1+z, where both are known.

    Parameters
    ----------
    attrs
        Of the map.
    params
        That the model is told with it.
    where
        The file, for messages.

    Raises
    ------
    DataError
        They differ: a map of one time with the parameter of another.
    """
    told, found = params.get(PARAMETER), attrs.get("redshift")
    if told is None or found is None or np.isnan(told):
        return
    if not abs(float(found) - told) <= AGREEMENT * (1.0 + told):
        raise DataError(
            f"{where}:redshift",
            f"{told:g} as the parameter {PARAMETER} says",
            f"{float(found):g}",
            "Give the parameter of the map's own time.",
        )


def require_told_redshift(
    attrs: Mapping[Any, Any], names: Sequence[str], table: NDArray[np.float64], where: str
) -> None:
    """:func:`require_own_redshift` for each row of a table ``(sample, param)`` of parameters."""
    if PARAMETER in names:
        for told in np.unique(table[:, names.index(PARAMETER)]):
            require_own_redshift(attrs, {PARAMETER: float(told)}, where)


def said_redshift(
    own: dict[str, float] | None, attrs: Mapping[Any, Any], grid: Grid, where: str
) -> dict[str, float] | None:
    """Parameters of a map with its redshift, where the model is told it and the map says it.

    Raises
    ------
    DataError
        Its parameters say another one.
    """
    if grid.redshift is not None or "redshift" not in attrs:
        return own
    require_own_redshift(attrs, own or {}, where)
    return {PARAMETER: float(attrs["redshift"]), **(own or {})}


def common_redshift(card: ModelCard, params: Tensor) -> dict[str, float]:
    """Attribute ``redshift`` of what is drawn with parameters ``(batch, param)``, if all share it.

    Empty where the grid says it.
    """
    if not card.has_told_redshift:
        return {}
    told = np.unique(params[:, list(card.normalisation.params).index(PARAMETER)].numpy())
    return {PARAMETER: float(told[0])} if len(told) == 1 and np.isfinite(told[0]) else {}


def with_redshift(params: Any, own: Mapping[str, float] | None, grid: Grid, where: str) -> Any:
    """Parameters with the redshift that a map says of itself, where the model is told one.

    Parameters
    ----------
    params
        As a user passes them; only those by name are completed.
    own
        What the map says.
    grid
        Of the model.
    where
        The map, for messages.

    Raises
    ------
    DataError
        The two say different redshifts.
    """
    if grid.redshift is not None or own is None or PARAMETER not in own:
        return params
    if not hasattr(params, "keys"):
        return params
    if PARAMETER not in params:
        named = {name: params[name] for name in params.keys()}  # noqa: SIM118 - a table row
        return {**named, PARAMETER: own[PARAMETER]}
    require_own_redshift({"redshift": own[PARAMETER]}, params, where)
    return params
