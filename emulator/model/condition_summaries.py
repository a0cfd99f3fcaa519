r"""A few numbers that say what a condition looks like: its density, its PDF and its power.

Of a window with masses :math:`m` [Msun/h per pixel], in a universe of mean :math:`\bar m`, with
:math:`u = \ln(m / \langle m \rangle_\mathrm{window} + 10^{-3})`:

* ``density``: :math:`\ln(\langle m \rangle_\mathrm{window} / \bar m)`,
* ``pdf_q``: quantiles of :math:`u` at fixed shares ``q`` of the pixels, and ``maximum``,
* ``power_b``: :math:`\ln` of the mean power of :math:`u`, tapered by a Hann window, between
  frequency ``b`` and the next one, in units of Nyquist's.

None of them changes if the window is turned or flipped. They know nothing of pixel sizes: a model
is asked about windows of its own grid alone.
"""

import functools
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from emulator.units import CRITICAL_DENSITY

_LEAST = 1.0e-3
_QUANTILES = (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
_EDGES = (0.125, 0.25, 0.5, 1.0, 1.5)
_LEAST_POWER = 1.0e-12


def mean_mass(omega_m: float, pixel_mpch: float, depth_mpch: float) -> float:
    """Mass of a pixel of mean density [Msun/h]."""
    return omega_m * CRITICAL_DENSITY * pixel_mpch**2 * depth_mpch


def summary_names(window: int) -> tuple[str, ...]:
    """Names of the summaries of windows of so many pixels a side; small ones lack long waves."""
    powers = [f"power_{low:g}" for low, _ in _bands(window)]
    return ("density", *(f"pdf_{share:g}" for share in _QUANTILES), "maximum", *powers)


def summarise(fields: NDArray[np.floating], mean_mass: NDArray[np.floating]) -> NDArray[np.float64]:
    """Summaries ``(sample, summary)`` of windows, in the order of :func:`summary_names`.

    Parameters
    ----------
    fields
        ``(sample, y, x)`` DMO mass [Msun/h per pixel], square, finite and not negative.
    mean_mass
        ``(sample,)`` of the universe of each [Msun/h per pixel].
    """
    values = np.asarray(fields, np.float64)
    mean = np.maximum(values.mean(axis=(1, 2)), np.finfo(np.float64).tiny)
    u = np.log(values / mean[:, None, None] + _LEAST)
    ordered = np.quantile(u.reshape(len(u), -1), (*_QUANTILES, 1.0), axis=1)
    columns = [np.log(mean / mean_mass), *ordered, *_powers(u)]
    return np.stack(columns, axis=1)


def _powers(u: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Logarithm of the power ``(sample,)`` in each band."""
    window = u.shape[-1]
    taper = _taper(window)
    mean = (u * taper).sum(axis=(1, 2), keepdims=True) / taper.sum()
    modes = fft.fft2((u - mean) * taper, axes=(-2, -1))
    power = (np.abs(modes) ** 2).reshape(len(u), -1) / (taper**2).sum()
    return [np.log(power[:, place].mean(axis=1) + _LEAST_POWER) for _, place in _bands(window)]


def say_summary(name: str) -> str:
    """What a summary is, for messages."""
    kind, _, number = name.partition("_")
    if kind == "pdf":
        return f"the density that {float(number):.0%} of the pixels lie below"
    if kind == "power":
        low = float(number)
        high = dict(pairwise(_EDGES))[low]
        return f"the power between {low:g} and {high:g} of Nyquist's frequency"
    return {"density": "the mean density", "maximum": "the densest pixel"}[name]


@functools.lru_cache(maxsize=8)
def _taper(window: int) -> NDArray[np.float64]:
    side = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    return np.outer(side, side)


@functools.lru_cache(maxsize=8)
def _bands(window: int) -> tuple[tuple[float, NDArray[np.int64]], ...]:
    """Lower end and modes (flat) of each band that has any."""
    frequency = fft.fftfreq(window, 0.5)
    radius = np.hypot(frequency[:, None], frequency[None, :]).ravel()
    places = [
        (low, np.flatnonzero((low < radius) & (radius <= high))) for low, high in pairwise(_EDGES)
    ]
    return tuple((low, place) for low, place in places if len(place))
