r"""A linear discriminant with cross-fit: how well the truth is told from members.

.. math:: \mathbf w = \Sigma^{-1} (\bar{\mathbf a} - \bar{\mathbf b}), \qquad
          \text{"a" if } \mathbf w \cdot \big(\mathbf x - (\bar{\mathbf a} + \bar{\mathbf b}) / 2
          \big) > 0

with the mean :math:`\Sigma` of both covariances, a tenth of it replaced by its diagonal. It is
fitted on all groups but one, and judged on that one: where both samples are exchangeable in the
group, its balanced accuracy is 1/2 on average, exactly.

References
----------
Revisiting classifier two-sample tests (Lopez-Paz, Oquab 2017), https://arxiv.org/abs/1610.06545
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHRINKAGE = 0.1


def fit_discriminant(a: Array, b: Array) -> tuple[Array, float]:
    """Weights ``(feature,)`` and threshold of points ``(point, feature)`` of two samples.

    Raises
    ------
    ValueError
        If a sample has fewer than 2 points.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"expected 2 points of each sample or more, got {len(a)} and {len(b)}")
    covariance = (np.atleast_2d(np.cov(a.T)) + np.atleast_2d(np.cov(b.T))) / 2
    diagonal = np.diag(np.diagonal(covariance))
    floor = 1.0e-9 * (np.trace(diagonal) + 1.0) * np.eye(len(diagonal))
    shrunk = (1.0 - SHRINKAGE) * covariance + SHRINKAGE * diagonal + floor
    weights: Array = np.linalg.solve(shrunk, a.mean(axis=0) - b.mean(axis=0))
    return weights, float(weights @ (a.mean(axis=0) + b.mean(axis=0)) / 2)


def cross_fit_accuracy(a: Array, b: Array, groups: NDArray[np.integer]) -> Array:
    """Balanced accuracy on every group, of a discriminant that was fitted on the others.

    Parameters
    ----------
    a, b
        ``(window, draw, feature)``, the same windows.
    groups
        ``(window,)``, which is left out together.

    Returns
    -------
    ``(window,)`` mean of the shares of ``a`` and of ``b`` that are recognised; NaN if there is one
    group.

    Notes
    -----
    Points on the threshold count half.
    """
    found = np.full(len(groups), np.nan)
    if len(np.unique(groups)) < 2:
        return found
    for group in np.unique(groups):
        held = groups == group
        features = a.shape[-1]
        weights, threshold = fit_discriminant(
            a[~held].reshape(-1, features), b[~held].reshape(-1, features)
        )
        shares = [np.sign(x[held] @ weights - threshold).mean(axis=1) for x in (a, b)]
        found[held] = 0.5 + (shares[0] - shares[1]) / 4
    return found
