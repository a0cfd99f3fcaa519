r"""Weights of multistep rules: integrals of the polynomial through past values.

With Lagrange polynomials :math:`L_j` through nodes :math:`u_j`,

.. math:: w_j = \int_a^b e^{c(u - b)} L_j(u)\,du

``c = 0`` is Adams' rule, ``c = 1`` its exponential form. Both are exact for polynomials of degree
below the number of nodes, on any nodes.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def polynomial_weights(
    nodes: Sequence[float], start: float, end: float, rate: float = 0.0
) -> list[float]:
    """Weights of the values at ``nodes`` in the integral from ``start`` to ``end``.

    Gauss-Legendre quadrature adds terms of one sign, so nothing cancels however short the step.

    Parameters
    ----------
    nodes
        Where values are known; all different.
    start, end
        Interval; it may run downwards.
    rate
        ``c`` of the exponential factor, which is one at ``end``.
    """
    return list(_weights(tuple(nodes), start, end, rate))


# a batch is led down the grid of the one before
@lru_cache(maxsize=1024)
def _weights(nodes: tuple[float, ...], start: float, end: float, rate: float) -> tuple[float, ...]:
    points, weights = _gauss_legendre()
    step = end - start
    u = start + 0.5 * step * (points + 1.0)
    measure = 0.5 * step * weights * np.exp(rate * (u - end))
    result = []
    for j, node in enumerate(nodes):
        others = [other for i, other in enumerate(nodes) if i != j]
        basis = np.ones_like(u)
        for other in others:
            basis *= (u - other) / (node - other)
        result.append(float(np.sum(measure * basis)))
    return tuple(result)


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(32)
