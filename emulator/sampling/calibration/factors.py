r"""Factors of the noise by least squares: Gauss-Newton steps in :math:`u = \ln f`.

Of every field ``c``, one factor for each copy ``j`` of the noise. With :math:`q_{c,\ell}(u)` of
:mod:`emulator.sampling.calibration.statistic`, and its derivatives :math:`J_{\ell j}` from finite
differences (one copy of all fields is moved at once), a step :math:`\delta` minimises

.. math:: \sum_\ell \Big(q_\ell + \sum_j J_{\ell j} \delta_j\Big)^2 + \lambda |\delta|^2, \qquad
          |u_j + \delta_j| \le \ln f_\mathrm{max}

Not guaranteed: that q reaches 0. One factor cannot repair a spread that is wrong by side, and noise
of three lengths cannot repair one that is wrong by place.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import lsq_linear

from emulator.io import EmulatorError
from emulator.sampling.calibration.draws import Drawn
from emulator.sampling.calibration.statistic import Floats

STEP = 0.1
"""Of the finite differences, in the logarithm of a factor."""

RIDGE = 0.03
"""``lambda``: the variance of q (0.05 squared, of some dozens of windows) over that of u that is to
be expected (0.3 squared). It decides where the sides do not tell two copies apart."""

DRAWS_OF_A_ROUND = 3
"""That look for a step which helps, besides those of the derivatives."""

Draw = Callable[[Floats], Drawn]
"""Draws for the logarithms ``(field, copy)`` of factors."""


def fit_factors(
    draw: Draw, n_fields: int, n_copies: int, *, rounds: int, largest: float
) -> tuple[Floats, Drawn, Drawn]:
    """Fit the factors; what is returned is nowhere worse than factors of 1.

    A step counts only if it lowers the mean of the sizes of q of every field that it moves, and
    raises that of no other field above what it was at first. Where the whole step does not, fields
    that it does not help take half of it, then none; where none of three does, the search ends.

    Parameters
    ----------
    draw
        Of the same noise each time; an ``EmulatorError`` says that these factors draw no fields.
    n_fields, n_copies
        How many.
    rounds
        Steps.
    largest
        Of the factors; the smallest is its inverse.

    Returns
    -------
    Logarithms ``(field, copy)``, what was drawn at first, and what is drawn with them.

    Raises
    ------
    EmulatorError
        If the model does not draw fields with the noise that it was trained with.
    """
    u = np.zeros((n_fields, n_copies))
    first = now = draw(u)
    defined = np.isfinite(first.log_ratios)
    at_first = scores(first.log_ratios, defined)
    for _ in range(rounds):
        step = _solve(
            now.log_ratios, _jacobian(draw, u, now.log_ratios), u, defined, np.log(largest)
        )
        before = scores(now.log_ratios, defined)
        for trial, moved, drawn in _trials(draw, u, step, before, defined):
            found = scores(drawn.log_ratios, defined)
            if (found[moved] < before[moved]).all() and (found <= at_first).all():
                u, now = trial, drawn
                break
        else:
            break
    return u, first, now


def scores(log_ratios: Floats, defined: np.ndarray) -> Floats:
    """Mean of ``|q|`` over the sides of each field; infinite where a side that had one has none."""
    sizes = np.where(defined, np.abs(log_ratios), 0.0)
    sizes = np.where(np.isfinite(sizes), sizes, np.inf)
    mean: Floats = sizes.sum(1) / np.maximum(defined.sum(1), 1)
    return mean


def _trials(
    draw: Draw, u: Floats, step: Floats, before: Floats, defined: np.ndarray
) -> Iterator[tuple[Floats, np.ndarray, Drawn]]:
    """Steps that are tried one after the other: the factors, which fields move, and their draws."""
    size = np.where(np.abs(step).max(1) > 1e-4, 1.0, 0.0)
    for left in reversed(range(DRAWS_OF_A_ROUND)):
        moved = size > 0
        if not moved.any():
            return
        trial = u + size[:, None] * step
        try:
            drawn = draw(trial)
        except EmulatorError:
            size *= 0.5
            continue
        yield trial, moved, drawn
        helped = moved & (scores(drawn.log_ratios, defined) < before)
        if (helped == moved).all():  # it is another field that suffers
            size *= 0.5
        else:
            size = np.where(helped, size, 0.5 * size if left > 1 else 0.0)


def _jacobian(draw: Draw, u: Floats, log_ratios: Floats) -> Floats:
    """Derivatives ``(field, side, copy)``; zero where they are not defined."""
    columns = []
    for number in range(u.shape[1]):
        moved = u.copy()
        moved[:, number] += STEP
        try:
            there = draw(moved).log_ratios
        except EmulatorError:  # more noise than the model can make fields of
            there = log_ratios
        with np.errstate(invalid="ignore"):
            slope = (there - log_ratios) / STEP
        columns.append(np.where(np.isfinite(slope), slope, 0.0))
    stacked: Floats = np.stack(columns, axis=2)
    return stacked


def _solve(
    log_ratios: Floats, jacobian: Floats, u: Floats, defined: np.ndarray, most: float
) -> Floats:
    """Steps ``(field, copy)`` of all fields, each within its bounds."""
    n_copies = u.shape[1]
    ridge = np.sqrt(RIDGE) * np.eye(n_copies)
    step = np.zeros_like(u)
    for field, kept in enumerate(defined):
        if not kept.any():
            continue
        matrix = np.concatenate([jacobian[field, kept], ridge])
        wanted = np.concatenate([-log_ratios[field, kept], np.zeros(n_copies)])
        bounds = (-most - u[field] - 1e-12, most - u[field] + 1e-12)
        step[field] = np.clip(lsq_linear(matrix, wanted, bounds).x, *bounds)
    return step
