"""Centres of windows: rows and columns of pixels in a box; of a volume layers, too."""

from typing import Any

import numpy as np

from emulator.io import EmulatorError
from emulator.sampling.given.arrays import plain_array

Centres = list[tuple[int, ...]]

_PLACES = {2: ("pair", "(row, col)", "(y, x)"), 3: ("triple", "(layer, row, col)", "(z, y, x)")}


def pixel_centres(centres: Any, shape: tuple[int, ...]) -> Centres:
    """Pixels ``(row, col)`` of a box, or ``(layer, row, col)``.

    Parameters
    ----------
    centres
        One pair or triple for each window.
    shape
        Of the box, ``(y, x)`` or ``(z, y, x)``.

    Raises
    ------
    EmulatorError
        A single pair, no pair, fractions of pixels, or pixels outside the box.
    """
    pairs = as_pairs(centres, "centres", len(shape))
    if not (pairs == np.floor(pairs)).all():
        raise EmulatorError(
            f"centres: expected pixels {_PLACES[len(shape)][1]} as integers, got "
            f"{_first(pairs, pairs % 1 != 0)}; positions in Mpc/h are passed as centres_mpch="
        )
    return _inside(pairs.astype(int), shape, "centres")


def centres_at(positions: Any, shape: tuple[int, ...], pixel_mpch: float) -> Centres:
    """Pixels that hold positions.

    Parameters
    ----------
    positions
        ``(y, x)`` or ``(z, y, x)`` [Mpc/h], one for each window, from the corner of the first
        pixel: pixel ``i`` covers ``[i, i + 1) * pixel_mpch``.
    shape
        Of the box in pixels.
    pixel_mpch
        Side of a pixel [Mpc/h].

    Raises
    ------
    EmulatorError
        A single pair, no pair, or positions outside the box.
    """
    pairs = as_pairs(positions, "centres_mpch", len(shape))
    return _inside(np.floor(pairs / pixel_mpch).astype(int), shape, "centres_mpch")


def as_pairs(values: Any, name: str, dimensions: int = 2) -> np.ndarray:
    """Pairs or triples of finite numbers, ``(window, axis)`` float64; refuses all else."""
    pairs, (what, _, axes) = plain_array(values, name).astype(float), _PLACES[dimensions]
    if pairs.shape == (dimensions,):
        one = tuple(values) if isinstance(values, list | tuple) else tuple(pairs.tolist())
        raise EmulatorError(
            f"{name}: expected a list of {what}s, one for each window, got the single {what} "
            f"{one}: pass {name}=[{one}]"
        )
    if pairs.ndim != 2 or pairs.shape[1] != dimensions:
        raise EmulatorError(f"{name}: expected {what}s {axes}, got an array of shape {pairs.shape}")
    if not np.isfinite(pairs).all():
        raise EmulatorError(
            f"{name}: expected finite numbers, got {_first(pairs, ~np.isfinite(pairs))}"
        )
    return pairs


def _inside(pixels: np.ndarray, shape: tuple[int, ...], name: str) -> Centres:
    outside = (pixels < 0) | (pixels >= np.array(shape))
    if outside.any():
        raise EmulatorError(
            f"{name}: pixel {_first(pixels, outside)} lies outside the box of "
            f"{' x '.join(map(str, shape))} pixels (rows and columns count from 0); a box is "
            "periodic: take centres modulo its side"
        )
    return [tuple(map(int, pixel)) for pixel in pixels]


def _first(pairs: np.ndarray, faulty: np.ndarray) -> str:
    row = pairs[faulty.any(axis=1)][0].tolist()
    return f"({', '.join(f'{number:g}' for number in row)})"
