"""Parameter tables as text: which columns there are, and the row of each simulation.

Three forms are published. A table that names its columns, among them that of the simulations
(``#Name Omega0 ... seed``, or CSV); one whose simulations are named and whose columns are not; and
one without any names (CAMELS Multifield), whose row ``i``, from 0, belongs to the simulation
``SET_i``. Names of columns that the file lacks come from the config (``suite.parameter_names``).
Where file and config both name columns they must agree: no column is taken by its place alone.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from emulator.io import DataError, read_lines

SPELLINGS = {
    "Omega0": "Omega_m",
    "OmegaM": "Omega_m",
    "OmegaBaryon": "Omega_b",
    "OmegaB": "Omega_b",
    "HubbleParam": "h",
    "sigma8": "sigma_8",
    "ASN1": "A_SN1",
    "AAGN1": "A_AGN1",
    "ASN2": "A_SN2",
    "AAGN2": "A_AGN2",
    "RadioFeedbackReiorientationFactor": "RadioFeedbackReorientationFactor",
}
"""Spellings in public tables that mean the same number (which 3.6 A_SN1 and A_SN1 do not)."""

_NAME_COLUMNS = ("name", "simulation", "sim_name", "simname")
SEED = "seed"
"""Column of the seed of the initial phases; it is no parameter."""

Line = tuple[int, str]


class ParameterTable(NamedTuple):
    """Columns, that of the simulations apart, and the row of each simulation, as text.

    ``names`` are those of the simulations; without them rows are numbered.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] | None

    def row(self, simulation: str) -> dict[str, str]:
        """Values of one simulation by column; an unknown one is a :class:`DataError`."""
        if self.names is None:
            known: Mapping[str, int] = {
                f"{simulation.rsplit('_', 1)[0]}_{i}": i for i in range(len(self.rows))
            }
        else:
            known = {name: i for i, name in enumerate(self.names)}
        if simulation not in known:
            raise DataError(
                self.path, f"a row for simulation {simulation!r}", f"only {shorten(known)}"
            )
        return dict(zip(self.columns, self.rows[known[simulation]], strict=True))


def canonical_name(name: str) -> str:
    """One spelling of a parameter's name, for comparisons."""
    return SPELLINGS.get(name, name)


def read_table(path: str | Path, names: Sequence[str] | None = None) -> ParameterTable:
    """Read a table of any of the three forms.

    Parameters
    ----------
    path
        The table: columns separated by whitespace, or CSV. ``#`` starts a comment; the first line
        may be one that names the columns.
    names
        Columns of a table that does not name them; with ``Name`` among them where the rows do name
        their simulations.

    Raises
    ------
    DataError
        No table; columns that neither file nor call names, that both name differently, or that
        are named twice; a row of another length; two different rows of a simulation.
    """
    path = Path(path)
    lines = list(enumerate(read_lines(path, "a text table"), 1))
    lines = [(number, line) for number, line in lines if line.strip("# \t,")]
    header, rows = _split_header(path, lines, names)
    if header is None and names is None:
        raise DataError(
            f"{path}:1",
            "a header '#Name <parameter> ... seed', or CSV with a column Name",
            repr(lines[0][1][:60]) if lines else "an empty file",
            "Columns are read by name: add a header, or set suite.parameter_names.",
        )
    columns = list(names or ()) if header is None else header
    _require_each_once(path, columns)
    if header is not None and names is not None:
        _require_same_names(path, header, names)
    cells = [(number, split_cells(line)) for number, line in rows]
    for number, row in cells:
        if len(row) != len(columns):
            raise DataError(f"{path}:{number}", f"{len(columns)} columns", f"{len(row)}")
    place = _name_column(columns)
    if place is None:
        _require_numbers(path, cells, columns)
        return ParameterTable(path, tuple(columns), tuple(tuple(row) for _, row in cells), None)
    columns.pop(place)
    found = _named(path, cells, place)
    return ParameterTable(path, tuple(columns), tuple(found.values()), tuple(found))


def _split_header(
    path: Path, lines: Sequence[Line], names: Sequence[str] | None
) -> tuple[list[str] | None, list[Line]]:
    """Names of the columns, if a line says them, and the lines of the rows.

    The line is a comment with a column of simulations in it, or with names that are known to the
    caller; or the first that is none, if no cell of it is a number.
    """
    comments = [line for line in lines if line[1].lstrip().startswith("#")]
    rows = [line for line in lines if not line[1].lstrip().startswith("#")]
    known = {canonical_name(name) for name in names or ()}
    candidates = [split_cells(line.lstrip("# \t")) for _, line in comments]
    candidates = [cells for cells in candidates if _names_columns(cells, known)]
    width = len(split_cells(rows[0][1])) if rows else 0
    fitting = [cells for cells in candidates if len(cells) == width]
    if candidates:
        return [*fitting, *candidates][0], rows
    if rows and not any(map(_is_number, cells := split_cells(rows[0][1]))):
        return cells, rows[1:]
    return None, rows


def _names_columns(cells: Sequence[str], known: Collection[str]) -> bool:
    """Whether a comment names columns: that of the simulations, or at least half of those known."""
    shared = sum(canonical_name(cell) in known for cell in cells)
    is_header = _name_column(cells) is not None and len(cells) > 1
    return is_header or (bool(known) and 2 * shared >= max(len(cells), len(known)))


def _require_each_once(path: Path, columns: Sequence[str]) -> None:
    spelt = [canonical_name(name) for name in columns]
    twice = [name for name, same in zip(columns, spelt, strict=True) if spelt.count(same) > 1]
    if twice or sum(name.lower() in _NAME_COLUMNS for name in columns) > 1:
        raise DataError(
            f"{path}:1",
            "every column named once, and one column of names",
            f"{', '.join(twice or columns)} in {list(columns)}",
            "Remove the columns that are not meant.",
        )


def _require_same_names(path: Path, header: Sequence[str], names: Sequence[str]) -> None:
    """Columns that file and config both name are the same; in the same order where that matters."""

    def listed(columns: Sequence[str]) -> list[str]:
        kept = [name for name in columns if name.lower() not in (*_NAME_COLUMNS, SEED)]
        return [canonical_name(name) for name in kept]

    if listed(header) != listed(names):
        raise DataError(
            f"{path}:1",
            f"the columns of suite.parameter_names, {list(names)}",
            f"{list(header)}",
            "The table names its columns: leave suite.parameter_names out, or correct one of them.",
        )


def _name_column(columns: Sequence[str]) -> int | None:
    """Place of the simulation's name; none if these are no names of columns."""
    places = [i for i, column in enumerate(columns) if column.lower() in _NAME_COLUMNS]
    return places[0] if places else None


def _named(
    path: Path, cells: Sequence[tuple[int, list[str]]], place: int
) -> dict[str, tuple[str, ...]]:
    rows: dict[str, tuple[str, ...]] = {}
    for number, row in cells:
        name, values = row[place], (*row[:place], *row[place + 1 :])
        if rows.setdefault(name, values) != values:
            raise DataError(f"{path}:{number}", f"one row for {name!r}", "a second, different one")
    return rows


def _require_numbers(
    path: Path, cells: Sequence[tuple[int, list[str]]], columns: Sequence[str]
) -> None:
    """Every row counts, so that a stray line would give all that follow another simulation."""
    for number, row in cells:
        strange = [cell for cell in row if not _is_number(cell)]
        if strange:
            raise DataError(
                f"{path}:{number}",
                f"{len(columns)} numbers, as this table numbers its simulations by row",
                f"{', '.join(map(repr, strange[:3]))}",
                "A header starts with '#'; a table with names needs Name in suite.parameter_names.",
            )


def split_cells(line: str) -> list[str]:
    """Cells of a line, separated by commas if there are any, else by whitespace."""
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def shorten(names: Mapping[str, object] | Sequence[str], limit: int = 12) -> str:
    """Names for a message: the first few, and how many there are."""
    listed = list(names)
    rest = f", ... ({len(listed)} in all)" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + rest if listed else "none"
