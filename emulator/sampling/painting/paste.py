r"""Windows around halos, pasted into a box with a cosine taper.

A halo of radius R counts in a pixel at distance r (of their centres, periodic) with

.. math:: W(r) = \begin{cases} 1 & r \le r_1 R \\
    \frac12 \Big[1 + \cos\frac{\pi (r - r_1 R)}{(r_2 - r_1) R}\Big] & r_1 R < r < r_2 R \\
    0 & r \ge r_2 R \end{cases}

and the box becomes

.. math:: \Big(1 - \max_h W_h\Big)\, b + \max_h W_h\, \frac{\sum_h W_h\, x_h}{\sum_h W_h} ,

of the background b and the windows x: continuous where halos overlap. Mass is not conserved.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emulator.io import EmulatorError


class Halos(NamedTuple):
    """Halos on a map."""

    position: np.ndarray
    """``(halo, 2)`` along y and x [Mpc/h]."""
    m200c: np.ndarray
    """``(halo,)`` [Msun/h]."""
    r200c: np.ndarray
    """``(halo,)`` [Mpc/h]."""


class Taper(NamedTuple):
    """Radii between which a pasted window fades, in units of R200c."""

    r_in: float = 2.5
    r_out: float = 3.0


def require_halos(
    halos: Halos, taper: Taper, window: int, pixel_mpch: float, shape: Sequence[int]
) -> Halos:
    """Check a table of halos, whose windows must hold all that is pasted.

    Raises
    ------
    EmulatorError
        Shapes that differ, values that are not finite, positions outside the map, radii that do
        not increase, or a halo that is wider than a window.
    """
    table = Halos(*(np.asarray(part, np.float64) for part in halos))
    n_halos = len(table.position)
    if table.position.shape != (n_halos, 2) or any(len(part) != n_halos for part in table):
        shapes = [part.shape for part in table]
        raise EmulatorError(
            f"halos: expected position (halo, 2), m200c (halo), r200c (halo), got {shapes}"
        )
    if not 0.0 <= taper.r_in < taper.r_out:
        raise EmulatorError(
            f"paint: expected 0 <= r_in < r_out, got r_in {taper.r_in:g}, r_out {taper.r_out:g}"
        )
    sides = np.array(shape) * pixel_mpch
    inside = (table.position >= 0).all() and (table.position <= sides).all()
    if not inside or not all((part > 0).all() and np.isfinite(part).all() for part in table[1:]):
        raise EmulatorError(
            f"halos: expected positions (y, x) in [0, {sides[0]:g}] x [0, {sides[1]:g}] Mpc/h, and "
            "positive masses [Msun/h] and radii [Mpc/h]"
        )
    widest = (window // 2 - 1) * pixel_mpch
    if n_halos and table.r200c.max() * taper.r_out > widest:
        raise EmulatorError(
            f"paint: a window reaches {widest:g} Mpc/h from its middle, and the largest halo is "
            f"pasted to r_out R200c = {table.r200c.max() * taper.r_out:.3g} Mpc/h: r_out may be "
            f"{widest / table.r200c.max():.3g} at most"
        )
    return table


def halo_centres(halos: Halos, pixel_mpch: float, shape: Sequence[int]) -> list[tuple[int, int]]:
    """Pixel of each halo, the centre of its window."""
    pixels = np.floor(halos.position / pixel_mpch).astype(int) % np.array(shape)
    return [(int(row), int(column)) for row, column in pixels]


def paste(
    background: np.ndarray,
    windows: np.ndarray,
    halos: Halos,
    taper: Taper,
    pixel_mpch: float,
) -> np.ndarray:
    """A box with windows pasted around halos.

    Parameters
    ----------
    background
        ``(channel, y, x)``, periodic.
    windows
        ``(halo, channel, y, x)``, centred on the pixels of :func:`halo_centres`.
    halos, taper, pixel_mpch
        Where, how far, and the side of a pixel.

    Returns
    -------
    ``(channel, y, x)`` float32.
    """
    side = windows.shape[-1]
    total = np.zeros(background.shape, np.float64)
    weights, largest = (np.zeros(background.shape[1:]) for _ in range(2))
    places = halo_centres(halos, pixel_mpch, background.shape[1:])
    for number, centre in enumerate(places):
        steps = np.arange(side) - side // 2
        # distances from the halo itself, which does not lie in the middle of its pixel
        away = [
            (pixel + steps + 0.5) * pixel_mpch - place
            for pixel, place in zip(centre, halos.position[number], strict=True)
        ]
        distance = np.hypot(away[0][:, None], away[1][None]) / halos.r200c[number]
        ramp = np.clip((distance - taper.r_in) / (taper.r_out - taper.r_in), 0.0, 1.0)
        weight = 0.5 * (1.0 + np.cos(np.pi * ramp))
        rows, columns = _around(centre, side, largest.shape)
        total[:, rows, columns] += weight * windows[number]
        weights[rows, columns] += weight
        largest[rows, columns] = np.maximum(largest[rows, columns], weight)
    mean = total / np.where(weights > 0, weights, 1.0)
    pasted: np.ndarray = ((1.0 - largest) * background + largest * mean).astype(np.float32)
    return pasted


def replace_halos(
    truth: np.ndarray,
    background: np.ndarray,
    halos: Halos,
    taper: Taper,
    *,
    window: int,
    pixel_mpch: float,
) -> np.ndarray:
    """The oracle of pasting: the truth around halos, the background elsewhere.

    What a perfect model of windows around these halos would give, and no more.

    Parameters
    ----------
    truth, background
        ``(channel, y, x)``, periodic.
    halos, taper, window, pixel_mpch
        As for :func:`paste`.
    """
    shape = truth.shape[1:]
    windows = np.empty((len(halos.m200c), len(truth), window, window))
    for number, centre in enumerate(halo_centres(halos, pixel_mpch, shape)):
        rows, columns = _around(centre, window, shape)
        windows[number] = truth[:, rows, columns]
    return paste(background, windows, halos, taper, pixel_mpch)


def _around(
    centre: tuple[int, int], side: int, shape: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``(y, 1)`` and columns ``(x,)`` of a window, periodic."""
    steps = np.arange(side) - side // 2
    return ((centre[0] + steps) % shape[0])[:, None], (centre[1] + steps) % shape[1]
