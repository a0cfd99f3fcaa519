"""The pyramid of a map: block means, which become the surroundings of its windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.fields import CONDITION, Field


def block_mean(maps: NDArray[Any], factor: int, dimensions: int = 2) -> NDArray[Any]:
    """Means over blocks of ``factor`` pixels along the last axes, in the input's precision."""
    n_lead = maps.ndim - dimensions
    lead, sides = maps.shape[:n_lead], maps.shape[n_lead:]
    split = [size for side in sides for size in (side // factor, factor)]
    blocks = maps.reshape(*lead, *split)
    means: NDArray[Any] = blocks.mean(axis=tuple(range(n_lead + 1, blocks.ndim, 2)))
    return means


def context_pyramid(
    dmo: NDArray[np.float32], factors: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Block means of DMO maps ``(projection, ..., y, x)`` by factor, accumulated in float64.

    They are made from the float32 maps that the file holds: whoever cuts from the maps alone gets
    the same context, bit for bit.
    """
    exact, dimensions = dmo.astype(np.float64), dmo.ndim - 1
    return {f: block_mean(exact, f, dimensions).astype(np.float32) for f in factors}


def mean_masses(values: NDArray[np.float32], fields: Sequence[Field]) -> dict[str, float]:
    """Attributes ``mass_map_{field}``: mass of a map, mean over projections [Msun/h].

    ``values`` ``(projection, 1 + field, y, x)`` begin with the DMO field; means have no mass.
    """
    masses = values.sum(axis=(2, 3), dtype=np.float64).mean(axis=0)
    return {
        f"mass_map_{field.name}": float(mass)
        for field, mass in zip((CONDITION, *fields), masses, strict=True)
        if field.adds_up
    }
