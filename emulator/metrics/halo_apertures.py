"""What each field holds around the halos of windows: computed once for all metrics of halos."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from emulator.metrics.base import Case
from emulator.metrics.channels import add_total
from emulator.metrics.halos import (
    LEAST_PIXELS,
    LOG_MASS_EDGES,
    N_INNER,
    RADIUS_EDGES,
    annulus_weights,
    is_inside,
)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Apertures:
    """Sums over annuli around the halos whose R200c lies in their window and is resolved.

    Attributes
    ----------
    truth, members
        ``(halo, field, annulus)`` and ``(halo, member, field, annulus)`` sums of the field times
        the share of each pixel [unit of the field times pixels].
    area
        ``(halo, annulus)`` [pixel]; NaN where the annulus leaves the window.
    log_mass
        ``(halo,)`` log10 of M200c [Msun/h].
    mass_bin
        ``(halo,)`` bin of :data:`~emulator.metrics.halos.LOG_MASS_EDGES`.
    cut, unresolved
        ``(mass bin,)`` halos that were left out because R200c leaves the window, or is below a
        pixel.
    """

    truth: Array
    members: Array
    area: Array
    log_mass: Array
    mass_bin: NDArray[np.int64]
    cut: Array
    unresolved: Array

    def inner(self, values: Array) -> Array:
        """Sums within R200c of ``(..., annulus)``."""
        total: Array = values[..., :N_INNER].sum(axis=-1)
        return total


def halo_apertures(case: Case) -> Apertures | None:
    """Sums of all fields and of their total; ask for them by ``case.shared(halo_apertures)``.

    None where no halos are known.
    """
    halos = case.halos
    if halos is None:
        return None
    side, pixel = case.ensemble.sizes["x"], case.pixel_mpch
    radius = halos.r200c_mpch / pixel
    with np.errstate(divide="ignore"):
        log_mass = np.log10(halos.m200c_msunh)
    number = np.digitize(log_mass, LOG_MASS_EDGES) - 1
    listed = (number >= 0) & (number < len(LOG_MASS_EDGES) - 1)
    resolved = radius >= LEAST_PIXELS
    whole = is_inside(halos.y, halos.x, radius, side)
    used = np.flatnonzero(listed & resolved & whole)
    maps = {
        name: add_total(case.ensemble[name], case.fields)
        .transpose("sample", ..., "field", "y", "x")
        .values
        for name in ("truth", "fields")
    }
    n_fields, n_rings = maps["truth"].shape[1], len(RADIUS_EDGES) - 1
    truth = np.zeros((len(used), n_fields, n_rings))
    members = np.zeros((len(used), case.n_members, n_fields, n_rings))
    area = np.full((len(used), n_rings), np.nan)
    for i, halo in enumerate(used):
        y, x, sample = halos.y[halo], halos.x[halo], halos.sample[halo]
        rings = RADIUS_EDGES * radius[halo]
        weights = annulus_weights(y, x, rings, side)
        truth[i] = np.tensordot(maps["truth"][sample], weights, ((-2, -1), (1, 2)))
        members[i] = np.tensordot(maps["fields"][sample], weights, ((-2, -1), (1, 2)))
        inside = is_inside(np.full(n_rings, y), np.full(n_rings, x), rings[1:], side)
        area[i] = np.where(inside, weights.sum(axis=(1, 2)), np.nan)
    return Apertures(
        truth,
        members,
        area,
        log_mass[used],
        number[used],
        _count(number, listed & resolved & ~whole),
        _count(number, listed & ~resolved),
    )


def _count(number: NDArray[np.int64], which: NDArray[np.bool_]) -> Array:
    return np.bincount(number[which], minlength=len(LOG_MASS_EDGES) - 1).astype(np.float64)


def mass_bin_names() -> list[str]:
    """Labels of the dimension ``halo_mass``."""
    return [f"{low:g} to {high:g}" for low, high in pairwise(LOG_MASS_EDGES)]


def by_mass_bin(apertures: Apertures, values: Array) -> Array:
    """Sums of ``(halo, ...)`` over the halos of each bin, ``(mass bin, ...)``; NaN counts as 0."""
    sums = np.zeros((len(LOG_MASS_EDGES) - 1, *values.shape[1:]))
    np.add.at(sums, apertures.mass_bin, np.nan_to_num(values))
    return sums
