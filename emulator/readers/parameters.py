"""Parameter tables: the universe and astrophysics of each simulation, by name.

Values are physical, as in the table. Names of parameters are those of the table; the table of
ranges may spell them differently (:data:`~emulator.readers.parameter_table.SPELLINGS`).
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from emulator.io import DataError, read_lines
from emulator.readers.numbers import cell
from emulator.readers.parameter_table import SEED, ParameterTable, canonical_name, shorten


@dataclass(frozen=True)
class ParameterRange:
    """Range of one parameter and whether it was sampled in its logarithm."""

    min: float
    max: float
    fiducial: float
    log: bool


def parameters_of(table: ParameterTable, simulation: str) -> dict[str, float]:
    """Parameters of one simulation.

    Parameters
    ----------
    table
        From :func:`~emulator.readers.parameter_table.read_table`.
    simulation
        Its name.

    Returns
    -------
    Name -> physical value, in the order of the table; the seed is no parameter.

    Raises
    ------
    DataError
        An unknown simulation (the message lists those there are), or a value that is not a finite
        number.
    """
    return {
        name: _number(text, f"{table.path}:{simulation}:{name}")
        for name, text in table.row(simulation).items()
        if name.lower() != SEED
    }


def seed_of(table: ParameterTable, simulation: str) -> float | None:
    """Seed of the initial phases, if the table lists it."""
    found = {name.lower(): text for name, text in table.row(simulation).items()}
    return _number(found[SEED], f"{table.path}:{simulation}:{SEED}") if SEED in found else None


def read_ranges(path: str | Path) -> dict[str, ParameterRange]:
    """Ranges of all parameters of a suite.

    Parameters
    ----------
    path
        CSV with the columns ``ParamName, MinVal, MaxVal, FiducialVal, LogFlag`` in any order;
        others are ignored.

    Returns
    -------
    Name -> range.

    Raises
    ------
    DataError
        No table, a missing column, a value that is not a finite number, a range that is empty, does
        not hold its fiducial value, or is logarithmic and not positive.
    """
    path = Path(path)
    needed = ("ParamName", "MinVal", "MaxVal", "FiducialVal", "LogFlag")
    reader = csv.DictReader(read_lines(path, "a text table"), skipinitialspace=True)
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"{path}:1", f"columns {', '.join(needed)}", f"{reader.fieldnames}", f"No {missing}."
        )
    header = [name for name in reader.fieldnames or () if name in needed]
    if len(header) > len(needed):
        raise DataError(f"{path}:1", f"columns {', '.join(needed)} once each", f"{header}")
    ranges: dict[str, ParameterRange] = {}
    for row in reader:
        name = (row["ParamName"] or "").strip()
        where = f"{path}:{name}"
        low, high, fiducial, log = (_number(row[key] or "", f"{where}:{key}") for key in needed[1:])
        entry = ParameterRange(low, high, fiducial, bool(log))
        if not low <= fiducial <= high or low == high or (entry.log and low <= 0):
            raise DataError(
                where, "min <= fiducial <= max, min < max, and min > 0 if logarithmic", f"{entry}"
            )
        if canonical_name(name) in map(canonical_name, ranges):
            raise DataError(where, "one row a parameter", "two")
        ranges[name] = entry
    return ranges


def match_ranges(
    names: Iterable[str], ranges: Mapping[str, ParameterRange], where: str | Path
) -> dict[str, ParameterRange]:
    """Ranges under the names of the parameter table.

    Parameters
    ----------
    names
        Names in the parameter table.
    ranges
        From :func:`read_ranges`; may use another spelling of :data:`SPELLINGS`.
    where
        The table of ranges, for the message.

    Raises
    ------
    DataError
        A parameter without a range; the message lists those there are.
    """
    by_meaning = {canonical_name(name): entry for name, entry in ranges.items()}
    matched = {}
    for name in names:
        if canonical_name(name) not in by_meaning:
            raise DataError(where, f"a range for parameter {name!r}", f"only {shorten(ranges)}")
        matched[name] = by_meaning[canonical_name(name)]
    return matched


def require_possible_parameters(
    params: Mapping[str, float], ranges: Mapping[str, ParameterRange], where: str
) -> None:
    """Check parameters whose order the files do not say against their ranges, and each other.

    Raises
    ------
    DataError
        A value outside its range, or more baryons than matter.
    """
    for name, entry in ranges.items():
        slack = 1e-6 * (entry.max - entry.min)
        if not entry.min - slack <= params[name] <= entry.max + slack:
            raise DataError(
                f"{where}:{name}",
                f"a value in [{entry.min:g}, {entry.max:g}], the range in suite.ranges",
                f"{params[name]:g}",
                "The file does not name its columns: is suite.parameter_names in their order? "
                "A set beyond the ranges needs a table of ranges of its own.",
            )
    named = {canonical_name(name): value for name, value in params.items()}
    if not named.get("Omega_b", 0.0) < named.get("Omega_m", math.inf):
        raise DataError(
            where, "Omega_b < Omega_m", f"{named['Omega_b']:g} and {named['Omega_m']:g}",
            "Is suite.parameter_names in the order of the file?",
        )  # fmt: skip


def parameter_attrs(params: Mapping[str, float], range_table: str | Path) -> dict[str, str]:
    """Attributes ``params`` and ``param_ranges`` of a maps file (JSON), with ranges of a table."""
    return range_attrs(params, match_ranges(params, read_ranges(range_table), range_table))


def range_attrs(
    params: Mapping[str, float], ranges: Mapping[str, ParameterRange]
) -> dict[str, str]:
    """Attributes ``params`` and ``param_ranges`` of a maps file (JSON)."""
    return {
        "params": json.dumps(dict(params)),
        "param_ranges": json.dumps({name: asdict(entry) for name, entry in ranges.items()}),
    }


def _number(text: str, where: str) -> float:
    value = cell(text, where)
    if not math.isfinite(value):
        raise DataError(where, "a finite number", repr(text))
    return value
