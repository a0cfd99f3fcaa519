"""Noise of a box: a function of (box, seed, member, model) and of the cell alone.

Every value has a number of its own, from its draw, channel, row and column in the box, and is the
normal quantile of the random word of that number in a counter-based stream. So noise depends
neither on windows nor on their order, nor on the size of the box, and any part of a box can be
drawn without the rest: a patch that was cut out of it has its noise.
Parameters are left out: one seed at two parameter points gives common random numbers.

References
----------
Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox).
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

CELLS_VERSION = 2
"""Raised when the same seeds give other noise: 1 counted the cells of a box through all rows."""

WORDS = 4
"""Words of 64 bits that Philox makes of one counter."""


def cell_noise(
    key: int, draw: int, first: int, count: int, *, channel: int = 0, row: int = 0
) -> np.ndarray:
    """Unit noise of the cells ``first`` to ``first + count - 1`` of a row, float32.

    Parameters
    ----------
    key
        Of the stream, 128 bits.
    draw
        Which draw of the whole box.
    first, count
        Columns of the box.
    channel, row
        Of the noise, and of the box.
    """
    words = _words(key, draw, first, count, channel, row)
    return _normal(words)


def _words(key: int, draw: int, first: int, count: int, channel: int, row: int) -> np.ndarray:
    # a word of the counter for each of column, draw, row and channel
    stream = np.random.Philox(key=key, counter=[first // WORDS, draw, row, channel])
    skipped = first % WORDS
    words: np.ndarray = stream.random_raw(skipped + count)[skipped:]
    return words


def _normal(words: np.ndarray) -> np.ndarray:
    # 53 bits, in the middle of their interval: neither 0 nor 1
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    normal: np.ndarray = ndtri(uniform).astype(np.float32)
    return normal


class BoxNoise:
    """Unit noise of a box, draw after draw.

    Parameters
    ----------
    keys
        One key a member.
    shape
        ``(channel, y, x)``.
    device
        Where the noise is needed; it is drawn on the CPU, so that devices agree.
    first
        Row and column of the box that the array begins with.
    """

    def __init__(
        self,
        keys: Sequence[int],
        shape: Sequence[int],
        device: torch.device,
        first: tuple[int, int] = (0, 0),
    ) -> None:
        self.keys, self.shape, self.device, self.first = list(keys), tuple(shape), device, first
        self.draw = 0

    def __call__(self) -> Tensor:
        """Return the next ``(member, channel, y, x)`` of unit noise."""
        channels, height, width = self.shape
        row, column = self.first
        boxes = np.empty((len(self.keys), *self.shape), np.float32)
        for place, key in enumerate(self.keys):
            for channel in range(channels):
                words = [
                    _words(key, self.draw, column, width, channel, row + y) for y in range(height)
                ]
                boxes[place, channel] = _normal(np.stack(words))
        self.draw += 1
        return torch.from_numpy(boxes).to(self.device)
