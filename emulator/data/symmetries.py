r"""Turns and flips: the symmetries of the square and of the cube, as numbers.

*D4*, of the square, has 8 elements: ``number % 4`` quarter turns, then for 4 to 7 a flip along x.
*O_h*, of the cube, has 48: the axes of space in one of 6 orders, ``number // 8``, then a flip along
each axis whose bit of ``number % 8`` is set (1 for x, 2 for y, 4 for z). Half of them are
rotations, half of them change left into right; matter knows neither. 0 is the identity of both.
"""

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_ORIENTATIONS = {2: 8, 3: 48}
"""Symmetries of the square and of the cube, by dimensions."""

_ORDERS = tuple(permutations(range(3)))


def orient(fields: NDArray[Any], orientation: int, dimensions: int = 2) -> NDArray[Any]:
    """Apply one element to the last axes; the result is contiguous.

    Parameters
    ----------
    fields
        ``(..., y, x)`` or ``(..., z, y, x)``, square or cubic unless the element keeps the axes.
    orientation
        Its number.
    dimensions
        2 for the square, 3 for the cube.
    """
    if dimensions == 2:
        turned = np.rot90(fields, orientation % 4, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if orientation >= 4 else turned)
    order, flips = divmod(orientation, 8)
    n_lead = fields.ndim - 3
    turned = fields.transpose(*range(n_lead), *(n_lead + axis for axis in _ORDERS[order]))
    flipped = tuple(-1 - axis for axis in range(3) if flips >> axis & 1)
    return np.ascontiguousarray(np.flip(turned, flipped))
