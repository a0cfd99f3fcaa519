"""Space to depth and back: blocks of pixels become channels, in any number of dimensions."""

from torch import Tensor


def fold(fields: Tensor, patch: int) -> Tensor:
    """``(batch, channel, n, ...)`` to ``(batch, channel * patch^d, n / patch, ...)``."""
    if patch == 1:
        return fields
    batch, channels, *space = fields.shape
    split = [size for n in space for size in (n // patch, patch)]
    blocks = fields.reshape(batch, channels, *split)
    d = len(space)
    outer, inner = range(2, 2 + 2 * d, 2), range(3, 3 + 2 * d, 2)
    moved = blocks.permute(0, 1, *inner, *outer)
    return moved.reshape(batch, channels * patch**d, *(n // patch for n in space))


def unfold(fields: Tensor, patch: int) -> Tensor:
    """Inverse of :func:`fold`."""
    if patch == 1:
        return fields
    batch, channels, *space = fields.shape
    d = len(space)
    blocks = fields.reshape(batch, channels // patch**d, *(patch,) * d, *space)
    order = [axis for i in range(d) for axis in (2 + d + i, 2 + i)]
    moved = blocks.permute(0, 1, *order)
    return moved.reshape(batch, channels // patch**d, *(n * patch for n in space))
