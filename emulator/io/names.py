"""Names that become parts of paths: of simulations, runs, splits and labels.

They come from configs, tables and files of others. A name that is put into a path unchecked can
point anywhere (``../../evil``); so every one of them passes :func:`path_part` first.
"""

from emulator.io.errors import DataError

LONGEST = 100
"""Bytes of a name: file systems take 255, and a block is named by two, with suffixes."""


def path_part(name: str, where: str) -> str:
    """``name`` itself if it is a plain name of a file or folder.

    Parameters
    ----------
    name
        What is to become one part of a path.
    where
        Where it comes from, for the message.

    Raises
    ------
    DataError
        A name that is empty, starts with a dot or a hyphen, holds ``/``, a backslash, a brace or a
        control character, or is longer than :data:`LONGEST` bytes.
    """
    fault = _fault(name)
    if fault:
        shown = repr(name)[:60]
        raise DataError(
            where,
            f"a name that can be part of a path: at most {LONGEST} bytes, no '/', backslash, brace "
            "or control character, no dot or hyphen in front",
            f"{shown} ({fault})",
        )
    return name


def _fault(name: str) -> str | None:
    if not isinstance(name, str) or not name:
        return "no text"
    if name[0] in ".-":
        return f"it starts with {name[0]!r}"
    bad = next((c for c in name if c in "/\\{}" or not c.isprintable()), None)
    if bad is not None:
        return f"it holds {bad!r}"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is no valid Unicode"
    return f"it is {size} bytes long" if size > LONGEST else None
