"""Noise of a box: a function of (box, seed, member, model) and of the cell alone.

Every value has a number of its own, from its draw, channel, row and column in the box, and is the
normal quantile of the random word of that number in a counter-based stream. So noise depends
neither on windows nor on their order, and any part of a box can be drawn without the rest.
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

WORDS = 4
"""Words of 64 bits that Philox makes of one counter."""


def cell_noise(key: int, draw: int, first: int, count: int) -> np.ndarray:
    """Unit noise of cells ``first`` to ``first + count - 1``, float32.

    Parameters
    ----------
    key
        Of the stream, 128 bits.
    draw
        Which draw of the whole box.
    first, count
        Cells by their number.
    """
    # the draw stands in the second word of the counter, the cell in the first
    stream = np.random.Philox(key=key, counter=[first // WORDS, draw, 0, 0])
    skipped = first % WORDS
    words = stream.random_raw(skipped + count)[skipped:]
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
    """

    def __init__(
        self,
        keys: Sequence[int],
        shape: Sequence[int],
        device: torch.device,
    ) -> None:
        self.keys, self.shape, self.device = list(keys), tuple(shape), device
        self.draw = 0

    def __call__(self) -> Tensor:
        """Return the next ``(member, channel, y, x)`` of unit noise."""
        count = int(np.prod(self.shape))
        boxes = np.stack(
            [cell_noise(key, self.draw, 0, count).reshape(self.shape) for key in self.keys]
        )
        self.draw += 1
        return torch.from_numpy(boxes).to(self.device)
