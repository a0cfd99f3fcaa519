"""Export: windows and ensembles as the ``.npz`` samples that BIND reads.

Windows are cut by :func:`~emulator.data.cutouts.extract`, as for training. Order of ``params``:
that of the maps file, or of the ensemble.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emulator.data.cutouts import extract
from emulator.data.maps import Maps, read_maps
from emulator.domain import Domain, domain_of
from emulator.fields import TARGETS
from emulator.io import DataError, path_part, read_dataset, require_attribute
from emulator.suites.window_files import ReadyWindow, write_window

if TYPE_CHECKING:
    import xarray as xr

AXES = ("x", "y", "z")


def export_windows(
    path: str | Path,
    folder: str | Path,
    *,
    window: int,
    context_factors: Sequence[int],
    mass_threshold_msunh: float,
    projection: str = "z",
) -> list[Path]:
    """Write a sample of each halo of a maps file.

    Parameters
    ----------
    path
        ``maps/{simulation}.h5``.
    folder
        Where ``{simulation}_{halo:05d}.npz`` is written; ``halo`` counts the halos of the maps
        file. Ready windows keep their label as the name.
    window, context_factors
        Pixels a side, and levels of the context.
    mass_threshold_msunh
        Least M200c [Msun/h].
    projection
        Axis that is summed: ``x``, ``y`` or ``z``; with slabs, the slab that holds the halo. Ready
        windows have one projection and ignore it.

    Returns
    -------
    The files, in the order of the halos; possibly none.

    Raises
    ------
    DataError
        A damaged maps file, one without halos or without this projection, or a window or context
        that it cannot give.
    """
    maps = read_maps(path)
    _require_maps(maps.domain, path)
    if maps.periodic and not len(maps.halo_m200c):
        raise DataError(maps.path, "halos", "none", "Ready maps have no halo catalogue.")
    files = []
    for name, place, mass, position in _places(maps, mass_threshold_msunh, projection):
        cut = extract(maps, *place, window=window, context_factors=context_factors, species=TARGETS)
        sample = ReadyWindow(
            condition=cut.condition,
            target=cut.target,
            large_scale=cut.large_scale,
            params=np.array(list(maps.params.values()), np.float32),
            halo_mass=np.array(mass, np.float32),
            halo_center=np.asarray(position, np.float32),
        )
        files.append(Path(folder) / f"{path_part(name, f'{maps.path}:simulation')}.npz")
        write_window(files[-1], sample)
    return files


def _places(
    maps: Maps, threshold_msunh: float, axis: str
) -> Iterator[tuple[str, tuple[int, tuple[int, int]], float, NDArray[np.float64]]]:
    """Name, projection and centre, mass [Msun/h] and position [Mpc/h] of each window."""
    if maps.periodic:
        for halo in np.flatnonzero(maps.halo_m200c >= threshold_msunh):
            position = maps.halo_position[halo]
            name = f"{maps.attrs['simulation']}_{halo:05d}"
            yield name, _place(maps, axis, position), float(maps.halo_m200c[halo]), position
        return
    of_halos = [] if maps.halo_projection is None else maps.halo_projection.tolist()
    for i, label in enumerate(maps.projections):
        mass, position = 0.0, np.zeros(3)
        if i in of_halos:
            row = of_halos.index(i)
            mass, position = float(maps.halo_m200c[row]), maps.halo_position[row]
        if mass >= threshold_msunh:
            yield label, (i, (maps.n_pixels // 2, maps.n_pixels // 2)), mass, position


def export_ensemble(path: str | Path, folder: str | Path) -> list[Path]:
    """Write a sample of each window and member of an ensemble file.

    Parameters
    ----------
    path
        ``ensembles/{split}/{simulation}.nc``.
    folder
        Where ``{simulation}_{sample:04d}_member_{member:03d}.npz`` is written. ``halo_mass`` is 0,
        as windows of an ensemble are not chosen by halos; ``halo_center`` is the centre of the
        window, in the middle of the line of sight. Where the projection does not name its axis,
        the line of sight comes first.

    Returns
    -------
    The files, by sample and member.

    Raises
    ------
    DataError
        A damaged file, or one without the variables and the three fields of an ensemble.
    """
    path = Path(path)
    ensemble = read_dataset(path)
    _require_maps(domain_of(ensemble.attrs, path), path)
    needed = ("fields", "condition", "large_scale", "params", "centre", "projection_label")
    missing = [name for name in needed if name not in ensemble]
    if missing:
        raise DataError(path, f"variables {', '.join(needed)}", f"no {', '.join(missing)}")
    channels = list(ensemble["channel"].values.astype(str))
    absent = [name for name in TARGETS if name not in channels]
    if absent:
        raise DataError(f"{path}:channel", f"the fields {', '.join(TARGETS)}", f"{channels}")
    simulation = require_attribute(ensemble.attrs, "simulation", str(path))
    stem = path_part(str(simulation), f"{path}:simulation")
    fields = ensemble["fields"].sel(channel=list(TARGETS))
    fields = fields.transpose("sample", "member", "channel", "y", "x")
    files = []
    for i, members in enumerate(fields.values):
        window = ensemble.isel(sample=i)
        for k, target in enumerate(members):
            files.append(Path(folder) / f"{stem}_{i:04d}_member_{k:03d}.npz")
            sample = ReadyWindow(
                condition=window["condition"].values,
                target=target,
                large_scale=window["large_scale"].values,
                params=window["params"].values.astype(np.float32),
                halo_mass=np.array(0.0, np.float32),
                halo_center=_window_centre(window),
            )
            write_window(files[-1], sample)
    return files


def _require_maps(domain: Domain, path: str | Path) -> None:
    if domain.dimensions != 2:
        raise DataError(path, "maps, which samples hold", "volumes", "Read the file itself.")


def _place(maps: Maps, axis: str, position: NDArray[np.float64]) -> tuple[int, tuple[int, int]]:
    """Number of the projection, and the pixel in it, that hold a position [Mpc/h]."""
    numbers = [i for i, label in enumerate(maps.projections) if label.rstrip("0123456789") == axis]
    if axis not in AXES or not numbers:
        raise DataError(
            f"{maps.path}:projection", f"axis {axis!r}", f"only {', '.join(maps.projections)}"
        )
    along = AXES.index(axis)
    slab = int(position[along] / float(maps.attrs["depth_mpch"])) % len(numbers)
    row, col = (int(position[a] / maps.pixel_mpch) % maps.n_pixels for a in range(3) if a != along)
    return numbers[slab], (row, col)


def _window_centre(window: "xr.Dataset") -> NDArray[np.float32]:
    """Position of the centre of an ensemble's window, ``(3,)`` [Mpc/h]."""
    pixel, depth = float(window.attrs["pixel_mpch"]), float(window.attrs["depth_mpch"])
    label = str(window["projection_label"].values)
    axis, slab = label.rstrip("0123456789"), label.lstrip("xyz")
    in_map = (window["centre"].values + 0.5) * pixel
    along = AXES.index(axis) if axis in AXES else 0
    number = int(slab) if axis in AXES and slab else 0
    return np.insert(in_map, along, (number + 0.5) * depth).astype(np.float32)
