r"""Responses from simulations that move one parameter at a time: design, bootstrap, slopes.

With the place :math:`u` of a parameter in its range (0 at the minimum, 1 at the maximum, in the
logarithm where the table of ranges says so), the response of a summary :math:`S` is the slope of
least squares through the fiducial simulation and the steps of that parameter,

.. math:: R = \frac{d \ln S}{d u} = \sum_i w_i \ln S_i, \qquad
          w_i = \frac{u_i - \bar u}{\sum_j (u_j - \bar u)^2},

the change of :math:`\ln S` across the whole range. With one step to either side and the fiducial in
the middle it is the difference of the two.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def step_weights(places: Array) -> Array:
    """Weights ``w (parameter, simulation)`` of the response to each parameter.

    Parameters
    ----------
    places
        ``(simulation, parameter)`` place of each parameter in its range.

    Returns
    -------
    Zero for simulations in which another parameter is moved, and for all of them where a parameter
    is never moved alone.

    Notes
    -----
    The fiducial value of a parameter is the one that most simulations have.
    """
    fiducial = np.array([_most_common(column) for column in np.round(places, 9).T])
    moved = ~np.isclose(places, fiducial, rtol=0.0, atol=1e-6)
    weights = np.zeros(places.T.shape)
    for parameter, column in enumerate(places.T):
        others = np.delete(moved, parameter, axis=1).any(axis=1)
        if moved[~others, parameter].any():
            offsets = np.where(others, 0.0, column - column[~others].mean())
            weights[parameter] = offsets / (offsets**2).sum()
    return weights


def _most_common(values: Array) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def slopes(log_summary: Array, weights: Array) -> Array:
    """Responses ``(..., parameter, *rest)`` of logarithms ``(..., simulation, *rest)``.

    Parameters
    ----------
    log_summary
        ``(draw, simulation, field, summary)``; NaN spoils the parameters that need it, no others.
    weights
        From :func:`step_weights`.

    Returns
    -------
    ``(draw, parameter, field, summary)``; NaN for a parameter that is never moved.
    """
    rows = []
    for weight in weights:
        used = weight != 0
        if used.any():
            rows.append(np.einsum("s,dsfm->dfm", weight[used], log_summary[:, used]))
        else:
            rows.append(np.full_like(log_summary[:, 0], np.nan))
    return np.stack(rows, axis=1)


def draw_counts(
    n_items: int, n_draws: int, rng: np.random.Generator, *, n_picked: int | None = None
) -> Array:
    """Weights ``(1 + n_draws, n_items)`` that sum to 1: row 0 is even, the others resample.

    ``n_picked`` items are picked for each row, default all: fewer where items are not independent,
    as the variance of the mean is that of so many.
    """
    picked = n_picked or n_items
    rows = rng.multinomial(picked, np.full(n_items, 1.0 / n_items), size=n_draws) / picked
    return np.concatenate([np.full((1, n_items), 1.0 / n_items), rows])


def slope_through_zero(
    members: Array, truth: Array, error: Array, judged: NDArray[np.bool_]
) -> Array:
    r"""Slope of the members' responses over the truth's, over the summaries that are judged.

    .. math:: b = \frac{\sum_s m_s t_s / \sigma_s^2}{\sum_s t_s^2 / \sigma_s^2}

    Parameters
    ----------
    members, truth
        ``(..., summary)``.
    error, judged
        Error of the truth, and which summaries count; they broadcast.

    Returns
    -------
    ``(...)``; NaN where nothing is judged, or members have no response that is defined.

    Notes
    -----
    Errors of the truth make the slope too small by ``1 / (1 + 1 / n^2)`` for a truth of n sigma: at
    most 10 % for the 3 sigma that are asked for; those that members share with the truth do not.
    """
    weight = np.where(judged, 1.0 / np.where(judged, error, 1.0) ** 2, 0.0)
    t, m = np.where(judged, truth, 0.0), np.where(judged, members, 0.0)
    total = (weight * t * t).sum(axis=-1)
    result: Array = (weight * t * m).sum(axis=-1) / np.where(total > 0, total, np.nan)
    return result
