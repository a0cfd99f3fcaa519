r"""Seals: the SHA-256 of what was written, kept in the file and verified when it is read.

A binary file (HDF5, netCDF, a training state) ends in one line, ``sha256:`` and 64 hexadecimal
digits, over all bytes before it; the readers of these formats ignore what follows their own end.
A JSON document has the same digits as its last key ``sha256``, over its text with that value empty.

Every byte is covered, the structure of the file included, and it is verified before the file is
parsed: a damaged file is one message, whatever its damage would have done to a parser. Reading a
file for its checksum costs about half a second a gigabyte. A file that another program has changed
no longer bears its seal.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.io.errors import DataError

_TAG = b"\nsha256:"
_LENGTH = len(_TAG) + 64 + 1
_JSON_KEY = "sha256"
_JSON_SEAL = re.compile(r'"sha256": "([0-9a-f]{64})"\n\}\n\Z')
_BLOCK = 1 << 20

REMAKE = "Remove it and run the same command again: it is made anew."


def seal_of(*parts: bytes | memoryview) -> bytes:
    """Line that ends a file of these parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return _line(digest.hexdigest())


def append_seal(path: Path) -> None:
    """Seal a file that another library has written."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256")
    with path.open("ab") as handle:
        handle.write(_line(digest.hexdigest()))


def is_sealed(path: Path) -> bool:
    """Whether a file ends in a seal, right or wrong."""
    return _stated(path) is not None


def seal_in(path: Path) -> str:
    """Checksum that a file says of itself, unverified; empty where it says none."""
    return _stated(path) or ""


def verify(path: str | Path, *, hint: str = REMAKE) -> None:
    """Verify the seal of a file that this project wrote.

    Raises
    ------
    DataError
        A file without a seal, or whose bytes are not those that were written.
    """
    path = Path(path)
    stated = _stated(path)
    if stated is None:
        raise DataError(
            path,
            "a file that ends in its checksum",
            "none: it was truncated, changed by another program, or written by an earlier version",
            hint,
        )
    verify_if_sealed(path, hint=hint)


def verify_if_sealed(path: str | Path, *, hint: str = REMAKE) -> None:
    """Verify the seal if there is one; files of others have none, and what is no file neither."""
    path = Path(path)
    stated = _stated(path) if path.is_file() else None
    if stated is not None and _digest(path) != stated:
        raise DataError(
            path, f"the bytes that were written (sha256 {stated[:12]}...)",
            "others: the file is damaged", hint,
        )  # fmt: skip


def verify_own(path: str | Path, attrs: Mapping[str, Any]) -> None:
    """Require the seal of a file that says itself that this project wrote it; others have none.

    ``attrs`` are the attributes of the open file.
    """
    if "emulator_version" in attrs:
        verify(path)


def _line(hexdigest: str) -> bytes:
    return _TAG + hexdigest.encode() + b"\n"


def _stated(path: Path) -> str | None:
    """Checksum that a file ends in."""
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - _LENGTH))
            tail = handle.read()
    except FileNotFoundError as error:
        raise DataError(path, "a file", "no such file") from error
    except OSError as error:
        raise DataError(path, "a readable file", str(error)) from error
    match = re.fullmatch(re.escape(_TAG) + rb"([0-9a-f]{64})\n", tail)
    return match[1].decode() if match else None


def _digest(path: Path) -> str:
    """Checksum of all that stands before the seal."""
    digest, left = hashlib.sha256(), path.stat().st_size - _LENGTH
    with path.open("rb") as handle:
        while left > 0:
            block = handle.read(min(left, _BLOCK))
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def seal_json(value: Mapping[str, Any]) -> str:
    """Text of a JSON document with its seal."""
    text = json.dumps({**value, _JSON_KEY: ""}, indent=2, allow_nan=False) + "\n"
    return _with_seal(text, hashlib.sha256(text.encode()).hexdigest())


def verify_json(path: str | Path, text: str, value: Any, *, required: bool) -> Any:
    """Check the seal of a JSON document; return it without the seal.

    Raises
    ------
    DataError
        A wrong seal, or none where one is required.
    """
    match = _JSON_SEAL.search(text)
    if match is None:
        if required:
            raise DataError(
                path,
                f"a document that ends in its checksum ({_JSON_KEY!r})",
                "none: it was damaged, edited, or written by an earlier version",
                REMAKE,
            )
        return value
    blank = text[: match.start(1)] + text[match.end(1) :]
    if hashlib.sha256(blank.encode()).hexdigest() != match[1]:
        raise DataError(
            path,
            f"the text that was written (sha256 {match[1][:12]}...)",
            "another: it is damaged or was edited",
            REMAKE,
        )
    del value[_JSON_KEY]
    return value


def _with_seal(text: str, digest: str) -> str:
    end = f'"{_JSON_KEY}": ""\n}}\n'
    return text.removesuffix(end) + end.replace('""', f'"{digest}"')
