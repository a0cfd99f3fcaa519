r"""Cutouts: one window of a simulation's maps, with its surroundings and its targets.

:func:`extract` is the only function that cuts, for training, sampling, painting and validation.
A cutout of ``w`` pixels centred on pixel ``(r, c)`` holds rows ``r - w//2 ... r - w//2 + w - 1`` of
the periodic map, and likewise columns. Its context of factor ``f`` is ``w x w`` block means over
``f x f`` pixels out of the stored pyramid, which starts at block ``floor((r - w f//2) / f)``:
centred to within one block, and exactly where ``f`` divides ``r - w f//2``.

Maps that are not periodic hold one ready window a projection, and its context at the window's own
pixels. Such a window has one cutout: the whole, centred on pixel ``(w//2, w//2)``.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.data.maps import Maps
from emulator.io import DataError

N_ORIENTATIONS = 8
"""Elements of the dihedral group D4, the symmetries of the square."""


class Cutout(NamedTuple):
    """Fields of one window, float32 [Msun/h per pixel]; context in Msun/h per *fine* pixel.

    ``condition`` ``(y, x)``, ``large_scale`` ``(level, y, x)``, ``target`` ``(species, y, x)``.
    """

    condition: NDArray[np.float32]
    large_scale: NDArray[np.float32]
    target: NDArray[np.float32]


def extract(
    maps: Maps,
    projection: int,
    centre: tuple[int, int],
    *,
    window: int,
    context_factors: Sequence[int],
    species: Sequence[str],
    orientation: int = 0,
) -> Cutout:
    """Cut one window out of maps.

    Parameters
    ----------
    maps
        Maps of one simulation, in memory or lazy.
    projection
        Number of the map: of an axis, a slab or a ready window.
    centre
        Row and column of the central pixel; any integer, taken periodically. The middle of a map
        that is not periodic.
    window
        Pixels a side.
    context_factors
        Which levels of the pyramid, in this order.
    species
        Names of the targets, in this order.
    orientation
        Element of D4 applied to all fields alike: ``orientation % 4`` quarter turns, then for 4 to
        7 a flip along x; 0 is the identity.

    Returns
    -------
    Cutout
        New arrays.

    Raises
    ------
    DataError
        A species or level that the maps file does not hold, a window (with its context) that is
        larger than a periodic map, or that is not the whole of another.
    ValueError
        A projection or an orientation that does not exist, or a centre other than the middle of a
        map that is not periodic.
    """
    last = maps.n_projections - 1
    if not 0 <= projection <= last or not 0 <= orientation < N_ORIENTATIONS:
        raise ValueError(
            f"projection must be 0..{last} and orientation 0..7, got {projection} and {orientation}"
        )
    _require_window(maps, window, centre)
    _require_levels(maps, window, context_factors)
    which = [maps.species_index(name) for name in ("dmo", *species)]
    start = (centre[0] - window // 2, centre[1] - window // 2)
    # one read for all species: what a lazy map costs is the number of reads
    lead = (projection, slice(min(which), max(which) + 1))
    fields = _read_window(maps.maps, lead, start, window)[[i - min(which) for i in which]]
    large_scale = np.empty((len(context_factors), window, window), np.float32)
    for index, factor in enumerate(context_factors):
        block = _first_block(centre, window, factor) if maps.periodic else (0, 0)
        large_scale[index] = _read_window(maps.context[factor], (projection,), block, window)
    fields, large_scale = orient(fields, orientation), orient(large_scale, orientation)
    return Cutout(fields[0], large_scale, fields[1:])


def orient(fields: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply one element of D4 to the last two axes; the result is contiguous."""
    turned = np.rot90(fields, orientation % 4, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if orientation >= 4 else turned)


def grid_centres(n_pixels: int, window: int) -> list[tuple[int, int]]:
    """Centres of the windows that tile a map without overlap, row by row.

    Context of factor ``f`` is exactly centred there if ``f`` divides ``window // 2``.

    Raises
    ------
    ValueError
        If ``window`` does not divide ``n_pixels``.
    """
    if n_pixels % window:
        raise ValueError(f"windows of {window} pixels do not tile a map of {n_pixels}")
    centres = range(window // 2, n_pixels, window)
    return [(row, col) for row in centres for col in centres]


def window_places(maps: Maps, window: int) -> list[tuple[int, tuple[int, int]]]:
    """Projections and centres of the windows that tile all maps of a simulation, in order.

    Raises
    ------
    ValueError
        If ``window`` does not divide the maps.
    """
    centres = grid_centres(maps.n_pixels, window)
    return [(projection, centre) for projection in range(maps.n_projections) for centre in centres]


def _first_block(centre: tuple[int, int], window: int, factor: int) -> tuple[int, int]:
    half = window * factor // 2
    return (centre[0] - half) // factor, (centre[1] - half) // factor


def _require_window(maps: Maps, window: int, centre: tuple[int, int]) -> None:
    if maps.periodic:
        return
    if window != maps.n_pixels:
        raise DataError(
            maps.path,
            f"windows of {window} pixels (data.window)",
            f"ready windows of {maps.n_pixels}, which are used whole",
        )
    middle = (window // 2, window // 2)
    if tuple(centre) != middle:
        raise ValueError(f"the centre of a ready window is {middle}, got {centre}")


def _require_levels(maps: Maps, window: int, factors: Sequence[int]) -> None:
    missing = [factor for factor in factors if factor not in maps.context]
    if missing:
        raise DataError(
            maps.path,
            f"context_{missing[0]}",
            f"only {', '.join(f'context_{factor}' for factor in maps.context) or 'no context'}",
            "Project again with these data.context_factors.",
        )
    widest = window * max(factors, default=1)
    narrowest = min(maps.maps.shape[-2:])
    if maps.periodic and widest > narrowest:
        raise DataError(
            maps.path, f"at least {widest} pixels a side (window x context)", f"{narrowest}"
        )


def _read_window(
    field: Any, lead: tuple[int | slice, ...], start: tuple[int, int], window: int
) -> NDArray[np.float32]:
    """Read a periodic window by contiguous pieces, which HDF5 reads as well as numpy."""
    rows, cols = (
        [slice(first, first + length) for first, length in _pieces(begin, window, size)]
        for begin, size in zip(start, field.shape[-2:], strict=True)
    )
    bands = [np.concatenate([field[(*lead, row, col)] for col in cols], axis=-1) for row in rows]
    return np.concatenate(bands, axis=-2)


def _pieces(start: int, length: int, size: int) -> list[tuple[int, int]]:
    """First index and length of each contiguous piece of ``length <= size`` periodic indices."""
    start %= size
    head = min(length, size - start)
    return [(start, head)] + ([(0, length - head)] if head < length else [])
