r"""Halo catalogues as text: Rockstar lists and CSV tables, columns by name.

Positions are comoving Mpc/h and masses Msun/h. A radius that is not listed follows from the mass,

.. math:: r_{200c} = \left(\frac{3 M_{200c}}{4\pi\,200\,\rho_c(z)}\right)^{1/3},
   \qquad \rho_c(z) = \rho_{c,0}\,\frac{\Omega_m (1+z)^3 + 1 - \Omega_m}{(1+z)^3}

(comoving, flat universe).
"""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError, read_lines
from emulator.readers.headers import Header
from emulator.readers.numbers import cell
from emulator.units import CRITICAL_DENSITY

_STATED = {
    "box_size_mpch": re.compile(r"^#\s*(?:full )?box size\s*[:=]\s*(\S+)\s*Mpc/h", re.IGNORECASE),
    "scale": re.compile(r"^#\s*a\s*=\s*(\S+)\s*$"),
    "omega_m": re.compile(r"^#.*?\bOm(?:ega_?[Mm0])?\s*=\s*([^\s;,]+)"),
    "hubble_h": re.compile(r"^#.*?\bh0?\s*=\s*([^\s;,]+)"),
}
"""What comments of Rockstar and consistent-trees say of the universe."""

_COSMOLOGY = 1.0e-3
_NEEDED = ("x", "y", "z", "m200c")
_MARGIN = 1.0e-6
_AGREEMENT = 1.0e-4


class Listed(NamedTuple):
    """Halos as a catalogue lists them, in comoving Mpc/h and Msun/h; masses may be zero.

    ``box_size_mpch`` is what the catalogue states, or else the snapshot's; ``redshift`` what it
    states, if it does.
    """

    box_size_mpch: float
    redshift: float | None
    position_mpch: NDArray[np.float64]
    m200c_msunh: NDArray[np.float64]
    r200c_mpch: NDArray[np.float64]


class _Table(NamedTuple):
    """Columns by lower-case name, and the line that each row stands on."""

    columns: dict[str, NDArray[np.float64]]
    lines: NDArray[np.int64]


def read_rockstar(path: Path, header: Header) -> Listed:
    """Read a Rockstar list (``out_*.list``, or a ``hlist``): host halos with ``M200c``.

    Subhalos (``PID`` of zero or more; Rockstar's ``find_parents`` adds the column) are left out,
    without the column they stay. Comments (``#Box size: 25.0 Mpc/h``, ``#a = 1.0``, ``#Om = 0.3;
    h = 0.67``) say box, redshift and cosmology, and the column ``scale`` of a ``hlist`` the
    redshift, too.

    Raises
    ------
    DataError
        A missing column, or one that is there twice; a line (named) of another length, or with
        values that are no numbers, not finite or negative, or with a position outside the box;
        comments or a column that contradict each other or the snapshot.
    """
    lines = read_lines(path, "a text table of halos")
    comments = [(number, line) for number, line in enumerate(lines, 1) if line.startswith("#")]
    # consistent-trees appends the number of each column: "M200c(39)"
    names = [re.sub(r"\(\d+\)$", "", n) for n in comments[0][1][1:].split()] if comments else []
    table = _read_table(path, names, list(enumerate(lines, 1)), ("pid", "scale"), str.split)
    stated = {fact: _comment(path, comments, pattern) for fact, pattern in _STATED.items()}
    for fact in ("omega_m", "hubble_h"):
        _require_close(path, stated[fact], getattr(header, fact), fact, _COSMOLOGY)
    scales = table.columns.pop("scale", np.empty(0))
    for scale in (scales.min(), scales.max()) if len(scales) else ():
        _require_close(path, scale, stated["scale"], "scale", _AGREEMENT)
        _require_close(path, scale, 1.0 / (1.0 + header.redshift), "scale", _COSMOLOGY)
    if "pid" in table.columns:
        hosts = table.columns["pid"] < 0
        table = _Table(
            {name: values[hosts] for name, values in table.columns.items()}, table.lines[hosts]
        )
    box, scale = stated["box_size_mpch"], stated["scale"]
    return _checked(path, table, header)._replace(
        box_size_mpch=header.box_size_mpch if box is None else box,
        redshift=None if scale is None else 1.0 / scale - 1.0,
    )


def _require_close(
    path: Path, found: float | None, expected: float | None, fact: str, tolerance: float
) -> None:
    """Two sources of a fact agree, where both say it."""
    if found is None or expected is None or abs(found - expected) <= tolerance * abs(expected):
        return
    raise DataError(
        path,
        f"a list of the output of its snapshot, {fact} {expected:g}",
        f"one of {fact} {found:g}",
        "Is it the list of another snapshot, or of another simulation?",
    )


def read_csv(path: Path, header: Header) -> Listed:
    """Read a CSV table with the columns ``x, y, z, m200c`` and, if listed, ``r200c`` [Mpc/h].

    Raises as :func:`read_rockstar`.
    """
    lines = [
        (number, line)
        for number, line in enumerate(read_lines(path, "a text table of halos"), 1)
        if line.strip()
    ]
    names = _cells(lines[0][1].lstrip("#")) if lines else []
    return _checked(path, _read_table(path, names, lines[1:], ("r200c",), _cells), header)


def radius_200c(
    m200c_msunh: NDArray[np.float64], omega_m: float, redshift: float
) -> NDArray[np.float64]:
    """Comoving radius [Mpc/h] within which the mean density is 200 times the critical one."""
    growth = (1.0 + redshift) ** 3
    density = CRITICAL_DENSITY * (omega_m * growth + 1.0 - omega_m) / growth
    return np.cbrt(3.0 * m200c_msunh / (800.0 * np.pi * density))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]


def _comment(
    path: Path, comments: Sequence[tuple[int, str]], pattern: re.Pattern[str]
) -> float | None:
    """Positive number that the comments of this pattern state; all of them the same."""
    found: float | None = None
    for number, line in comments:
        match = pattern.match(line)
        if match:
            value = cell(match[1], f"{path}:{number}")
            if not 0 < value < math.inf:
                raise DataError(f"{path}:{number}", "a positive number", match[1])
            if found is not None and abs(value - found) > _AGREEMENT * found:
                raise DataError(
                    f"{path}:{number}", f"{found:g}, as an earlier comment says", f"{value:g}"
                )
            found = value
    return found


def _read_table(
    path: Path,
    names: Sequence[str],
    lines: Sequence[tuple[int, str]],
    optional: Sequence[str],
    split: Callable[[str], list[str]],
) -> _Table:
    places = {name.lower(): place for place, name in enumerate(names)}
    lower = [name.lower() for name in names]
    twice = [name for name in (*_NEEDED, *optional) if lower.count(name) > 1]
    if twice:
        raise DataError(
            f"{path}:1",
            f"one column {twice[0]}",
            f"{lower.count(twice[0])}",
            "Remove all but the one that is meant.",
        )
    missing = [name for name in _NEEDED if name not in places]
    if missing:
        raise DataError(
            f"{path}:1",
            f"columns {', '.join(_NEEDED)}",
            f"only {', '.join(names[:20]) or 'no header'}",
            f"No {', '.join(missing)}; M200c must be in the list (Rockstar: MassDefinition 200c).",
        )
    wanted = [*_NEEDED, *(name for name in optional if name in places)]
    rows = [(number, line) for number, line in lines if line.strip() and line.lstrip()[0] != "#"]
    values = np.empty((len(rows), len(wanted)))
    for row, (number, line) in enumerate(rows):
        cells = split(line)
        if len(cells) != len(names):
            raise DataError(f"{path}:{number}", f"{len(names)} values", f"{len(cells)}")
        for column, name in enumerate(wanted):
            values[row, column] = cell(cells[places[name]], f"{path}:{number}:{name}")
    numbers = np.array([number for number, _ in rows], np.int64)
    return _Table(dict(zip(wanted, values.T, strict=True)), numbers)


def _checked(path: Path, table: _Table, header: Header) -> Listed:
    columns, box = table.columns, header.box_size_mpch
    for name, values in columns.items():
        low, high = {"pid": (-np.inf, np.inf), "m200c": (0, np.inf), "r200c": (0, np.inf)}.get(
            name, (-_MARGIN * box, (1.0 + _MARGIN) * box)
        )
        bad = ~(np.isfinite(values) & (values >= low) & (values <= high))
        if bad.any():
            first = int(np.argmax(bad))
            is_position = name in ("x", "y", "z")
            raise DataError(
                f"{path}:{table.lines[first]}:{name}",
                f"a position in [0, {box:g}] Mpc/h" if is_position else "zero or more, finite",
                f"{values[first]:g}",
                "Positions in kpc/h, or the catalogue of another box?" if is_position else "",
            )
    mass, radius = columns["m200c"], columns.get("r200c")
    if radius is None:
        radius = radius_200c(mass, header.omega_m, header.redshift)
    position = np.column_stack([columns[name] for name in ("x", "y", "z")])
    return Listed(box, None, position, mass, radius)
