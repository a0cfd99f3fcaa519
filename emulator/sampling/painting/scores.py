"""Scores of the windows that paint a box, in its labels."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emulator.sampling.condition_score import FARTHER, MEANING, SCORE
from emulator.sampling.painting.box import Box

if TYPE_CHECKING:
    import xarray as xr

BEYOND = f"share of the windows that score below {FARTHER:g}"


def label_box_scores(
    painted: "xr.Dataset", box: Box, scores: NDArray[np.float64] | None
) -> "xr.Dataset":
    """A painted box with the scores of its windows, and what they amount to.

    Coordinates ``condition_score``, ``window_row`` and ``window_col (window)``, the pixel that each
    window is centred on in the array of the user; attributes ``condition_score_median`` and
    ``condition_beyond``, the share of windows beyond 99.9 % of the training.
    """
    if scores is None:
        return painted
    rows, columns = (_places(box, axis) for axis in (0, 1))
    labelled = painted.assign_coords(
        {
            SCORE: ("window", scores, {"long_name": MEANING}),
            "window_row": ("window", rows, {"long_name": "row of the central pixel"}),
            "window_col": ("window", columns, {"long_name": "column of the central pixel"}),
        }
    )
    return summarise_scores(labelled)


def summarise_scores(painted: "xr.Dataset") -> "xr.Dataset":
    """What the scores of a box amount to, as attributes; none where they are not known."""
    if SCORE not in painted.coords:
        return painted
    scores = painted[SCORE].values
    return painted.assign_attrs(
        condition_score_median=float(np.median(scores)),
        condition_beyond=float((scores < FARTHER).mean()),
        condition_beyond_meaning=BEYOND,
    )


def _places(box: Box, axis: int) -> NDArray[np.int64]:
    """Row or column, in the array of the user, of the pixel that each window is centred on."""
    span, half = box.spans[axis], box.tiles.window // 2
    first = np.array([corner[axis] for corner in box.tiles.corners])
    placed: NDArray[np.int64] = (first + half - span.roll) % span.size + span.offset
    return placed
