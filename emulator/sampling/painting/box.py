"""A box that is to be painted: checked once, whatever is drawn for it."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from emulator.data.condition import Condition
from emulator.io import EmulatorError
from emulator.model.card import Grid
from emulator.model.normalisation import Normalisation
from emulator.projection.pyramid import context_pyramid
from emulator.sampling.inputs import Policy, prepare_condition
from emulator.sampling.painting.edges import Span, closed_span, open_span
from emulator.sampling.painting.layers import Layers
from emulator.sampling.painting.tiles import Tiles, cut_window

Periodic = bool | tuple[bool, bool]
"""Whether opposite edges touch: along both axes, or along y and along x."""


class Box(NamedTuple):
    """What is painted of a map, as the box lies, whatever its origin."""

    condition: Condition
    """Of what is painted, one row and no context: what fields are drawn relative to."""
    layers: Layers
    """The DMO map and its block means, with what lies around [Msun/h per pixel]."""
    tiles: Tiles
    """Windows of what is painted."""
    spans: tuple[Span, Span]
    """Where it lies along y and x."""
    name: str
    """What the noise is a function of, besides seed and member."""

    def cut(self, numbers: Sequence[int]) -> Tensor:
        """DMO masses ``(tile, layer, y, x)`` of windows by their number."""
        row, column = (span.first for span in self.spans)
        corners = self.tiles.corners
        return self.layers.cut([(row + corners[i][0], column + corners[i][1]) for i in numbers])

    def windows(self) -> Condition:
        """DMO masses of all windows ``(tile, y, x)`` without context, and their parameters."""
        first = [span.first for span in self.spans]
        size, whole = self.tiles.window, self.layers.maps[0]
        cuts = [cut_window(whole, first[0] + y, first[1] + x, size) for y, x in self.tiles.corners]
        n_tiles = len(cuts)
        return Condition(
            torch.stack(cuts),
            torch.empty((n_tiles, 0, size, size)),
            self.condition.params.expand(n_tiles, -1),
        )

    @property
    def periodic(self) -> tuple[bool, bool]:
        """Whether opposite edges touch, along y and along x."""
        rows, columns = self.spans
        return rows.periodic, columns.periodic

    @property
    def first_cell(self) -> tuple[int, int]:
        """Row and column of the box that the condition, noise and fields begin with."""
        rows, columns = self.spans
        return rows.cell, columns.cell

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the box that the user's array begins with, where it is painted."""
        rows, columns = self.spans
        return rows.origin, columns.origin

    @property
    def offset(self) -> tuple[int, int]:
        """Row and column of the user's array that the painted one begins with."""
        rows, columns = self.spans
        return rows.offset, columns.offset

    def as_given(self, values: np.ndarray) -> np.ndarray:
        """Values ``(..., y, x)`` of the box, in the array of the user."""
        return np.roll(values, [-span.roll for span in self.spans], axis=(-2, -1))


def prepare_box(
    field: np.ndarray,
    params: Any,
    normalisation: Normalisation,
    grid: Grid,
    *,
    overlap: float = 0.5,
    periodic: Periodic = True,
    origin: tuple[int, int] = (0, 0),
    noise_of: str | None = None,
    out_of_range: Policy = "raise",
) -> Box:
    """Check a map, and find its windows.

    Parameters
    ----------
    field
        DMO map ``(y, x)`` [Msun/h per pixel], of the pixel and depth of the training.
    params
        Mapping of names, or values in the bundle's order.
    normalisation, grid
        Of the bundle.
    overlap
        Share of a window that the next one covers again.
    periodic
        Whether opposite edges touch, along both axes or each; see
        :mod:`~emulator.sampling.painting.edges` for what is painted where they do not.
    origin
        Pixel of the box that the first pixel of the array is: where the box was cut open.
    noise_of
        Name of the noise; default: the field itself. Boxes of one name have the same noise.
    out_of_range
        See :func:`emulator.sampling.inputs.prepare_condition`.

    Raises
    ------
    EmulatorError
        For anything but one map that is larger than a window and its context, an overlap or an
        origin that is none, and what :func:`~emulator.sampling.inputs.prepare_condition` refuses.
    """
    values = np.asarray(field)
    if values.ndim != 2:
        raise EmulatorError(
            f"paint: expected one map (y, x), got shape {values.shape}; paint the maps of several "
            "slabs or boxes one after the other"
        )
    if not 0.0 < overlap < 1.0:
        raise EmulatorError(f"paint: overlap must lie between 0 and 1, got {overlap:g}")
    if any(not isinstance(pixel, int | np.integer) for pixel in origin):
        raise EmulatorError(f"paint: origin must be a row and a column of pixels, got {origin!r}")
    window, factors = grid.window, normalisation.context_factors
    stride = max(1, round(window * (1.0 - overlap)))
    closed = (periodic, periodic) if isinstance(periodic, bool) else periodic
    rows, columns = (
        closed_span(size, stride, int(begin))
        if is_closed
        else open_span(size, window, stride, factors, int(begin))
        for size, is_closed, begin in zip(values.shape, closed, origin, strict=True)
    )
    tiles = Tiles((rows.size, columns.size), window, stride, (rows.starts, columns.starts))
    # windows, blocks of the context and noise lie in the box; so it is brought to its own place
    in_place = np.roll(values, (rows.roll, columns.roll), axis=(0, 1))
    digest = hashlib.sha256(np.ascontiguousarray(in_place, dtype="<f4").tobytes()).hexdigest()
    used = np.ascontiguousarray(in_place[rows.kept, columns.kept])
    centre = (rows.first + window // 2, columns.first + window // 2)
    # of one window, for what it checks of map and parameters
    one = prepare_condition(
        used, params, normalisation, grid, centres=[centre], out_of_range=out_of_range
    )
    maps = {1: used.astype(np.float32), **_block_means(used, factors)}
    painted = torch.from_numpy(maps[1][rows.painted, columns.painted].copy())[None]
    return Box(
        condition=Condition(painted, torch.empty((1, 0, *tiles.shape)), one.params),
        layers=Layers([torch.from_numpy(each) for each in maps.values()], list(maps), window),
        tiles=tiles,
        spans=(rows, columns),
        name=f"map {digest}" if noise_of is None else f"name {noise_of}",
    )


def _block_means(field: np.ndarray, factors: Sequence[int]) -> dict[int, np.ndarray]:
    pyramid = context_pyramid(field[None].astype(np.float32), factors)
    return {factor: pyramid[factor][0] for factor in factors}
