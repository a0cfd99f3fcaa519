"""Parameters: names or rows to a table in the order of the model, each within its range."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.model.normalisation import Normalisation
from emulator.model.redshift import with_redshift
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.given.quantities import HUBBLE, dimensionless

Policy = Literal["raise", "warn"]


def parameter_rows(params: Any, names: Sequence[str]) -> np.ndarray:
    """Table ``(1 or sample, param)`` float64, NaN where unknown.

    Parameters
    ----------
    params
        Mapping of names (or a table row), ``(param,)`` or ``(sample, param)``, or one mapping for
        each sample.
    names
        Parameters of the model, in its order.

    Raises
    ------
    EmulatorError
        Missing or unknown names, another number of values, what is no number, or infinity.
    """
    params = dimensionless(params, "params")
    if hasattr(params, "keys"):
        table = _row(params, names)[None]
    elif isinstance(params, list | tuple) and params and hasattr(params[0], "keys"):
        table = np.stack([_row(row, names) for row in params])
    else:
        values = plain_array(_without_none(params), "params").astype(np.float64)
        if values.ndim > 2:
            raise EmulatorError(
                f"params: expected (param,) or (sample, param), got shape {values.shape}"
            )
        table = np.atleast_2d(values)
    if table.shape[1] != len(names):
        raise EmulatorError(
            f"params: expected {len(names)} values {list(names)}, got {table.shape[1]}"
        )
    if np.isinf(table).any():
        raise EmulatorError("params: expected finite values (or None where unknown), got infinity")
    return table


def for_samples(table: np.ndarray, n_samples: int) -> np.ndarray:
    """A row for each sample, ``(sample, param)``; one row is that of all."""
    if len(table) not in (1, n_samples):
        raise EmulatorError(f"params: expected 1 or {n_samples} rows, got {len(table)}")
    return np.broadcast_to(table, (n_samples, table.shape[1]))


def hubble_of(table: np.ndarray, names: Sequence[str]) -> np.ndarray | None:
    """H of each row; None where the model is not conditioned on it, or it is unknown."""
    if HUBBLE not in names:
        return None
    found: np.ndarray = table[:, list(names).index(HUBBLE)]
    return None if np.isnan(found).any() else found


def params_of_maps(own: Mapping[str, float] | None, names: Sequence[str]) -> dict[str, float]:
    """Parameters of a maps file that the model is conditioned on.

    Raises
    ------
    EmulatorError
        If it has none, or lacks some.
    """
    if own is None:
        raise EmulatorError(
            f"params: expected {', '.join(names)}, got none, and the map does not say: pass params="
        )
    missing = [name for name in names if name not in own]
    if missing:
        raise EmulatorError(
            f"params: the maps file lacks {', '.join(missing)}, which the model is conditioned on: "
            "pass params="
        )
    return {name: float(own[name]) for name in names}


def params_beside(own: Mapping[str, float] | None, params: Any, card: ModelCard, where: str) -> Any:
    """Parameters of a map: those that are given, or its own; the redshift is its own in any case.

    Parameters
    ----------
    own
        What the map says; None: nothing.
    params
        What is given; None: nothing.
    card
        Of the model.
    where
        The map, for messages.

    Raises
    ------
    EmulatorError
        Neither says what the model is conditioned on, or they say different redshifts.
    """
    given = params_of_maps(own, list(card.normalisation.params)) if params is None else params
    return with_redshift(given, own, card.matter_grid, where)


def check_range(table: np.ndarray, normalisation: Normalisation, policy: Policy) -> None:
    """Refuse parameters beyond the trained range, or warn.

    Raises
    ------
    EmulatorError
        Names them, their values and ranges.
    """
    if policy not in get_args(Policy):
        raise EmulatorError(f"out_of_range: expected raise or warn, got {policy!r}")
    faults = []
    for index, (name, scale) in enumerate(normalisation.params.items()):
        known = table[~np.isnan(table[:, index]), index]
        if not known.size:
            continue
        low, high = known.min(), known.max()
        slack = 1e-6 * (scale.maximum - scale.minimum)
        if low < scale.minimum - slack or high > scale.maximum + slack:
            bad = low if low < scale.minimum - slack else high
            faults.append(f"{name} = {bad:g} outside [{scale.minimum:g}, {scale.maximum:g}]")
    if not faults:
        return
    message = f"params beyond the trained range: {'; '.join(faults)}"
    if policy == "raise":
        raise EmulatorError(f"{message}; pass out_of_range='warn' to extrapolate")
    warnings.warn(message, stacklevel=4)


def _row(row: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    missing = [name for name in names if name not in row]
    unknown = [name for name in row.keys() if name not in names]  # noqa: SIM118 - a table row
    if missing or unknown:
        raise EmulatorError(
            f"params: the model is conditioned on {list(names)}; missing {missing}, unknown "
            f"{unknown}"
        )
    return np.array([_number(row[name], name) for name in names])


def _number(value: Any, name: str) -> float:
    if value is None:
        return float("nan")
    value = dimensionless(value, f"params: {name}")
    try:
        if isinstance(value, str | bytes):
            raise TypeError("text")
        return float(value)
    except (TypeError, ValueError) as error:
        raise EmulatorError(
            f"params: {name}: expected one number (or None where unknown), got {str(value)[:80]!r};"
            " for several samples pass a mapping for each"
        ) from error


def _without_none(params: Any) -> Any:
    """Rows with NaN in the place of None."""
    if not isinstance(params, list | tuple):
        return params
    return [
        np.nan if value is None else _without_none(value) if isinstance(value, list | tuple)
        else value
        for value in params
    ]  # fmt: skip
