"""A lock beside a file: processes that share it, on one machine or several, take their turns."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.io.atomic import write_errors


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Let one process at a time into the block, for one ``path``.

    The lock is one of POSIX on ``.NAME.lock`` beside the file: it ends with the process, however
    that ends, and leaves nothing behind. Threads of one process do not exclude each other.

    Raises
    ------
    DataError
        Where nothing can be written, or on a file system without locks.
    """
    import fcntl

    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    with write_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
            fcntl.lockf(handle, fcntl.LOCK_EX)
            if _is(lock, handle):
                break
            os.close(handle)  # whoever had it has removed it meanwhile
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
