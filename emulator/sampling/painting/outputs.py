"""Where painted members go: a folder, or one file of a format that the suffix names."""

from collections.abc import Iterable
from pathlib import Path

from emulator.io import DataError, EmulatorError, require_extra, write_dataset
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.fits import write_fits
from emulator.sampling.painting.folder import member_file, paint_folder, paint_summary, summarise
from emulator.sampling.painting.gathered import paint_file
from emulator.sampling.painting.store import paint_store, summarise_store

PACKAGES = {".zarr": "zarr", ".fits": "astropy", ".nc": "h5netcdf"}
"""What a format needs, by suffix."""


def require_output(path: Path, *, only_summary: bool = False, replace: bool = False) -> None:
    """Refuse, before anything is drawn, what nothing can be written to.

    Parameters
    ----------
    path
        A folder (a name without suffix, or one that exists), or a file ``.zarr, .nc, .fits``.
    only_summary
        Whether mean and standard deviation are wanted: they do not replace a file.
    replace
        Whether members that are there may be painted again: one by one in a folder alone.

    Raises
    ------
    EmulatorError
        Another suffix, a package that is not installed, or something else of that name.
    """
    kind = _kind(path)
    if kind not in ("", *PACKAGES):
        raise EmulatorError(
            f"--output {path}: expected a folder (no suffix), or a file {', '.join(PACKAGES)}, got "
            f"{kind}; for a folder of that name, make it first"
        )
    if kind in PACKAGES:
        require_extra(PACKAGES[kind], "formats", f"--output {path.name}")
    a_folder = kind in ("", ".zarr")
    if path.exists() and path.is_dir() != a_folder:
        wanted, got = ("a folder", "a file") if a_folder else ("a file", "a folder")
        raise DataError(path, f"{wanted}, to be written", f"{got} of that name")
    if replace and kind:
        raise EmulatorError(
            f"--replace: expected a folder as --output, got {path}; remove the file instead"
        )
    if only_summary and kind and path.exists():
        raise DataError(
            path, "no such file", "one", "Remove it, or choose another --output for the summary."
        )


def files_of(path: Path, members: Iterable[int]) -> list[Path]:
    """What holds members that were painted into an output; of a store its metadata."""
    kind = _kind(path)
    if not kind:
        return [member_file(path, member) for member in members]
    return [path / "zarr.json" if kind == ".zarr" else path]


def paint_into(
    painter: AnyPainter, members: Iterable[int], path: Path, *, replace: bool = False
) -> int:
    """Paint members that are not there yet; see the function of each kind of output.

    ``replace`` is that of :func:`~emulator.sampling.painting.folder.paint_folder`.

    Returns
    -------
    How many were painted.
    """
    kind = _kind(path)
    if not kind:
        return paint_folder(painter, members, path, replace=replace)
    return (paint_store if kind == ".zarr" else paint_file)(painter, members, path)


def summarise_into(painter: AnyPainter, members: Iterable[int], path: Path) -> Path:
    """Paint members, and keep their mean and standard deviation alone; returns the file."""
    kind = _kind(path)
    if not kind:
        return paint_summary(painter, members, path)
    if kind == ".zarr":
        summarise_store(painter, members, path)
    elif kind == ".fits":
        write_fits(summarise(painter, members), path)
    else:
        write_dataset(summarise(painter, members), path)
    return path


def _kind(path: Path) -> str:
    """Suffix of one of the formats, another one, or nothing for a folder."""
    return "" if path.suffix not in PACKAGES and path.is_dir() else path.suffix
