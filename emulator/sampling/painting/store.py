"""Painted members in one Zarr store: members are added as they are finished, by several jobs.

Rows are in the order in which members were finished; the coordinate ``member`` has their numbers. A
member is added by writing its chunks, and then the metadata of the store in one file: whoever reads
meanwhile, or after the writer was killed, sees all of a member or none. Jobs take their turns by a
lock (:func:`emulator.io.locked`).
"""

import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.io import DataError, locked, open_store, write_errors
from emulator.progress import Progress
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.folder import OTHER, identity, summarise
from emulator.sampling.painting.resume import members_there, missing_members

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 1024
"""Pixels a side, and rows of what has one number a member."""


def paint_store(painter: AnyPainter, members: Iterable[int], path: Path) -> int:
    """Paint members that the store does not hold yet.

    Parameters
    ----------
    painter
        Model and box.
    members
        Their numbers.
    path
        The store (Zarr format 3), made with the first member.

    Returns
    -------
    How many were painted.

    Raises
    ------
    DataError
        If a store is there of another model, box, seed or setting, or something else.
    """
    missing = missing_members(painter, members, path, read_labels)
    line = Progress("paint", painter.passes * len(missing)) if missing else None
    for member in missing:
        values = painter.draw(member, line)
        with locked(path), write_errors(path), _quiet():
            _add(painter, member, values, path)
    return len(missing)


def summarise_store(painter: AnyPainter, members: Iterable[int], path: Path) -> None:
    """Paint members, keep their mean and standard deviation, and write them as a store."""
    summary = summarise(painter, members)
    with locked(path), write_errors(path), _quiet():
        _create(summary, path)


def read_labels(path: Path) -> tuple[list[int], dict[str, object]]:
    """Numbers and :func:`~emulator.sampling.painting.folder.identity` of the members of a store.

    Raises
    ------
    DataError
        A store of something else.
    """
    with open_store(path) as found:
        if "member" in found.coords and "fields" in found and found.attrs.get("stage") == "paint":
            return found["member"].values.tolist(), identity(found)
    raise DataError(path, "members of a painted box", "something else", OTHER)


def _add(painter: AnyPainter, member: int, values: np.ndarray, path: Path) -> None:
    """Add one member ``(channel, y, x)``, unless another job has done so."""
    import zarr

    there = members_there(painter, path, read_labels)
    labelled = painter.label(values[None], [member])
    if not there:
        _create(labelled, path)
    elif member not in there:
        _consolidate(path)
        group = zarr.open_group(path, mode="r+")
        for name, variable in labelled.variables.items():
            if "member" in variable.dims:
                axis = variable.dims.index("member")
                array: Any = group[str(name)]
                before, after = array.shape[:axis], array.shape[axis + 1 :]
                array.resize((*before, len(there) + 1, *after))
                array[(*(slice(None),) * axis, len(there))] = variable.values.take(0, axis)
        # one file, replaced at once: from here on the member is there
        plain = zarr.open_group(path, mode="r+", use_consolidated=False)
        plain.attrs.update(painter.describe([*there, member]).attrs)
        _consolidate(path)


def _consolidate(path: Path) -> None:
    """Keep the metadata of all arrays in one file, which hides what is written after it."""
    import zarr

    if zarr.open_group(path, mode="r").metadata.consolidated_metadata is None:
        zarr.consolidate_metadata(path)


def _create(dataset: "xr.Dataset", path: Path) -> None:
    """Write a new store; it bears its name when it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    text = {name: each.astype(object) for name, each in dataset.coords.items() if _is_text(each)}
    encoding = {
        str(name): {"chunks": _chunks(variable)}
        for name, variable in dataset.variables.items()
        if variable.dims and not _is_text(variable)
    }
    try:
        dataset.assign_coords(text).to_zarr(partial, mode="w-", zarr_format=3, encoding=encoding)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _chunks(variable: "xr.Variable") -> tuple[int, ...]:
    """Of maps: pieces of one channel of one member; of others: all, with room for members."""
    if variable.dims[-2:] == ("y", "x"):
        sides = (min(CHUNK, size) for size in variable.shape[-2:])
        return (*(1,) * (variable.ndim - 2), *sides)
    sizes = zip(variable.dims, variable.shape, strict=True)
    return tuple(CHUNK if dim == "member" else size for dim, size in sizes)


def _is_text(variable: "xr.DataArray | xr.Variable") -> bool:
    return variable.dtype.kind in "US"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that consolidated metadata are an extension of the format."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        yield
