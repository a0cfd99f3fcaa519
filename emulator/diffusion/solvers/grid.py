r"""Grids of gammas: which noise levels a solver visits.

============  ====================================================================================
``gamma``     uniform in gamma
``t``         uniform in the time of the model's schedule
``karras``    :math:`\tilde\sigma^{1/\rho}` uniform, :math:`\tilde\sigma = e^{\gamma/2}`
``logistic``  uniform in the flow time :math:`\mathrm{sigmoid}((\gamma - c)/2)`: dense around
              the centre ``c``, where noise and data are alike
============  ====================================================================================

References
----------
Karras et al. (2022), arXiv:2206.00364, equation 5.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from emulator.config.solvers import (
    GammaSpacing,
    KarrasSpacing,
    LogisticSpacing,
    SpacingConfig,
    TimeSpacing,
    parse_spacing,
)
from emulator.diffusion.schedule import Schedule

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spacing:
    """One row of the table above.

    Parameters
    ----------
    options
        Which, with its ``rho`` or ``c``.
    schedule
        Schedule of ``t``.
    """

    options: SpacingConfig
    schedule: Schedule | None = None

    def positions(self, gammas: Floats) -> Floats:
        """Where gammas lie on the axis that is divided evenly; increasing."""
        match self.options:
            case GammaSpacing():
                return gammas
            case KarrasSpacing(rho=rho):
                return np.exp(0.5 * gammas / rho)
            case LogisticSpacing(centre=centre):
                return 1.0 / (1.0 + np.exp(-0.5 * (gammas - centre)))
            case TimeSpacing():
                times, levels = self._table()
                return np.interp(gammas, levels, times)

    def gammas(self, positions: Floats) -> Floats:
        """Inverse of :meth:`positions`."""
        match self.options:
            case GammaSpacing():
                return positions
            case KarrasSpacing(rho=rho):
                return 2.0 * rho * np.log(positions)
            case LogisticSpacing(centre=centre):
                return centre + 2.0 * (np.log(positions) - np.log1p(-positions))
            case TimeSpacing():
                times, levels = self._table()
                return np.interp(positions, times, levels)

    def _table(self) -> tuple[Floats, Floats]:
        if self.schedule is None:
            raise ValueError("a grid that is uniform in t needs the schedule of the model")
        times = torch.linspace(0.0, 1.0, 4097, dtype=torch.float64)
        return times.numpy(), self.schedule.gamma(times).detach().cpu().numpy()


def build_spacing(options: SpacingConfig | str, schedule: Schedule | None = None) -> Spacing:
    """Spacing by its section of the config, or by its name.

    Raises
    ------
    ValueError
        For a name that is unknown, with those that exist.
    """
    return Spacing(parse_spacing(options) if isinstance(options, str) else options, schedule)


def gamma_grid(
    gamma_start: float, gamma_end: float, n_nodes: int, spacing: Spacing | None = None
) -> list[float]:
    """``n_nodes`` gammas from the noisy ``gamma_start`` down to ``gamma_end``, both included.

    One node is ``gamma_start`` alone.

    Raises
    ------
    ValueError
        If the grid does not go down, or has no node.
    """
    ends = (gamma_start, gamma_end)
    if n_nodes < 1 or not gamma_end < gamma_start or not all(map(math.isfinite, ends)):
        raise ValueError(
            f"expected gamma_end < gamma_start, both finite, and n_nodes >= 1, got {gamma_end}, "
            f"{gamma_start}, {n_nodes}"
        )
    spacing = spacing or build_spacing("gamma")
    first, last = spacing.positions(np.array(ends))
    grid: list[float] = spacing.gammas(np.linspace(first, last, n_nodes)).tolist()
    grid[0] = gamma_start
    if n_nodes > 1:
        grid[-1] = gamma_end
    return grid
