r"""The transform ``quantile``: what a field is distributed as becomes a standard normal.

Of the training values :math:`q_1 < ... < q_K` are quantiles at the probabilities
:math:`\Phi(u_i)` of evenly spaced scores :math:`u_i`. Between these knots the map is linear, beyond
them it goes on with the mean slope of the last :data:`N_TAIL` pieces, so that it is strictly
monotone and has an inverse everywhere:

.. math:: u(x) = u_i + (x - q_i)\, \frac{u_{i+1} - u_i}{q_{i+1} - q_i}.

Equal values of a field (an atom, such as many zeros) have one score, the middle of theirs: it is
exact for them, and the field is normal but for that. Where fields may not be negative the inverse
ends at zero.

Not guaranteed: that pixels are jointly Gaussian, or that tails beyond the training follow the line.

References
----------
Wilks (2011), Statistical Methods in the Atmospheric Sciences, section 4.4 (probability integral
transform, quantile mapping); David & Nagaraja (2003), Order Statistics.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from emulator.io import EmulatorError
from emulator.model.feature import Feature, Transform

FURTHEST, N_KNOTS = 4.0, 129
"""Largest score of a knot, and their number: 16 in a standard deviation."""

N_TAIL = 8
"""Pieces at either end whose mean slope tails have: half a standard deviation of knots."""

MOST_VALUES = 2**22
"""About how many values quantiles are taken of, evenly spaced over the training split."""

Knots = Sequence[tuple[float, float]]
"""Pairs of a value and its score, both strictly increasing."""


UNFITTED = ((-1.0, -1.0), (1.0, 1.0))


class Quantile(Transform):
    """Values to standard normal scores, piece by piece.

    Parameters
    ----------
    knots
        ``(value, score)``, two or more; by default values are scores.
    lowest
        Least value of the field; None: it may be negative.
    """

    def __init__(self, knots: Knots = UNFITTED, lowest: float | None = None) -> None:
        self.values, self.scores = (torch.tensor(row).double() for row in zip(*knots, strict=True))
        self.lowest = lowest

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the formula."""
        scores = _lines(x, self.values, self.scores)
        return [Feature(scores, torch.ones_like(x, dtype=torch.bool))]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """The same lines from scores to values."""
        values = _lines(features[0], self.scores, self.values)
        return values if self.lowest is None else values.clamp(min=self.lowest)

    def compress(self, mean: Tensor, floor: float, n_pixels: int) -> Tensor:
        """As a pixel."""
        return _lines(mean, self.values, self.scores)

    @property
    def spread(self) -> float:
        """Standard deviation of the field if its scores were normal [its unit]."""
        weights = torch.exp(-0.5 * self.scores**2)
        mean = (weights * self.values).sum() / weights.sum()
        return float(((weights * (self.values - mean) ** 2).sum() / weights.sum()).sqrt())


def _lines(x: Tensor, knots: Tensor, heights: Tensor) -> Tensor:
    """Lines through ``(knots, heights)`` at ``x``, exact at the knots, and beyond them."""
    knots, heights = knots.to(x), heights.to(x)
    far = min(N_TAIL, len(knots) - 1)
    low, high = (
        (heights[i : i + 1] - heights[j : j + 1]) / (knots[i : i + 1] - knots[j : j + 1])
        for i, j in ((far, 0), (len(knots) - 1, len(knots) - 1 - far))
    )
    # that of number i begins at knot i - 1
    slopes = torch.cat([low, heights.diff() / knots.diff(), high])
    piece = torch.searchsorted(knots, x.detach().contiguous(), right=True)
    start = (piece - 1).clamp(min=0)
    return heights[start] + (x - knots[start]) * slopes[piece]


def fit_quantiles(values: NDArray[np.floating], name: str) -> tuple[tuple[float, float], ...]:
    """Knots of values of the training split.

    Parameters
    ----------
    values
        Of a field, of any shape [its unit].
    name
        Of the field, for messages.

    Returns
    -------
    ``(value, score)``: quantiles at the probabilities of evenly spaced scores, as far as the
    numbers of values tell them; different in float32, and fewer where values are equal.

    Raises
    ------
    EmulatorError
        Values of which all quantiles are one.
    """
    flat = np.sort(np.asarray(values, np.float64).ravel())
    # mean probabilities of the smallest and largest of n values are 1/(n+1) and n/(n+1)
    probabilities = np.arange(1, flat.size + 1) / (flat.size + 1.0)
    scores = np.linspace(-FURTHEST, FURTHEST, N_KNOTS)
    scores = scores[(ndtr(scores) >= probabilities[0]) & (ndtr(scores) <= probabilities[-1])]
    quantiles = np.interp(ndtr(scores), probabilities, flat).astype(np.float32).astype(np.float64)
    knots, where = np.unique(quantiles, return_inverse=True)
    if len(knots) < 2:
        raise EmulatorError(
            f"transform quantile of {name}: expected values of which two quantiles differ, got "
            f"{flat.size} values from {flat[0]:g} to {flat[-1]:g}: use identity"
        )
    middles = np.bincount(where, scores) / np.bincount(where)
    return tuple((float(value), float(score)) for value, score in zip(knots, middles, strict=True))
