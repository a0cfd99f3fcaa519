"""Sums over the training simulations that the linear filter of the baselines is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.data.maps import Maps
from emulator.fields import CONDITION, Field
from emulator.metrics.power_spectrum import fourier_modes, mode_weight, shell_index
from emulator.validation.baselines.shares import Shares


@dataclass
class ShellSums:
    """Shell sums of all projections of the training simulations, and means of fields."""

    fields: Sequence[Field]
    shape: tuple[int, ...]
    cross: NDArray[np.float64]
    auto: NDArray[np.float64]
    means: dict[str, list[float]]

    @classmethod
    def of(cls, fields: Sequence[Field], shape: tuple[int, ...]) -> "ShellSums":
        """Sums of nothing yet, for maps of some pixels along the axes of space."""
        shells = int(shell_index(shape).max()) + 1
        means: dict[str, list[float]] = {f.name: [] for f in fields if f.share is None}
        return cls(fields, shape, np.zeros((len(fields), shells)), np.zeros(shells), means)

    def add(self, maps: Maps, shares: Shares) -> None:
        """Add one simulation."""
        dmo, values = _maps_of(maps, self.fields)
        index, weight = shell_index(self.shape).ravel(), mode_weight(self.shape)
        delta = fourier_modes(overdensity(dmo), len(self.shape))
        power = (weight * (np.abs(delta) ** 2).sum(axis=0)).ravel()
        self.auto += np.bincount(index, power, self.auto.size)
        share = shares.of(maps.attrs)
        for row, field in enumerate(self.fields):
            if field.share is None:
                self.means[field.name].append(float(values[row].mean(dtype=np.float64)))
                scale = np.float64(1.0)
            else:
                scale = share[field.name] * dmo.mean()
            if scale > 0:
                modes = fourier_modes(values[row] / scale, len(self.shape))
                product = (modes * delta.conj()).real.sum(axis=0)
                self.cross[row] += np.bincount(index, (weight * product).ravel(), self.auto.size)


def _maps_of(maps: Maps, fields: Sequence[Field]) -> tuple[NDArray[np.float64], list[NDArray[Any]]]:
    """The DMO maps ``(projection, y, x)`` in float64, and those of each field."""
    values = np.asarray(maps.maps)
    dmo = values[:, maps.species_index(CONDITION.name)].astype(np.float64)
    return dmo, [values[:, maps.species_index(field.name)] for field in fields]


def overdensity(dmo: NDArray[Any]) -> NDArray[np.float64]:
    """Contrast of DMO maps ``(projection, ..., y, x)``, each over its own mean."""
    axes = tuple(range(1, dmo.ndim))
    mean: NDArray[np.float64] = dmo.mean(axis=axes, keepdims=True, dtype=np.float64)
    contrast: NDArray[np.float64] = dmo / mean - 1.0
    return contrast
