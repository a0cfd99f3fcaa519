"""Noise of ensemble members: a function of (condition, params, seed, member, model) alone.

A member's stream is seeded by a hash of what it is conditioned on, of the seed and of its number,
so that it depends neither on the batch it is computed in, nor on the order, nor on the device; and
two windows never share noise, although they share the seed. Models of different training seeds do
not share it either: the members of a mixture are independent draws.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

STREAM_VERSION = 2
"""Raised when the same seeds give other noise: ensembles on disk are then drawn anew."""


def member_seed(conditions: Sequence[np.ndarray], seed: int, member: int, model_seed: int) -> int:
    """63-bit seed of one member.

    Parameters
    ----------
    conditions
        Everything that the sample is conditioned on; hashed as float32.
    seed, member
        Seed of the ensemble and number of the member.
    model_seed
        Seed that the model was trained from.
    """
    digest = hashlib.sha256(f"{seed}:{member}:{model_seed}".encode())
    for array in conditions:
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return int.from_bytes(digest.digest()[:8], "little") >> 1


class MemberNoise:
    """Unit noise for a batch, each row from its own generator.

    Parameters
    ----------
    seeds
        One seed a row.
    shape
        Shape of one row, ``(channel, y, x)``.
    device
        Where the noise is needed; it is drawn on the CPU, so that devices agree.
    """

    def __init__(self, seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.shape, self.device = tuple(shape), device

    def __call__(self) -> Tensor:
        """Return the next ``(batch, channel, y, x)`` of unit noise."""
        rows = [torch.randn(self.shape, generator=generator) for generator in self.generators]
        return torch.stack(rows).to(self.device)
