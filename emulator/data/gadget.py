"""GADGET and AREPO file families: the files of one output, and the attributes of their headers."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.io import DataError

if TYPE_CHECKING:
    import h5py

_CHUNK_NAME = re.compile(r"^(?P<stem>.+)\.\d+(?P<suffix>\.(?:hdf5|h5))$")


def first_chunk(path: str | Path) -> Path:
    """``path`` itself or, where only the family exists, its file number 0."""
    path = Path(path)
    family = path.with_name(f"{path.stem}.0{path.suffix}")
    return family if not path.is_file() and family.is_file() else path


def chunk_paths(path: Path, n_files: int) -> list[Path]:
    """Files of the family that ``path`` belongs to; a missing one is a DataError that names it."""
    if n_files == 1:
        return [path]
    match = _CHUNK_NAME.match(path.name)
    if match is None:
        raise DataError(
            path,
            f"a name such as {path.stem}.0{path.suffix}, as the header says {n_files} files",
            f"{path.name!r}",
        )
    paths = [path.with_name(f"{match['stem']}.{i}{match['suffix']}") for i in range(n_files)]
    missing = [chunk for chunk in paths if not chunk.is_file()]
    if missing:
        names = ", ".join(chunk.name for chunk in missing[:5])
        raise DataError(
            missing[0],
            f"all {n_files} files that the header of {path.name} announces",
            f"{len(missing)} missing ({names}{', ...' if len(missing) > 5 else ''})",
            "Download or restore them: maps of an incomplete snapshot would lack mass.",
        )
    return paths


def header_value(handle: "h5py.File", path: Path, name: str, *, default: Any = None) -> Any:
    """Attribute ``name`` of ``/Header``, or of ``/Parameters`` where newer codes keep it.

    Without it: ``default``, or a DataError that lists what is there if no default is given.
    """
    present: list[str] = []
    for group in ("Header", "Parameters"):
        if group in handle:
            if name in handle[group].attrs:
                return handle[group].attrs[name]
            present += sorted(handle[group].attrs)
    if default is not None:
        return default
    raise DataError(
        f"{path}:Header",
        f"attribute {name!r}",
        f"only {', '.join(present) or 'none'}",
        "Is this a whole GADGET or AREPO snapshot? Cut-outs often drop the header; copy it over.",
    )
