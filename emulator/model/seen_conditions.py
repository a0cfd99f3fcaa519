r"""Which conditions a training saw: their summaries as a Gaussian, and how far its windows lie.

The distance of a window with summaries :math:`s`
(:mod:`~emulator.model.condition_summaries`), ``d`` of them, is

.. math:: D = \sqrt{(s - \mu)^T C^{-1} (s - \mu) / d}

with mean and covariance of the training windows: about 1 for a usual one. The score of a window is
the share of training windows that lie farther out, 1 for the most usual, 0 beyond all of them. The
distances that it is read from were taken with the windows of a whole run left out of :math:`\mu`
and :math:`C` at a time: windows of a run that the training did not see, but might have, have scores
that are uniform in [0, 1], whatever the distribution of summaries is.

Not guaranteed: a score says nothing of what the summaries do not show, and nothing of parameters.

References
----------
On the generalised distance in statistics (Mahalanobis, 1936).
Cross-conformal predictors (Vovk, 2015), https://arxiv.org/abs/1208.0806
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, PositiveInt, model_validator

SHARES = (*(i / 100 for i in range(100)), 0.995, 0.999, 0.9999, 1.0)
"""Of the training windows; the distance that each lies below is kept."""


class SeenConditions(BaseModel):
    """What is kept of the conditions of a training, in its bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summaries: tuple[str, ...]
    """Names, in order."""
    mean: tuple[FiniteFloat, ...]
    precision: tuple[tuple[FiniteFloat, ...], ...]
    """Inverse of their covariance."""
    distances: tuple[FiniteFloat, ...]
    """Below which :data:`SHARES` of the training windows lie."""
    windows: PositiveInt
    runs: PositiveInt

    @model_validator(mode="after")
    def _is_a_law(self) -> "SeenConditions":
        size = len(self.summaries)
        if len(self.mean) != size or {len(row) for row in self.precision} != {size}:
            raise ValueError(f"mean and precision need {size} values, one for each summary")
        matrix = np.array(self.precision)
        if len(matrix) != size or not np.allclose(matrix, matrix.T):
            raise ValueError("precision must be a symmetric matrix")
        if np.linalg.eigvalsh(matrix)[0] <= 0:
            raise ValueError("precision must be positive definite")
        table = np.array(self.distances)
        if len(table) != len(SHARES) or (np.diff(table) < 0).any() or table[0] < 0:
            raise ValueError(f"distances: expected {len(SHARES)} that do not decrease, from 0")
        return self

    def distance(self, summaries: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances ``(sample,)`` of windows with these summaries ``(sample, summary)``."""
        return distance(summaries, np.array(self.mean), np.array(self.precision))

    def score(self, summaries: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the training windows that lie farther out, ``(sample,)``; 0 beyond all."""
        farther = 1.0 - np.interp(self.distance(summaries), self.distances, SHARES)
        return np.asarray(farther, np.float64)

    def most_unusual(self, summaries: NDArray[np.float64]) -> tuple[str, float]:
        r"""Summary that departs most from what the others say of it, and by how much.

        Mean over windows of :math:`[C^{-1} (s - \mu)]_i / \sqrt{[C^{-1}]_{ii}}`: standard
        deviations of the Gaussian of one summary given all others.
        """
        matrix = np.array(self.precision)
        found = ((summaries - np.array(self.mean)) @ matrix / np.sqrt(np.diag(matrix))).mean(axis=0)
        worst = int(np.abs(found).argmax())
        return self.summaries[worst], float(found[worst])


def distance(
    summaries: NDArray[np.float64], mean: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances ``(sample,)``; see the module."""
    left = summaries - mean
    squares = np.einsum("ni,ij,nj->n", left, precision, left)
    found: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0) / summaries.shape[1])
    return found
