"""Parameter tables: the universe and astrophysics of each simulation, by name.

Tables of the CAMELS family list columns in different orders, so nothing is read by position: a
table that does not name its columns needs the names from the config. Values are physical, as in the
table. Names of parameters are those of the table; the table of ranges may spell them differently
(:data:`SPELLINGS`).
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from emulator.io import DataError, read_lines

SPELLINGS = {
    "Omega0": "Omega_m",
    "OmegaBaryon": "Omega_b",
    "HubbleParam": "h",
    "sigma8": "sigma_8",
    "ASN1": "A_SN1",
    "AAGN1": "A_AGN1",
    "ASN2": "A_SN2",
    "AAGN2": "A_AGN2",
    "RadioFeedbackReiorientationFactor": "RadioFeedbackReorientationFactor",
}
"""Spellings in public tables that mean the same number (which 3.6 A_SN1 and A_SN1 do not)."""

_NOT_PARAMETERS = {"seed"}


@dataclass(frozen=True)
class ParameterRange:
    """Range of one parameter and whether it was sampled in its logarithm."""

    min: float
    max: float
    fiducial: float
    log: bool


def read_parameters(
    path: str | Path, simulation: str, *, names: Sequence[str] | None = None
) -> dict[str, float]:
    """Parameters of one simulation.

    Parameters
    ----------
    path
        A table whose first line names its columns, among them ``Name`` or ``simulation``: separated
        by whitespace (``#Name <parameter> ... [seed]``) or CSV. Or a table without names (CAMELS
        Multifield), whose row ``i``, from 0, belongs to the simulation whose name ends in ``_i``.
    simulation
        Its name.
    names
        Columns of a table without names (``suite.parameter_names``).

    Returns
    -------
    Name -> physical value, in the order of the table; the seed is no parameter.

    Raises
    ------
    DataError
        No table, no names of columns in file or call, names that contradict the file's, a row of
        another length, a value that is not a finite number, an unknown simulation (the message
        lists those there are), or two different rows of a name.
    """
    row = _read_row(Path(path), simulation, names)
    return {
        name: _number(text, f"{path}:{simulation}:{name}")
        for name, text in row.items()
        if name not in _NOT_PARAMETERS
    }


def read_seed(path: str | Path, simulation: str) -> float | None:
    """Seed of the initial phases, if the table lists it; raises as :func:`read_parameters`."""
    row = _read_row(Path(path), simulation, None)
    return _number(row["seed"], f"{path}:{simulation}:seed") if "seed" in row else None


def _read_row(path: Path, simulation: str, names: Sequence[str] | None) -> dict[str, str]:
    lines = [
        (number, line)
        for number, line in enumerate(read_lines(path, "a text table"), 1)
        if line.strip()
    ]
    columns = _cells(lines[0][1].lstrip("# ")) if lines else []
    place = _name_column(columns)
    if place is not None:
        rows = _named_rows(path, lines[1:], len(columns), place)
        columns.pop(place)
        _require_same_names(path, columns, names)
    elif names is not None:
        columns = list(names)
        rows = _numbered_rows(path, lines, len(columns), simulation)
    else:
        raise DataError(
            f"{path}:1",
            "a header '#Name <parameter> ... seed', or CSV with a column Name",
            repr(lines[0][1][:60]) if lines else "an empty file",
            "Columns are read by name: add a header, or set suite.parameter_names.",
        )
    if len(set(columns)) != len(columns):
        raise DataError(f"{path}:1", "every column named once", f"{columns}")
    if simulation not in rows:
        raise DataError(path, f"a row for simulation {simulation!r}", f"only {_shorten(rows)}")
    return dict(zip(columns, rows[simulation], strict=True))


def _require_same_names(path: Path, columns: Sequence[str], names: Sequence[str] | None) -> None:
    if names is not None and set(names) - _NOT_PARAMETERS != set(columns) - _NOT_PARAMETERS:
        raise DataError(
            f"{path}:1",
            f"the columns of suite.parameter_names, {list(names)}",
            f"{columns}",
            "The table names its columns: leave suite.parameter_names out.",
        )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()


def _name_column(columns: Sequence[str]) -> int | None:
    """Place of the simulation's name; none if these are no names of columns."""
    places = [i for i, column in enumerate(columns) if column.lower() in ("name", "simulation")]
    return places[0] if places else None


def _named_rows(
    path: Path, lines: Sequence[tuple[int, str]], n_columns: int, place: int
) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for number, line in lines:
        if line.lstrip().startswith("#"):
            continue
        values = _cells(line)
        _require_length(path, number, values, n_columns)
        name = values.pop(place)
        if rows.setdefault(name, values) != values:
            raise DataError(f"{path}:{number}", f"one row for {name!r}", "a second, different one")
    return rows


def _numbered_rows(
    path: Path, lines: Sequence[tuple[int, str]], n_columns: int, simulation: str
) -> dict[str, list[str]]:
    """Rows ``SET_0, SET_1, ...`` of the set that ``simulation`` belongs to."""
    stem = simulation.rsplit("_", 1)[0]
    rows: dict[str, list[str]] = {}
    for number, line in lines:
        if not line.lstrip().startswith("#"):
            values = _cells(line)
            _require_length(path, number, values, n_columns)
            rows[f"{stem}_{len(rows)}"] = values
    return rows


def _require_length(path: Path, number: int, values: Sequence[str], n_columns: int) -> None:
    if len(values) != n_columns:
        raise DataError(f"{path}:{number}", f"{n_columns} columns", f"{len(values)}")


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
        if name in ranges:
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
            raise DataError(where, f"a range for parameter {name!r}", f"only {_shorten(ranges)}")
        matched[name] = by_meaning[canonical_name(name)]
    return matched


def parameter_attrs(params: Mapping[str, float], range_table: str | Path) -> dict[str, str]:
    """Attributes ``params`` and ``param_ranges`` of a maps file (JSON)."""
    ranges = match_ranges(params, read_ranges(range_table), range_table)
    return {
        "params": json.dumps(dict(params)),
        "param_ranges": json.dumps({name: asdict(entry) for name, entry in ranges.items()}),
    }


def canonical_name(name: str) -> str:
    """One spelling of a parameter's name, for comparisons."""
    return SPELLINGS.get(name, name)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise DataError(where, "a number", repr(text)) from error
    if not math.isfinite(value):
        raise DataError(where, "a finite number", repr(text))
    return value


def _shorten(names: Iterable[str], limit: int = 12) -> str:
    names = list(names)
    rest = f", ... ({len(names)} in all)" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest if names else "none"
