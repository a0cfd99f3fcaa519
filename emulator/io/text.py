"""Text and JSON files: read whole, and refused by name where they are not what they claim."""

import json
from pathlib import Path
from typing import Any

from emulator.io.atomic import write_text
from emulator.io.errors import DataError
from emulator.io.made_by import how_to_make
from emulator.io.seal import seal_json, verify_json


def is_file(path: Path) -> bool:
    """Whether there is such a file; a folder that may not be entered is a :class:`DataError`."""
    try:
        return path.is_file()
    except PermissionError as error:
        raise forbidden(path, error) from error
    except OSError:  # a name that no file system takes
        return False


def absent(path: Path, what: str) -> DataError:
    """Message of a file that is not there: what is in its place, which command writes it."""
    found = "a folder" if path.is_dir() else "no such file"
    return DataError(path, what, found, how_to_make(path))


def forbidden(path: Path, error: Exception) -> DataError:
    """Message of a file that may not be read."""
    return DataError(path, "permission to read it", str(error), "Ask its owner, or see `ls -l`.")


def read_text(path: str | Path, what: str) -> str:
    """Text of a file; one that is missing, closed to us or not UTF-8 is a :class:`DataError`.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, for the message.
    """
    path = Path(path)
    if not is_file(path):
        raise absent(path, what)
    try:
        return path.read_text(encoding="utf-8-sig")
    except PermissionError as error:
        raise forbidden(path, error) from error
    except UnicodeDecodeError as error:
        raise DataError(
            path, f"{what} in UTF-8", f"other bytes ({error})", "Save it as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(path, what, f"a file that cannot be read ({error})") from error


def read_lines(path: str | Path, what: str) -> list[str]:
    """Lines of a text file; raises as :func:`read_text`."""
    return read_text(path, what).splitlines()


def write_json(path: str | Path, value: Any, *, sealed: bool = True) -> None:
    """Write indented JSON atomically; NaN and infinity are refused, as JSON has neither.

    Parameters
    ----------
    path, value
        The file and what it holds: a mapping, if it is sealed.
    sealed
        Add the checksum (:mod:`emulator.io.seal`) that :func:`read_json` verifies.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_text(path, seal_json(value) if sealed else text)


def read_json(path: str | Path, *, sealed: bool = True) -> Any:
    """Read a JSON file that this project wrote.

    Parameters
    ----------
    path
        The file.
    sealed
        Whether its checksum must be there; one that is there must be right in any case.

    Raises
    ------
    DataError
        A file that is missing, no JSON (or JSON with a key twice, NaN, infinity, or nested without
        end), damaged, or changed since it was written.
    """
    text = read_text(path, "a JSON file")
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise DataError(path, "valid JSON", f"a syntax error ({error})") from error
    return verify_json(path, text, value, required=sealed)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:60]!r} stands there twice")
    return found
