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
    shape, centres = box.tiles.shape, np.array(box.tiles.centres)
    placed = (centres - np.array(box.origin)) % np.array(shape)
    labelled = painted.assign_coords(
        {
            SCORE: ("window", scores, {"long_name": MEANING}),
            "window_row": ("window", placed[:, 0], {"long_name": "row of the central pixel"}),
            "window_col": ("window", placed[:, 1], {"long_name": "column of the central pixel"}),
        }
    )
    return labelled.assign_attrs(
        condition_score_median=float(np.median(scores)),
        condition_beyond=float((scores < FARTHER).mean()),
        condition_beyond_meaning=BEYOND,
    )
