"""Noise of ensemble members: a function of (window, seed, member, model) alone.

A member's stream has a key of 128 bits, a hash of the DMO fields that the member is conditioned on,
of the seed and of its number: it depends neither on the batch it is computed in, nor on the order,
nor on the device, and two windows share noise no sooner than two hashes of 128 bits agree. The
parameters are left out: members of one number at two parameter points differ by what the parameters
do, and by no noise. Where the DMO field itself moves with a parameter, a name of the window stands
in for it (``noise_of``): windows of one name share their noise. Models of different training seeds
share none: the members of a mixture are independent draws.

References
----------
Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox, a counter-based
generator).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

STREAM_VERSION = 3
"""Raised when the same seeds give other noise: ensembles on disk are then drawn anew."""


def member_key(window: Sequence[np.ndarray] | str, seed: int, member: int, model_seed: int) -> int:
    """Key of one member's stream, of 128 bits.

    Parameters
    ----------
    window
        The DMO fields that the sample is conditioned on, hashed as float32; or a name in their
        place.
    seed, member
        Seed of the ensemble and number of the member.
    model_seed
        Seed that the model was trained from.
    """
    digest = hashlib.sha256(f"{seed}:{member}:{model_seed}".encode())
    if isinstance(window, str):
        # marked, so that no name has the key of a field
        digest.update(f":name:{window}".encode())
    else:
        for array in window:
            digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return int.from_bytes(digest.digest()[:16], "little")


class MemberNoise:
    """Unit noise for a batch, each row from its own stream.

    Parameters
    ----------
    keys
        One key a row.
    shape
        Shape of one row, ``(channel, y, x)``.
    device
        Where the noise is needed; it is drawn on the CPU, so that devices agree.
    """

    def __init__(self, keys: Sequence[int], shape: Sequence[int], device: torch.device) -> None:
        self.streams = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self.shape, self.device = tuple(shape), device

    def __call__(self) -> Tensor:
        """Return the next ``(batch, channel, y, x)`` of unit noise."""
        rows = np.empty((len(self.streams), *self.shape), np.float32)
        for row, stream in zip(rows, self.streams, strict=True):
            stream.standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(rows).to(self.device)
