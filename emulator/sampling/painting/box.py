"""A box that is to be painted: checked once, cut once, whatever is drawn for it."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import torch

from emulator.data.condition import Condition
from emulator.io import EmulatorError
from emulator.model.card import Grid
from emulator.model.normalisation import Normalisation
from emulator.sampling.inputs import Policy, prepare_condition
from emulator.sampling.painting.tiles import Tiles


class Box(NamedTuple):
    """A periodic map and the windows that will see it, as the box lies, whatever its origin."""

    condition: Condition
    """Of the whole box, one row and no context: what fields are drawn relative to."""
    windows: Condition
    """Of every tile."""
    tiles: Tiles
    origin: tuple[int, int]
    """Pixel of the box that the array of the user begins with."""
    name: str
    """What the noise is a function of, besides seed and member."""

    def as_given(self, values: np.ndarray) -> np.ndarray:
        """Values ``(..., y, x)`` of the box, in the array of the user."""
        return np.roll(values, (-self.origin[0], -self.origin[1]), axis=(-2, -1))


def prepare_box(
    field: np.ndarray,
    params: Any,
    normalisation: Normalisation,
    grid: Grid,
    *,
    overlap: float = 0.5,
    origin: tuple[int, int] = (0, 0),
    noise_of: str | None = None,
    out_of_range: Policy = "raise",
) -> Box:
    """Check a map and cut its windows.

    Parameters
    ----------
    field
        Periodic DMO map ``(y, x)`` [Msun/h per pixel], of the pixel and depth of the training.
    params
        Mapping of names, or values in the bundle's order.
    normalisation, grid
        Of the bundle.
    overlap
        Share of a window that the next one covers again.
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
    shape = (values.shape[0], values.shape[1])
    begin = (origin[0] % shape[0], origin[1] % shape[1])
    # windows, blocks of the context and noise lie in the box; so it is brought to its own place
    in_place = np.roll(values, begin, axis=(0, 1))
    tiles = Tiles(shape, grid.window, max(1, round(grid.window * (1.0 - overlap))))
    windows = prepare_condition(
        in_place, params, normalisation, grid, centres=tiles.centres, out_of_range=out_of_range
    )
    if len(torch.unique(windows.params, dim=0)) > 1:
        raise EmulatorError("params: a box has one set of parameters, got a row for each window")
    whole = torch.from_numpy(np.array(in_place, np.float32))[None]
    digest = hashlib.sha256(np.ascontiguousarray(in_place, dtype="<f4").tobytes()).hexdigest()
    name = f"map {digest}" if noise_of is None else f"name {noise_of}"
    condition = Condition(whole, torch.empty((1, 0, *shape)), windows.params[:1])
    return Box(condition, windows, tiles, begin, name)
