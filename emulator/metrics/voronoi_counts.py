r"""Are two samples of one law? Counts in the Voronoi cells of random references.

Of points :math:`a_1 \dots a_n` and :math:`b_1 \dots b_m`, counted by the nearest of :math:`R`
references, :math:`t_k = a_k + b_k` in cell :math:`k`,

.. math:: \chi^2 = \sum_k \Big[\frac{(a_k - \hat a_k)^2}{\hat a_k}
                   + \frac{(b_k - \hat b_k)^2}{\hat b_k}\Big],
          \qquad \hat a_k = t_k \frac{n}{n + m}, \quad \hat b_k = t_k \frac{m}{n + m} .

Of independent points of one law it follows a :math:`\chi^2` of :math:`R - 1` degrees of freedom,
whatever the law and the references, if cells are filled by some points each. Draws for one window
are *not* independent points: there the reference is the statistic of relabelled draws.

References
----------
PQMass: probabilistic assessment of the quality of generative models using probability mass
estimation (Lemos et al. 2024), https://arxiv.org/abs/2402.04355
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def voronoi_cells(points: Array, references: Array) -> NDArray[np.int64]:
    """Number of the nearest reference (Euclidean) of points ``(..., feature)``, ``(...)``."""
    square = (points**2).sum(axis=-1)[..., None] + (references**2).sum(axis=-1)
    nearest: NDArray[np.int64] = np.argmin(square - 2.0 * points @ references.T, axis=-1)
    return nearest


def count_chi2(of_a: Array, total: Array, n_a: int, n: int) -> Array:
    """Chi square of counts of the first sample, given those of both.

    Parameters
    ----------
    of_a
        ``(..., cell)`` counts of the first sample.
    total
        ``(..., cell)`` counts of both; empty cells add nothing.
    n_a, n
        Points of the first sample, and of both.

    Raises
    ------
    ValueError
        If either sample is empty.
    """
    if not 0 < n_a < n:
        raise ValueError(f"expected two samples that are not empty, got {n_a} and {n - n_a} points")
    expected = total * n_a / n
    apart = np.where(total > 0, (of_a - expected) ** 2 / np.where(total > 0, expected, 1.0), 0.0)
    result: Array = apart.sum(axis=-1) * n / (n - n_a)
    return result
