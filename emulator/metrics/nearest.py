"""Distances to the training, as the metric of memorisation is given them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Nearest:
    """Distances of windows to the nearest window of the training [scatter of the training].

    Attributes
    ----------
    truth
        ``(window,)`` of the held-out truth.
    members
        ``(window,)`` of a member of the same window.
    """

    truth: NDArray[np.float64]
    members: NDArray[np.float64]
