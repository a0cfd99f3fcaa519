"""Atomic writes: a file carries its final name and is whole, or it does not exist."""

import errno
import hashlib
import os
import platform
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.io.errors import DataError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LONGEST_STEM = 120


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a new, empty sibling of ``path``; rename it to ``path`` only if the block succeeds.

    The sibling keeps the suffix (writers look at it). Its name ends in machine, process and random
    digits and is created exclusively: two writers never share it, and no link that somebody has put
    there is followed. What a killed writer left is removed by the next writer of the same file on
    the same machine.

    Raises
    ------
    DataError
        Where nothing can be written: no room, no permission, a folder in the way of the file or a
        file in the way of its folder, a name that is too long.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder of that name", str(path))
        _remove_orphans(path)
        partial = _create(path)
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(partial, path)
    except OSError as error:
        if error.errno in _FULL:
            raise _refusal(path, error) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def write_errors(path: str | Path) -> Iterator[None]:
    """Turn what the system raises while ``path`` is written into a :class:`DataError`."""
    try:
        yield
    except OSError as error:
        raise _refusal(Path(path), error) from error


def reserve(path: Path, n_bytes: int) -> None:
    """Require room for so many bytes more at the end of a file, which stays as it is.

    For libraries that crash where a plain write is an error.

    Raises
    ------
    OSError
        If there is none.
    """
    with path.open("r+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        try:
            os.posix_fallocate(handle.fileno(), size, n_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not every system can say
                raise
        finally:
            handle.truncate(size)


def _create(path: Path) -> Path:
    head, tail = _name_around(path)
    partial = path.with_name(f"{head}{os.getpid()}-{secrets.token_hex(4)}{tail}")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return partial


def _name_around(path: Path) -> tuple[str, str]:
    """What stands before and after process and random digits in the name of a partial file."""
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    stem = path.stem if len(path.stem.encode()) <= _LONGEST_STEM else path.stem[:30]
    return f".{stem}.{machine}-", f".partial{path.suffix}"


def _remove_orphans(path: Path) -> None:
    """Remove partial files of this name and machine whose process is gone."""
    head, tail = _name_around(path)
    pattern = re.compile(rf"{re.escape(head)}(\d{{1,10}})-[0-9a-f]{{8}}{re.escape(tail)}")
    with os.scandir(path.parent) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match and not _is_running(int(match[1])) and not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _refusal(path: Path, error: Exception) -> DataError:
    """Why nothing can be written there, in words."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return DataError(
            path, "room to write the file", str(error), "Free some disk space and go on."
        )
    if number == errno.EISDIR:
        return DataError(path, "a file, to be written", "a folder of that name")
    if number in (errno.EEXIST, errno.ENOTDIR):
        return DataError(
            path,
            f"a folder {path.parent} to write in",
            f"a file in its place ({error})",
            "Remove or rename that file, or write somewhere else.",
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DataError(
            path,
            f"permission to write in {path.parent}",
            str(error),
            "Choose another folder (--results, --maps, --raw), or ask its owner.",
        )
    return DataError(path, "a path that can be written", str(error))


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, *parts: bytes | memoryview) -> None:
    """Write a file out of parts, atomically."""
    with atomic_path(path) as partial, partial.open("wb") as handle:
        for part in parts:
            handle.write(part)
