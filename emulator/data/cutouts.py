r"""Cutouts: one window of a simulation's maps, with its surroundings and its targets.

:func:`extract` is the only function that cuts, for training, sampling, painting and validation.
A cutout of ``w`` pixels centred on pixel ``(r, c)`` holds rows ``r - w//2 ... r - w//2 + w - 1`` of
the periodic map, and likewise columns. Its context of factor ``f`` is ``w x w`` block means over
``f x f`` pixels out of the stored pyramid, which starts at block ``floor((r - w f//2) / f)``:
centred to within one block, and exactly where ``f`` divides ``r - w f//2``. A cutout of a volume is
a cube of layers, rows and columns, and its context likewise.

Maps that are not periodic hold one ready window a projection, and its context at the window's own
pixels. Such a window has one cutout: the whole, centred on pixel ``(w//2, w//2)``; but arrays may
be shifted along the axes on which they are periodic. Of several conditions the first is the
condition of a cutout, and the others follow its context.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.data.maps import Maps
from emulator.data.symmetries import N_ORIENTATIONS, orient
from emulator.io import DataError

Shape = tuple[int, ...]
"""Pixels along the axes of space."""

Pixel = tuple[int, ...]
"""Place of a pixel: row and column, or layer, row and column."""


class Cutout(NamedTuple):
    """Fields of one window, float32 [Msun/h per pixel]; context in Msun/h per *fine* pixel.

    ``condition`` ``(y, x)``, ``large_scale`` ``(level, y, x)``, ``target`` ``(species, y, x)``; of
    volumes ``(..., z, y, x)``.
    Arrays are in the units of their fields, with further conditions as levels.
    """

    condition: NDArray[np.float32]
    large_scale: NDArray[np.float32]
    target: NDArray[np.float32]


def extract(
    maps: Maps,
    projection: int,
    centre: Pixel,
    *,
    window: int | Shape,
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
        Row and column (of a volume layer, row and column) of the central pixel; any integer, taken
        periodically. The middle of a map that is not periodic.
    window
        Pixels a side, or along the axes of space.
    context_factors
        Which levels of the pyramid, in this order.
    species
        Names of the targets, in this order.
    orientation
        Symmetry that is applied to all fields alike (:mod:`emulator.data.symmetries`); 0 is the
        identity.

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
    last, dimensions = maps.n_projections - 1, maps.dimensions
    highest = N_ORIENTATIONS[dimensions] - 1
    if not 0 <= projection <= last or not 0 <= orientation <= highest:
        raise ValueError(
            f"projection must be 0..{last} and orientation 0..{highest}, got {projection} and "
            f"{orientation}"
        )
    sides = sides_of(window, dimensions)
    _require_window(maps, sides, centre)
    _require_levels(maps, sides, context_factors)
    which = [maps.species_index(name) for name in (*maps.conditions, *species)]
    start = tuple(middle - side // 2 for middle, side in zip(centre, sides, strict=True))
    # one read for all species: what a lazy map costs is the number of reads
    lead = (projection, slice(min(which), max(which) + 1))
    fields = _read_window(maps.maps, lead, start, sides)[[i - min(which) for i in which]]
    large_scale = np.empty((len(context_factors), *sides), np.float32)
    for index, factor in enumerate(context_factors):
        block = _first_block(centre, sides, factor) if maps.periodic else (0,) * dimensions
        large_scale[index] = _read_window(maps.context[factor], (projection,), block, sides)
    fields, large_scale = (orient(part, orientation, dimensions) for part in (fields, large_scale))
    n_given = len(maps.conditions)
    if n_given > 1:
        large_scale = np.concatenate([large_scale, fields[1:n_given]])
    return Cutout(fields[0], large_scale, fields[n_given:])


def sides_of(window: int | Shape, dimensions: int = 2) -> Shape:
    """Pixels of a window along the axes of space."""
    return (window,) * dimensions if isinstance(window, int) else window


def grid_centres(n_pixels: int | Shape, window: int | Shape) -> list[Pixel]:
    """Centres of the windows that tile a map without overlap, row by row.

    Context of factor ``f`` is exactly centred there if ``f`` divides ``window // 2``.

    Raises
    ------
    ValueError
        If ``window`` does not divide ``n_pixels``.
    """
    shape = sides_of(n_pixels)
    pairs = list(zip(shape, sides_of(window, len(shape)), strict=True))
    if any(size % side for size, side in pairs):
        raise ValueError(f"windows of {window} pixels do not tile a map of {n_pixels}")
    return list(product(*(range(side // 2, size, side) for size, side in pairs)))


def window_places(maps: Maps, window: int | Shape) -> list[tuple[int, Pixel]]:
    """Projections and centres of the windows that tile all maps of a simulation, in order.

    Raises
    ------
    ValueError
        If ``window`` does not divide the maps.
    """
    centres = grid_centres(maps.shape, window)
    return [(projection, centre) for projection in range(maps.n_projections) for centre in centres]


def _first_block(centre: Pixel, sides: Shape, factor: int) -> Pixel:
    return tuple(
        (middle - side * factor // 2) // factor for middle, side in zip(centre, sides, strict=True)
    )


def _require_window(maps: Maps, sides: Shape, centre: Pixel) -> None:
    if maps.periodic:
        return
    if sides != maps.shape:
        is_matter = maps.domain.is_matter
        asked, found = (sides[0], maps.n_pixels) if is_matter else (sides, maps.shape)
        raise DataError(
            maps.path,
            f"windows of {asked} pixels (data.{'window' if is_matter else 'shape'})",
            f"ready windows of {found}, which are used whole",
        )
    middle = tuple(side // 2 for side in sides)
    free = (False,) * len(sides) if maps.domain.is_matter else maps.domain.periodic
    fixed = [i for i in range(len(sides)) if not free[i]]
    if any(int(centre[i]) != middle[i] for i in fixed):
        raise ValueError(f"the centre of a ready window is {middle}, got {centre}")


def _require_levels(maps: Maps, sides: Shape, factors: Sequence[int]) -> None:
    missing = [factor for factor in factors if factor not in maps.context]
    if missing:
        raise DataError(
            maps.path,
            f"context_{missing[0]}",
            f"only {', '.join(f'context_{factor}' for factor in maps.context) or 'no context'}",
            "Project again with these data.context_factors.",
        )
    widest = max(sides) * max(factors, default=1)
    narrowest = min(maps.shape)
    if maps.periodic and widest > narrowest:
        raise DataError(
            maps.path, f"at least {widest} pixels a side (window x context)", f"{narrowest}"
        )


def _read_window(
    field: Any, lead: tuple[int | slice, ...], start: Pixel, window: Shape
) -> NDArray[np.float32]:
    """Read a periodic window by contiguous pieces, which HDF5 reads as well as numpy."""
    pieces = [
        [on_axis for on_axis, _ in periodic_pieces(begin, side, size)]
        for begin, side, size in zip(start, window, field.shape[-len(window) :], strict=True)
    ]
    window_of_field: NDArray[np.float32] = _joined(field, lead, pieces)
    return window_of_field


def _joined(field: Any, lead: tuple[int | slice, ...], pieces: list[list[slice]]) -> Any:
    """Pieces along each axis, the first of which is joined last; a view where there is one each."""
    first, *others = pieces
    parts = [
        _joined(field, (*lead, piece), others) if others else field[(*lead, piece)]
        for piece in first
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-len(pieces))


@lru_cache(maxsize=4096)
def periodic_pieces(first: int, count: int, size: int) -> tuple[tuple[slice, slice], ...]:
    """Contiguous pieces of a window around an axis of ``size``: on the axis, and in the window.

    A window may be longer than the axis.
    """
    pieces, done = [], 0
    while done < count:
        start = (first + done) % size
        length = min(count - done, size - start)
        pieces.append((slice(start, start + length), slice(done, done + length)))
        done += length
    return tuple(pieces)
