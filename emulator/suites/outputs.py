"""What a suite says of one output of a simulation: its parameters, the redshift among them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.config.suites.redshifts import PARAMETER
from emulator.io import DataError
from emulator.readers.parameter_table import ParameterTable
from emulator.readers.parameters import (
    ParameterRange,
    match_ranges,
    parameters_of,
    read_ranges,
    seed_of,
)
from emulator.readers.snapshots import Snapshot

_AGREEMENT = 1.0e-4


def output_parameters(config: Any, table: ParameterTable, simulation: str) -> dict[str, float]:
    """Parameters of one simulation; of a suite of several redshifts its redshift, too.

    ``config`` is the section of the suite.

    Raises
    ------
    DataError
        As :func:`~emulator.readers.parameters.parameters_of`, and a table that says another
        redshift.
    """
    name, redshift = config.output_of(simulation)
    params = parameters_of(table, name)
    if redshift is None or len(config.stated_redshifts) < 2:
        return params
    if PARAMETER in params and abs(params[PARAMETER] - redshift) > _AGREEMENT * (1.0 + redshift):
        raise DataError(
            f"{table.path}:{name}:{PARAMETER}",
            f"{redshift:g} as suite.redshifts says",
            f"{params[PARAMETER]:g}",
        )
    return {**params, PARAMETER: redshift}


def output_seed(config: Any, table: ParameterTable, simulation: str) -> float | None:
    """Seed of the phases of the simulation that an output is of, if the table lists it."""
    return seed_of(table, config.output_of(simulation)[0])


def output_ranges(
    config: Any, params: Mapping[str, float], path: Path
) -> dict[str, ParameterRange]:
    """Range of each parameter; that of the redshift is what the suite lists.

    Raises
    ------
    DataError
        As :func:`~emulator.readers.parameters.read_ranges`, or a parameter without a range.
    """
    redshifts = config.stated_redshifts
    if len(redshifts) < 2:
        return match_ranges(params, read_ranges(path), path)
    others = match_ranges((name for name in params if name != PARAMETER), read_ranges(path), path)
    low, high = min(redshifts), max(redshifts)
    return {**others, PARAMETER: ParameterRange(low, high, low, log=False)}


def require_stated_redshift(config: Any, simulation: str, snapshot: Snapshot) -> None:
    """Check that a header says the redshift that the suite states, to 1e-4 in 1+z.

    Raises
    ------
    DataError
        It says another one.
    """
    stated, found = config.output_of(simulation)[1], snapshot.header.redshift
    if stated is None or abs(found - stated) <= _AGREEMENT * (1.0 + stated):
        return
    raise DataError(
        f"{snapshot.paths[0]}:Header/Redshift",
        f"{stated:g} as suite.redshifts says of {simulation}",
        f"{found:g}",
        "Correct suite.redshifts: it says what {snapshot} stands for at each redshift.",
    )
