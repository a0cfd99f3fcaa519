r"""A power law through scores, and what it predicts.

The score is the CRPS over that of a re-drawn truth, so that 1 is the most that can be known, and

.. math:: s - 1 = A\,x^{-p}

is fitted by least squares of the logarithms. Where scores do not fall there is no such law, and
nothing is predicted.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class PowerLaw(NamedTuple):
    """``score = 1 + amplitude * x ** -power``."""

    amplitude: float
    power: float
    scatter: float
    """Root mean square of the logarithms about it."""

    def __call__(self, x: float) -> float:
        """Score at ``x``."""
        return float(1.0 + self.amplitude * x**-self.power)


def fit_power_law(x: Sequence[float], scores: Sequence[float]) -> PowerLaw | None:
    """Law through three points or more; None where there is none.

    Parameters
    ----------
    x
        Steps, runs or channels.
    scores
        CRPS over that of a re-drawn truth.
    """
    excess = np.asarray(scores, np.float64) - 1.0
    if len(excess) < 3 or not (np.isfinite(excess).all() and (excess > 0).all()):
        return None
    slope, offset = np.polyfit(np.log(x), np.log(excess), 1)
    if slope >= 0:
        return None
    left = np.log(excess) - (offset + slope * np.log(x))
    return PowerLaw(math.exp(offset), -float(slope), float(np.sqrt(np.mean(left**2))))
