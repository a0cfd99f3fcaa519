"""Findings that lie beside the weights of a bundle, and are of no others."""

from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from pydantic import ValidationError

from emulator.config.documents import shorten_error
from emulator.io import DataError, is_file, read_json


class Named(Protocol):
    """A finding, which names the weights that it was made for; a pydantic model."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights."""

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """The finding that a parsed file holds."""


Finding = TypeVar("Finding", bound=Named)


def read_beside(
    path: Path, kind: type[Finding], weights_sha256: str, *, made: str, about: str, again: str
) -> Finding | None:
    """A finding of a bundle; None if there is no file.

    Parameters
    ----------
    path
        The file, beside the weights.
    kind
        What it holds.
    weights_sha256
        Of the weights, as ``model.json`` names them.
    made, about, again
        For messages: what it is, made by which command; the same of these weights; and how to make
        it again.

    Raises
    ------
    DataError
        If the file is damaged, no finding of this kind, or one of other weights.
    """
    if not is_file(path):
        return None
    value: Any = read_json(path)
    try:
        found = kind.model_validate(value)
    except ValidationError as error:
        raise DataError(path, made, f"\n{shorten_error(error)}", again) from error
    if found.weights_sha256 != weights_sha256:
        raise DataError(
            path,
            f"{about} the weights beside it (sha256 {weights_sha256[:12]}...)",
            f"one of others ({found.weights_sha256[:12]}...)",
            again,
        )
    return found
