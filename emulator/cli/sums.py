"""Known masses on the command line: ``--constraint NAME=VALUE``, or the name of a file of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emulator.cli.options import pairs
from emulator.config.section import expand_path
from emulator.io import DataError, EmulatorError, is_file, read_text

if TYPE_CHECKING:
    import numpy as np

Constraint = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Mass [Msun/h] that each member is scaled to hold, of total or of a field; or a file "
        "of it (.npy, .txt); repeatable.",
    ),
]
OPTION = "--constraint"


def read_constraints(given: list[str] | None) -> "dict[str, np.ndarray] | None":
    """Masses [Msun/h] by name; None where none is given.

    Which names, shapes and values can be is up to :func:`emulator.sampling.sums.check_sums`.

    Raises
    ------
    EmulatorError
        No sign of equality, a name that is there twice, or what is neither a number nor a file.
    DataError
        A file of something else.
    """
    if not given:
        return None
    return {name: _mass(text, name) for name, text in pairs(given, OPTION, "total=2.0e15")}


def _mass(text: str, name: str) -> "np.ndarray":
    import numpy as np

    try:
        return np.array(float(text))
    except ValueError:
        path = Path(expand_path(text))
    wanted = f"a mass in Msun/h, for {OPTION} {name}"
    if not is_file(path):
        raise EmulatorError(
            f"{OPTION} {name}: expected a mass in Msun/h, or a file of it (.npy, .txt), got "
            f"{text!r}, which is no number and no file"
        )
    if path.suffix not in (".npy", ".txt"):
        raise DataError(path, f"{wanted}, in a file .npy or .txt", path.suffix or "no suffix")
    try:
        if path.suffix == ".npy":
            values: np.ndarray = np.load(path, allow_pickle=False)
            return values
        return np.array([float(part) for part in read_text(path, wanted).split()])
    except (OSError, ValueError, EOFError) as error:
        raise DataError(path, wanted, str(error)) from error
