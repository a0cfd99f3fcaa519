"""Errors that the user can mend: what, where, expected, got, what to do."""

from pathlib import Path
from typing import Any


class EmulatorError(Exception):
    """A problem that the user can mend; the command line prints it without a traceback."""

    exit_code = 1
    """What the command line returns."""


class DataError(EmulatorError):
    """A file that is missing, damaged, or not what a stage needs.

    Parameters
    ----------
    path
        The file, with the dataset or attribute inside it if there is one (``file:key``).
    expected, got
        What the reader needed and what it found.
    hint
        What the user can do about it.
    """

    def __init__(self, path: str | Path, expected: str, got: str, hint: str = "") -> None:
        message = f"{path}: expected {expected}, got {got}"
        super().__init__(f"{message}. {hint}" if hint else message)
        self._facts = (path, expected, got, hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way back from a worker process."""
        return type(self), self._facts


def raised_within(error: BaseException, *libraries: str) -> bool:
    """Whether an exception comes from the code of a library, and not from ours that calls it.

    Damage that a library did not expect shows as an exception of any kind; only those that it
    raised itself are about the file.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    source = Path(trace.tb_frame.f_code.co_filename)
    return not {*source.parts[:-1], source.stem}.isdisjoint(libraries)
