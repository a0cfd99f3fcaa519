r"""Cutouts: one window of a simulation's maps, with its surroundings and its targets.

:func:`extract` is the only function that cuts, for training, sampling, painting and validation.
A cutout of ``w`` pixels centred on pixel ``(r, c)`` holds rows ``r - w//2 ... r - w//2 + w - 1`` of
the periodic map, and likewise columns. Its context of factor ``f`` is ``w x w`` block means over
``f x f`` pixels out of the stored pyramid, which starts at block ``floor((r - w f//2) / f)``:
centred to within one block, and exactly where ``f`` divides ``r - w f//2``.
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
    """Cut one window out of periodic maps.

    Parameters
    ----------
    maps
        Maps of one simulation, in memory or lazy.
    projection
        0, 1 or 2: the axis that is summed.
    centre
        Row and column of the central pixel; any integer, taken periodically.
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
        A species or level that the maps file does not hold, or a window (with its context) that is
        larger than the map.
    ValueError
        A projection outside 0..2 or an orientation outside 0..7.
    """
    if not 0 <= projection < 3 or not 0 <= orientation < N_ORIENTATIONS:
        raise ValueError(
            f"projection must be 0..2 and orientation 0..7, got {projection} and {orientation}"
        )
    _require_levels(maps, window, context_factors)
    names = ("dmo", *species)
    fields = np.empty((len(names), window, window), np.float32)
    start = (centre[0] - window // 2, centre[1] - window // 2)
    for index, name in enumerate(names):
        _read_window(maps.maps, (projection, maps.species_index(name)), start, fields[index])
    large_scale = np.empty((len(context_factors), window, window), np.float32)
    for index, factor in enumerate(context_factors):
        half = window * factor // 2
        block = ((centre[0] - half) // factor, (centre[1] - half) // factor)
        _read_window(maps.context[factor], (projection,), block, large_scale[index])
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
    if widest > maps.n_pixels:
        raise DataError(
            maps.path, f"at least {widest} pixels a side (window x context)", f"{maps.n_pixels}"
        )


def _read_window(
    field: Any, lead: tuple[int, ...], start: tuple[int, int], out: NDArray[np.float32]
) -> None:
    """Copy a periodic window by contiguous pieces, which an HDF5 dataset reads as well as numpy."""
    for rows, to_rows in _pieces(start[0], out.shape[0], field.shape[-2]):
        for cols, to_cols in _pieces(start[1], out.shape[1], field.shape[-1]):
            out[to_rows, to_cols] = field[(*lead, rows, cols)]


def _pieces(start: int, length: int, size: int) -> list[tuple[slice, slice]]:
    """Source and target slices of ``length <= size`` periodic indices from ``start``."""
    start %= size
    head = min(length, size - start)
    pieces = [(slice(start, start + head), slice(0, head))]
    if head < length:
        pieces.append((slice(0, length - head), slice(head, length)))
    return pieces
