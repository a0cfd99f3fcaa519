"""HDF5 files: opened, read, and refused by name, whatever is wrong with them and wherever.

HDF5 opens files lazily: a dangling link, a flipped byte or a missing source shows only when the
object is used, as one of half a dozen exceptions. Here they are translated once, for the whole time
that a file is open. And HDF5 fills in what is absent (a source of a virtual dataset, a chunk that
was never written) with zeros, without a word: :func:`dataset_of` refuses such datasets.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.io.errors import DataError, raised_within
from emulator.io.text import absent, forbidden, is_file

if TYPE_CHECKING:
    import h5py

FOREIGN = "Is this the file that you mean, and is it whole? Compare its size with the original's."
"""What to do about a file that this project did not write: it is never to be removed."""

_PLUGIN = (
    "Its data are compressed by a filter that is not installed here: `pip install hdf5plugin`, and "
    "set HDF5_PLUGIN_PATH to what `python -c 'import hdf5plugin; print(hdf5plugin.PLUGIN_PATH)'` "
    "prints."
)


@contextmanager
def open_hdf5(path: str | Path, *, hint: str = FOREIGN) -> Iterator["h5py.File"]:
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path
        The file.
    hint
        What to do about a damaged one.

    Raises
    ------
    DataError
        A file that is missing, closed to us, being written, or no HDF5; and whatever HDF5 refuses
        while the file is open: damaged data or structure, links that lead nowhere, filters that are
        not installed.
    """
    import h5py

    path = Path(path)
    if not is_file(path):
        raise absent(path, "an HDF5 file")
    with h5py_errors(path, hint=hint), h5py.File(path, "r") as handle:
        yield handle


@contextmanager
def h5py_errors(where: str | Path, *, hint: str = FOREIGN) -> Iterator[None]:
    """Turn what h5py raises into a :class:`DataError`; errors from elsewhere pass unchanged."""
    try:
        yield
    except PermissionError as error:
        raise forbidden(Path(where), error) from error
    except FileNotFoundError as error:
        raise DataError(where, "an HDF5 file", f"no such file ({error})") from error
    except Exception as error:
        if not raised_within(error, "h5py"):
            raise
        raise _translated(where, error, hint) from error


def _translated(where: str | Path, error: Exception, hint: str) -> DataError:
    text = str(error).strip("'\"") or type(error).__name__
    if isinstance(error, BlockingIOError) or "unable to lock file" in text:
        return DataError(
            where,
            "a file that nobody is writing",
            f"one that its writer has locked ({text})",
            "Wait until it is written. On a file system without locks, set "
            "HDF5_USE_FILE_LOCKING=FALSE.",
        )
    if "required filter" in text or "can't open directory" in text or "filter plugin" in text:
        return DataError(where, "data that can be read here", text, _PLUGIN)
    return DataError(
        where, "a readable HDF5 file", f"a truncated, damaged or foreign one ({text})", hint
    )


def names_in(group: Iterable[str | bytes]) -> list[str]:
    """Names of what a group or its attributes hold, sorted; also those that are no UTF-8."""
    found = (n if isinstance(n, str) else n.decode(errors="backslashreplace") for n in group)
    return sorted(found)


def dataset_of(group: "h5py.Group", name: str, where: str) -> "h5py.Dataset":
    """One dataset of numbers with all its data.

    Parameters
    ----------
    group, name
        Where it lies; ``name`` may hold slashes.
    where
        ``file:group`` for messages.

    Raises
    ------
    DataError
        A dataset that is missing, a link that leads nowhere, no dataset, no numbers, or one whose
        data are not all there: sources of a virtual dataset, external files, chunks that were never
        written.
    """
    import h5py

    place = f"{where}/{name}"
    link = group.get(name, getlink=True)
    if link is None:
        present = ", ".join(names_in(group)[:12]) or "none"
        raise DataError(place, "a dataset", f"only {present}")
    with h5py_errors(place):
        try:
            dataset = group[name]
        except (KeyError, OSError) as error:
            if isinstance(link, h5py.HardLink):
                raise
            # of an external link the file may be missing, or the object in it
            target = ":".join(filter(None, (getattr(link, "filename", ""), link.path)))
            raise DataError(
                place, "a dataset", f"a link to {target}, which is not there"
            ) from error
        if not isinstance(dataset, h5py.Dataset):
            raise DataError(place, "a dataset", "a group")
        if dataset.shape is not None and dataset.dtype.kind not in "fiu":
            raise DataError(place, "numbers", f"{dataset.dtype}")
        _require_all_data(dataset, place)
    return dataset


def _require_all_data(dataset: "h5py.Dataset", place: str) -> None:
    """Refuse what HDF5 would read as its fill value, zero as a rule."""
    if not dataset.size:
        return
    if dataset.is_virtual:
        _require_sources(dataset, place)
    elif dataset.external:
        _require_external(dataset, place)
    elif dataset.chunks is not None:
        expected = 1
        for length, chunk in zip(dataset.shape, dataset.chunks, strict=True):
            expected *= -(-length // chunk)
        if dataset.id.get_num_chunks() < expected:
            raise _incomplete(place, f"{expected} chunks", f"{dataset.id.get_num_chunks()}")
    elif dataset.id.get_storage_size() == 0:
        raise _incomplete(place, f"{dataset.nbytes} bytes", "none")


def _incomplete(place: str, expected: str, got: str) -> DataError:
    return DataError(
        place, f"all data, {expected}", f"{got} in the file",
        "HDF5 would read what was never written as zeros. Was the writer interrupted?",
    )  # fmt: skip


def _require_sources(dataset: "h5py.Dataset", place: str) -> None:
    """Every source of a virtual dataset is there, and together they fill it."""
    import h5py

    covered = 0
    for source in dataset.virtual_sources():
        covered += source.vspace.get_select_npoints()
        path = _source_path(dataset, source.file_name)
        if path is None:
            raise DataError(
                place, f"the source {source.file_name} of this virtual dataset", "no such file",
                "Put it beside the file, as it was; HDF5 would read zeros in its place.",
            )  # fmt: skip
        with h5py_errors(path), h5py.File(path, "r") as handle:
            if "%b" not in source.dset_name:
                found = dataset_of(handle, source.dset_name, f"{path}:")
                _require_extent(found, source, place)
    if covered < dataset.size:
        raise _incomplete(place, f"{dataset.size} values", f"sources of {covered}")


def _source_path(dataset: "h5py.Dataset", name: str) -> Path | None:
    """File of a source, where HDF5 looks for it."""
    own = Path(dataset.file.filename)
    name = name.replace("%b", "0").replace("%%", "%")
    if name == ".":
        return own
    folders = [own.parent, Path()]
    if "HDF5_VDS_PREFIX" in os.environ:
        folders.insert(0, Path(os.environ["HDF5_VDS_PREFIX"].replace("${ORIGIN}", str(own.parent))))
    return next((folder / name for folder in folders if is_file(folder / name)), None)


def _require_extent(found: "h5py.Dataset", source: Any, place: str) -> None:
    """The source holds what is taken from it (a selection of all of it has no bounds)."""
    import h5py

    if source.src_space.get_select_type() == h5py.h5s.SEL_ALL:
        needed, held = source.vspace.get_select_npoints(), found.size
        fits = held >= needed
    else:
        needed = tuple(int(end) + 1 for end in source.src_space.get_select_bounds()[1])
        held = found.shape
        fits = len(held) == len(needed) and all(h >= n for h, n in zip(held, needed, strict=True))
    if not fits:
        raise DataError(
            place, f"{needed} values of {source.file_name}:{source.dset_name}", f"{held}"
        )


def _require_external(dataset: "h5py.Dataset", place: str) -> None:
    """Files of raw data beside the HDF5 file are there and long enough."""
    import h5py

    for name, offset, size in dataset.external:
        path = Path(dataset.file.filename).parent / name
        path = path if is_file(path) else Path(name)
        if not is_file(path):
            raise DataError(place, f"the file {name} with its data", "no such file")
        end = offset + (dataset.nbytes if size == h5py.h5f.UNLIMITED else size)
        if path.stat().st_size < min(end, offset + dataset.nbytes):
            raise DataError(place, f"{end} bytes in {path}", f"{path.stat().st_size}")


def require_attribute(attrs: Mapping[str, Any], name: str, where: str) -> Any:
    """One attribute, or a :class:`DataError` that lists those present in ``where``."""
    if name not in attrs:
        present = ", ".join(names_in(attrs)) or "none"
        raise DataError(where, f"attribute {name!r}", f"only {present}")
    return attrs[name]
