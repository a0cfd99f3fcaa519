r"""The law of one field in cells: a share of empty pixels, quantiles of the others, and slopes.

.. math:: P(\text{filled}) = p_{cell} + c_b^\top \tilde\theta, \qquad
          y = Q_{cell}(\Phi(z)) + a_b^\top \tilde\theta, \quad z \sim N(0, 1).

:math:`Q` is kept at levels that are uniform in :math:`z` and interpolated in :math:`z`: exact for a
Gaussian, and monotone, so that no quantiles cross. Slopes belong to bins of cells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Z_END = 3.5
"""The outermost levels are the smallest and the largest value of a cell."""
LEVELS = np.linspace(-Z_END, Z_END, 71)
FEWEST_FILLED = 50
"""Filled pixels of a cell that has quantiles of its own; others take those of more pixels."""
RIDGE = 1.0
"""Simulations, added to those of training, that say that a parameter does nothing."""
FEW_PIXELS = 20.0
"""A simulation with as many pixels in a bin counts half."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class FieldLaw:
    """The fitted law of one field.

    Attributes
    ----------
    filled
        ``(cell,)`` share of pixels that are not empty.
    quantiles
        ``(cell, level)`` of ``y`` of filled pixels where all parameters are the mean.
    slopes, filled_slopes
        ``(bin, parameter)`` of ``y``, and of the share of filled pixels.
    """

    filled: Floats
    quantiles: Floats
    slopes: Floats
    filled_slopes: Floats

    def draw(
        self, cells: Ints, bins: Ints, theta: Floats, shape: tuple[int, ...],
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:  # fmt: skip
        """Independent draws of ``y``; minus infinity where a pixel is empty.

        Parameters
        ----------
        cells, bins
            Of every pixel.
        theta
            ``(parameter,)`` centred and scaled.
        shape
            Of the draws; that of ``cells`` must broadcast to it.
        """
        z = np.clip(rng.standard_normal(shape, dtype=np.float32), -Z_END, Z_END)
        place = (z + Z_END) * ((len(LEVELS) - 1) / (2.0 * Z_END))
        low = np.minimum(place.astype(np.int64), len(LEVELS) - 2)
        table = self.quantiles.astype(np.float32)
        start = table[cells, low]
        drawn: NDArray[np.float32] = start + (place - low) * (table[cells, low + 1] - start)
        drawn += (self.slopes @ theta).astype(np.float32)[bins]
        if self.filled.min() < 1.0:
            drawn[rng.random(shape, dtype=np.float32) >= self._share(cells, bins, theta)] = -np.inf
        return drawn

    def _share(self, cells: Ints, bins: Ints, theta: Floats) -> Floats:
        share = self.filled[cells] + (self.filled_slopes @ theta)[bins]
        # what never happened in training is not invented from a slope
        known = (self.filled[cells] > 0.0) & (self.filled[cells] < 1.0)
        clipped: Floats = np.clip(np.where(known, share, self.filled[cells]), 0.0, 1.0)
        return clipped


def fit_law(y: Floats, cells: Ints, n_cells: int, simulations: Ints, theta: Floats,
            n_bins: int) -> FieldLaw:  # fmt: skip
    """Fit the law to training pixels.

    Parameters
    ----------
    y
        ``(pixel,)`` values; minus infinity where a pixel is empty.
    cells
        ``(pixel,)``; a bin is ``n_cells / n_bins`` cells.
    simulations
        ``(pixel,)`` row of ``theta``.
    theta
        ``(simulation, parameter)`` centred and scaled.
    """
    bins, filled = cells // (n_cells // n_bins), np.isfinite(y)
    counts = np.bincount(cells, minlength=n_cells)
    share = _mean_by(filled.astype(np.float64), cells, n_cells)
    of_filled = (y[filled], cells[filled], bins[filled], simulations[filled])
    values, own, own_bins, who = of_filled
    departure = values - _mean_by(values, own, n_cells)[own]
    slopes = _slopes(departure, own_bins, who, theta, n_bins)
    filled_slopes = _slopes(filled - share[cells], bins, simulations, theta, n_bins)
    shift = np.einsum("ip,ip->i", slopes[own_bins], theta[who])
    quantiles = _quantiles(values - shift, own, n_cells, n_bins)
    return FieldLaw(np.where(counts > 0, share, 0.0), quantiles, slopes, filled_slopes)


def _mean_by(values: Floats, groups: Ints, n_groups: int) -> Floats:
    counts = np.maximum(np.bincount(groups, minlength=n_groups), 1)
    means: Floats = np.bincount(groups, values, n_groups) / counts
    return means


def _slopes(values: Floats, bins: Ints, simulations: Ints, theta: Floats, n_bins: int) -> Floats:
    """Ridge regression of means over the pixels of a simulation, in every bin."""
    n_simulations, n_params = theta.shape
    groups, size = bins * n_simulations + simulations, n_bins * n_simulations
    counts = np.bincount(groups, minlength=size).reshape(n_bins, n_simulations)
    means = _mean_by(values, groups, size).reshape(n_bins, n_simulations)
    weights = counts / (counts + FEW_PIXELS)
    total = np.maximum(weights.sum(1, keepdims=True), np.finfo(float).tiny)
    about = theta[None] - (weights @ theta / total)[:, None]
    means = means - (weights * means).sum(1, keepdims=True) / total
    gram = np.einsum("bs,bsp,bsq->bpq", weights, about, about) + RIDGE * np.eye(n_params)
    right = np.einsum("bs,bsp,bs->bp", weights, about, means)
    slopes: Floats = np.linalg.solve(gram, right[..., None])[..., 0]
    return slopes


def _quantiles(values: Floats, cells: Ints, n_cells: int, n_bins: int) -> Floats:
    """Quantiles of every cell; of its bin, or of the nearest bin, where it has too few pixels."""
    own, enough = _sorted_quantiles(values, cells, n_cells)
    of_bins, enough_bins = _sorted_quantiles(values, cells // (n_cells // n_bins), n_bins)
    if not enough_bins.any():
        everything, _ = _sorted_quantiles(values, np.zeros_like(cells), 1)
        of_bins, enough_bins = np.repeat(everything, n_bins, axis=0), np.full(n_bins, True)
    known = np.flatnonzero(enough_bins)
    nearest = known[np.abs(np.arange(n_bins)[:, None] - known).argmin(1)]
    pooled = np.repeat(of_bins[nearest], n_cells // n_bins, axis=0)
    return np.where(enough[:, None], own, pooled)


def _sorted_quantiles(
    values: Floats, groups: Ints, n_groups: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """``(group, level)``, and which groups have enough pixels; zeros where there are none."""
    if not len(values):
        return np.zeros((n_groups, len(LEVELS))), np.full(n_groups, False)
    ordered = values[np.lexsort((values, groups))]
    counts = np.bincount(groups, minlength=n_groups)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    levels = special.ndtr(LEVELS)
    levels[0], levels[-1] = 0.0, 1.0
    place = levels * np.maximum(counts - 1, 0)[:, None]
    low = np.floor(place).astype(np.int64)
    first = np.minimum(starts[:, None] + low, len(ordered) - 1)
    second = np.minimum(first + 1, np.maximum(starts + counts - 1, 0)[:, None])
    second = np.maximum(second, first)
    quantiles = ordered[first] + (place - low) * (ordered[second] - ordered[first])
    return np.where((counts > 0)[:, None], quantiles, 0.0), counts >= FEWEST_FILLED
