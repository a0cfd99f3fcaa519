"""Where the halos of a maps file lie in the windows of an ensemble."""

import numpy as np
import xarray as xr

from emulator.data.maps import Maps
from emulator.metrics.halos import WindowHalos

AXES = ("x", "y", "z")


def halos_in_windows(maps: Maps, ensemble: xr.Dataset) -> WindowHalos | None:
    """Halos whose centres lie in windows, each once for every window that shows it.

    Parameters
    ----------
    maps
        Maps of the simulation, with its halos.
    ensemble
        ``centre (sample, axis)`` and ``projection (sample)``.

    Returns
    -------
    None where it cannot be known which halos a window shows: maps without halos, and maps whose
    labels say no axis. A slab shows the halos whose centres it holds; a ready window its own halo,
    in its middle.
    """
    if not len(maps.halo_m200c):
        return None
    side = ensemble.sizes["x"]
    projections = ensemble["projection"].values
    if not maps.periodic:
        return _of_ready_windows(maps, projections, side)
    labels = [maps.projections[number] for number in projections]
    if any(label.rstrip("0123456789") not in AXES for label in labels):
        return None
    rows = [
        _of_window(maps, label, np.asarray(centre), side)
        for label, centre in zip(labels, ensemble["centre"].values, strict=True)
    ]
    number = np.concatenate([halo for halo, _, _ in rows])
    return WindowHalos(
        np.repeat(np.arange(len(rows)), [len(halo) for halo, _, _ in rows]),
        np.concatenate([y for _, y, _ in rows]),
        np.concatenate([x for _, _, x in rows]),
        maps.halo_m200c[number],
        maps.halo_r200c[number],
    )


def _of_window(
    maps: Maps, label: str, centre: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers and places [pixel] of the halos of one window of a periodic map."""
    axis = label.rstrip("0123456789")
    slab, along = label[len(axis) :], AXES.index(axis)
    across = [a for a in range(3) if a != along]
    corner = centre - side // 2
    place = (maps.halo_position[:, across] / maps.pixel_mpch - corner) % maps.n_pixels
    shown = (place < side).all(axis=1)
    if slab:
        n_slabs = sum(name.rstrip("0123456789") == axis for name in maps.projections)
        depth = float(maps.attrs["depth_mpch"])
        shown &= np.floor(maps.halo_position[:, along] / depth).astype(int) % n_slabs == int(slab)
    return np.flatnonzero(shown), place[shown, 0], place[shown, 1]


def _of_ready_windows(maps: Maps, projections: np.ndarray, side: int) -> WindowHalos | None:
    if maps.halo_projection is None:
        return None
    found = {int(number): halo for halo, number in enumerate(maps.halo_projection)}
    sample = np.array([i for i, number in enumerate(projections) if int(number) in found], int)
    halo = np.array([found[int(projections[i])] for i in sample], int)
    middle = np.full(len(sample), side / 2)
    return WindowHalos(sample, middle, middle, maps.halo_m200c[halo], maps.halo_r200c[halo])
