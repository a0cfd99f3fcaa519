r"""Where windows may lie along one axis of a map: all around it, or inside its open edges.

Along a periodic axis windows start every ``stride`` pixels from the first pixel of the box. Behind
an open edge there is matter that nobody knows, and a window needs its surroundings. So the part of
the map is painted whose windows have all of their context inside: of ``n`` pixels, with windows of
``w`` and a widest context of factor ``F``, about

.. math:: n - w (F - 1) ,

``w (F - 1) / 2`` less at each edge. Its windows start at multiples of ``stride`` of the *box* that
the map was cut out of, whose blocks of the context begin at multiples of their factors as well; one
more window lies flush with each end. So a patch and its box have the same windows in the interior.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from emulator.io import EmulatorError


class Span(NamedTuple):
    """What is painted along one axis of a map, which is first rolled, then cut."""

    roll: int
    """Pixels that bring a periodic map to its own place in the box; 0 where edges are open."""
    kept: slice
    """Pixels of the rolled map that are used, whole blocks of the box."""
    first: int
    """Pixel of those that are used that the painted part begins with."""
    size: int
    """Pixels that are painted."""
    starts: tuple[int, ...]
    """First pixel of each window, of those that are painted."""
    cell: int
    """Pixel of the box that the painted part begins with."""
    periodic: bool

    @property
    def painted(self) -> slice:
        """What is painted of the pixels that are used."""
        return slice(self.first, self.first + self.size)

    @property
    def offset(self) -> int:
        """Pixel of the map that the painted part begins with, once it is rolled back."""
        return int(self.kept.start) + self.first

    @property
    def origin(self) -> int:
        """Pixel of the box that the painted part begins with, once it is rolled back."""
        return self.cell + self.roll


def closed_span(n_pixels: int, stride: int, origin: int) -> Span:
    """All of a periodic axis; windows from the first pixel of the box."""
    starts = tuple(range(0, n_pixels, stride))
    return Span(origin % n_pixels, slice(0, n_pixels), 0, n_pixels, starts, 0, True)


def open_span(n_pixels: int, window: int, stride: int, factors: Sequence[int], origin: int) -> Span:
    """The part of an axis with open edges that has its surroundings.

    Parameters
    ----------
    n_pixels
        Of the map along the axis.
    window, stride
        Pixels of a window, and from one to the next.
    factors
        Of the context.
    origin
        Pixel of the box that the map begins with.

    Raises
    ------
    EmulatorError
        Where not a single window has its context inside, or the origin lies before the box.
    """
    if origin < 0:
        raise EmulatorError(
            f"paint: origin {origin} along open edges: expected the pixel of its box that the map "
            "begins with, 0 or more"
        )
    block = math.lcm(1, *factors)
    before = -origin % block
    inside = max(0, n_pixels - before) // block * block
    half, all_factors = window // 2, (1, *factors)
    low = max(window * f // 2 for f in all_factors) - half
    high = min((inside // f - window) * f + f - 1 + window * f // 2 for f in all_factors) - half
    high = min(high, inside - window)
    if high < low:
        widest = window * max(all_factors)
        raise EmulatorError(
            f"paint: nothing of {n_pixels} pixels with open edges can be painted: a window of "
            f"{window} pixels needs its surroundings, {widest} pixels from a multiple of {block} "
            "of its box on; pass a larger map, or periodic=True if opposite edges touch"
        )
    begin = origin + before
    lattice = range(low + -(begin + low) % stride, high + 1, stride)
    starts = tuple(sorted({0, high - low, *(start - low for start in lattice)}))
    kept = slice(before, before + inside)
    return Span(0, kept, low, high - low + window, starts, begin + low, False)
