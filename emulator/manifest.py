"""Manifests: what one block of the workflow has written, file by file.

A block (one run of simulations) writes several files. Its manifest is written last and atomically,
and is what the workflow tracks: the files themselves survive a killed job, and the same command
goes on with those that are missing.
"""

from collections.abc import Sequence
from pathlib import Path

from emulator.io import DataError, read_json, write_json


def write_manifest(path: Path, files: Sequence[Path]) -> None:
    """List ``files`` with their sizes; a missing one is a :class:`DataError`."""
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise DataError(path, f"{len(files)} files", f"{missing} missing")
    write_json(path, {"files": {str(file): file.stat().st_size for file in sorted(set(files))}})


def check_manifest(path: Path) -> None:
    """Verify that every listed file is there with its size; else a :class:`DataError`."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise DataError(path, "a manifest: sizes of files by name", "something else")
    for name, size in content["files"].items():
        file = Path(name)
        found = f"{file.stat().st_size} bytes" if file.is_file() else "no such file"
        if found != f"{size} bytes":
            raise DataError(
                file,
                f"{size} bytes, as listed in {path}",
                found,
            )
