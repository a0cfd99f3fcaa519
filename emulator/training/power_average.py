r"""Power-function averages of weights, and one of any length out of averages that were kept.

The average after :math:`t` updates weighs the weights after update :math:`\tau` by

.. math:: p_{\gamma,t}(\tau) = \frac{\gamma + 1}{t^{\gamma+1}}\,\tau^\gamma,
          \qquad 0 \le \tau \le t,

so its memory grows with the training: the width of :math:`p`, its standard deviation over
:math:`t`, is the *relative length* :math:`\sqrt{\gamma+1}\,/\,((\gamma+2)\sqrt{\gamma+3})` at any
:math:`t`. It is tracked as an average whose decay at update :math:`t` is
:math:`(1 - 1/t)^{\gamma+1}`.

Averages kept at some :math:`(t_i, \gamma_i)` span others: the coefficients :math:`x` minimise
:math:`\int (p - \sum_i x_i p_i)^2 d\tau`. Unlike the paper's, they sum to one, so that weights are
averaged and never scaled, however few were kept.

References
----------
Karras et al. (2024), arXiv:2312.02696, section 3 and appendix C.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 12.0**-0.5
"""Relative length of the plain mean of all updates."""


class Profile(NamedTuple):
    """An average: the updates that it has seen, and its exponent gamma."""

    steps: float
    exponent: float


def exponent_of(length: float) -> float:
    """Exponent of a relative length.

    Parameters
    ----------
    length
        Standard deviation of the profile over the number of updates.

    Raises
    ------
    ValueError
        If it is not between zero and :data:`LONGEST`.
    """
    if not 0.0 < length <= LONGEST:
        raise ValueError(f"relative length: expected above 0 and up to {LONGEST:.3f}, got {length}")
    square = length**-2
    return float(np.roots([1.0, 7.0, 16.0 - square, 12.0 - square]).real.max())


def decay_at(update: int, exponent: float) -> float:
    """Decay of an update, 1 for the first: what is left of the average so far."""
    return float((1.0 - 1.0 / update) ** (exponent + 1.0))


def overlap(one: Profile, other: Profile) -> float:
    r"""Integral of the product of two profiles, over the updates that both have seen."""
    a, b = one.exponent + 1.0, other.exponent + 1.0
    seen = min(one.steps, other.steps)
    powers = a * np.log(seen / one.steps) + b * np.log(seen / other.steps)
    return float(a * b / (a + b - 1.0) / seen * np.exp(powers))


def coefficients(kept: Sequence[Profile], wanted: Profile) -> NDArray[np.float64]:
    """What each kept average counts in the best approximation of another one; they sum to one.

    Parameters
    ----------
    kept
        All different, none beyond the updates of ``wanted``.
    wanted
        The average to make.
    """
    n = len(kept)
    system, right = np.ones((n + 1, n + 1)), np.ones(n + 1)
    # in units of the wanted profile's own norm, so that the last row is of equal size
    unit = overlap(wanted, wanted)
    system[:n, :n] = [[overlap(a, b) / unit for b in kept] for a in kept]
    system[n, n] = 0.0
    right[:n] = [overlap(a, wanted) / unit for a in kept]
    return np.linalg.solve(system, right)[:n].astype(np.float64)
