"""Centres of windows: rows and columns of pixels in a box."""

from typing import Any

import numpy as np

from emulator.io import EmulatorError
from emulator.sampling.given.arrays import plain_array

Centres = list[tuple[int, int]]


def pixel_centres(centres: Any, shape: tuple[int, ...]) -> Centres:
    """Pixels ``(row, col)`` of a box.

    Parameters
    ----------
    centres
        One pair for each window.
    shape
        Of the box, ``(y, x)``.

    Raises
    ------
    EmulatorError
        A single pair, no pair, fractions of pixels, or pixels outside the box.
    """
    pairs = as_pairs(centres, "centres")
    if not (pairs == np.floor(pairs)).all():
        raise EmulatorError(
            f"centres: expected pixels (row, col) as integers, got {_first(pairs, pairs % 1 != 0)};"
            " positions in Mpc/h are passed as centres_mpch="
        )
    return _inside(pairs.astype(int), shape, "centres")


def centres_at(positions: Any, shape: tuple[int, ...], pixel_mpch: float) -> Centres:
    """Pixels that hold positions.

    Parameters
    ----------
    positions
        ``(y, x)`` [Mpc/h], one pair for each window, from the corner of the first pixel: pixel
        ``i`` covers ``[i, i + 1) * pixel_mpch``.
    shape
        Of the box, ``(y, x)`` in pixels.
    pixel_mpch
        Side of a pixel [Mpc/h].

    Raises
    ------
    EmulatorError
        A single pair, no pair, or positions outside the box.
    """
    pairs = as_pairs(positions, "centres_mpch")
    return _inside(np.floor(pairs / pixel_mpch).astype(int), shape, "centres_mpch")


def as_pairs(values: Any, name: str) -> np.ndarray:
    """Pairs of finite numbers, ``(window, 2)`` float64; refuses all else."""
    pairs = plain_array(values, name).astype(float)
    if pairs.shape == (2,):
        one = tuple(values) if isinstance(values, list | tuple) else tuple(pairs.tolist())
        raise EmulatorError(
            f"{name}: expected a list of pairs, one for each window, got the single pair {one}: "
            f"pass {name}=[{one}]"
        )
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise EmulatorError(f"{name}: expected pairs (y, x), got an array of shape {pairs.shape}")
    if not np.isfinite(pairs).all():
        raise EmulatorError(
            f"{name}: expected finite numbers, got {_first(pairs, ~np.isfinite(pairs))}"
        )
    return pairs


def _inside(pixels: np.ndarray, shape: tuple[int, ...], name: str) -> Centres:
    outside = (pixels < 0) | (pixels >= np.array(shape))
    if outside.any():
        raise EmulatorError(
            f"{name}: pixel {_first(pixels, outside)} lies outside the box of {shape[0]} x "
            f"{shape[1]} pixels (rows and columns count from 0); a box is periodic: take centres "
            "modulo its side"
        )
    return [(int(row), int(column)) for row, column in pixels]


def _first(pairs: np.ndarray, faulty: np.ndarray) -> str:
    row = pairs[faulty.any(axis=1)][0].tolist()
    return f"({row[0]:g}, {row[1]:g})"
