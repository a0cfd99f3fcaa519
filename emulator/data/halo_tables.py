r"""Halo catalogues as text: Rockstar lists and CSV tables, columns by name.

Positions are comoving Mpc/h and masses Msun/h. A radius that is not listed follows from the mass,

.. math:: r_{200c} = \left(\frac{3 M_{200c}}{4\pi\,200\,\rho_c(z)}\right)^{1/3},
   \qquad \rho_c(z) = \rho_{c,0}\,\frac{\Omega_m (1+z)^3 + 1 - \Omega_m}{(1+z)^3}

(comoving, flat universe).
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emulator.data.headers import Header
from emulator.io import DataError
from emulator.units import CRITICAL_DENSITY

Columns = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

_BOX_LINE = re.compile(r"^#\s*Box size:\s*(?P<value>[-+.\deE]+)\s*Mpc/h", re.IGNORECASE)
_MARGIN = 1.0e-6


def read_rockstar(path: Path, header: Header) -> tuple[float | None, Columns]:
    """Read a Rockstar list (``out_*.list``, or a ``hlist``): host halos with ``M200c``.

    Returns
    -------
    Box that the comments state [Mpc/h], or ``None``; positions ``(n, 3)`` [Mpc/h], masses [Msun/h]
    and radii [Mpc/h]. Subhalos (``PID`` of zero or more) are left out.

    Raises
    ------
    DataError
        A missing column, lines of another length, values that are no numbers, not finite or
        negative, positions outside the box.
    """
    comments = [line for line in _lines(path) if line.startswith("#")]
    # consistent-trees appends the number of each column: "M200c(39)"
    names = [re.sub(r"\(\d+\)$", "", name) for name in comments[0][1:].split()] if comments else []
    boxes = [match["value"] for line in comments if (match := _BOX_LINE.match(line))]
    columns = _columns(path, names, ["x", "y", "z", "m200c"], optional=["pid"], delimiter=None)
    hosts = columns["pid"] < 0 if "pid" in columns else np.ones(len(columns["x"]), bool)
    chosen = {name: values[hosts] for name, values in columns.items()}
    return float(boxes[0]) if boxes else None, _checked(path, chosen, header)


def read_csv(path: Path, header: Header) -> tuple[None, Columns]:
    """Read a CSV table with the columns ``x, y, z, m200c`` and, if listed, ``r200c`` [Mpc/h].

    Returns and raises as :func:`read_rockstar`.
    """
    lines = _lines(path)
    names = [name.strip() for name in lines[0].split(",")] if lines else []
    columns = _columns(
        path, names, ["x", "y", "z", "m200c"], optional=["r200c"], delimiter=",", skip=1
    )
    return None, _checked(path, columns, header)


def radius_200c(
    m200c_msunh: NDArray[np.float64], omega_m: float, redshift: float
) -> NDArray[np.float64]:
    """Comoving radius [Mpc/h] within which the mean density is 200 times the critical one."""
    growth = (1.0 + redshift) ** 3
    density = CRITICAL_DENSITY * (omega_m * growth + 1.0 - omega_m) / growth
    return np.cbrt(3.0 * m200c_msunh / (800.0 * np.pi * density))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(path, "a table of halos", "no such file")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(path, "a text table", f"other bytes ({error})") from error


def _columns(
    path: Path,
    names: Sequence[str],
    needed: Sequence[str],
    *,
    optional: Sequence[str],
    delimiter: str | None,
    skip: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Columns by lower-case name."""
    places = {name.lower(): place for place, name in enumerate(names)}
    missing = [name for name in needed if name not in places]
    if missing:
        raise DataError(
            f"{path}:1",
            f"columns {', '.join(needed)}",
            f"only {', '.join(names[:20]) or 'no header'}",
            f"No {', '.join(missing)}; M200c must be in the list (Rockstar: MassDefinition 200c).",
        )
    wanted = [*needed, *(name for name in optional if name in places)]
    lines = [line for line in _lines(path)[skip:] if line.strip() and not line.startswith("#")]
    if not lines:
        return {name: np.empty(0) for name in wanted}
    try:
        table = np.loadtxt(
            lines, delimiter=delimiter, usecols=[places[name] for name in wanted], ndmin=2
        )
    except ValueError as error:
        raise DataError(path, f"{len(names)} numbers a line", str(error)) from error
    return dict(zip(wanted, table.T, strict=True))


def _checked(path: Path, columns: dict[str, NDArray[np.float64]], header: Header) -> Columns:
    position = np.column_stack([columns[name] for name in "xyz"])
    mass, box = columns["m200c"], header.box_size_mpch
    for name, values in columns.items():
        bad = ~np.isfinite(values) | ((values < 0) if name in ("m200c", "r200c") else False)
        if bad.any():
            first = int(np.argmax(bad))
            raise DataError(
                f"{path}:{name}",
                "finite numbers, masses of zero or more",
                f"{values[first]}",
                f"It is halo {first + 1} of the table.",
            )
    margin = _MARGIN * box
    if position.size and (position.min() < -margin or position.max() > box + margin):
        raise DataError(
            path,
            f"positions in [0, {box:g}] Mpc/h",
            f"{position.min():g} to {position.max():g}",
            "Positions in kpc/h, or the catalogue of another box?",
        )
    keep = mass > 0
    listed = columns.get("r200c")
    radius = radius_200c(mass, header.omega_m, header.redshift) if listed is None else listed
    return position[keep], mass[keep], radius[keep]
