r"""Schedules given as a table, and the tables of DDPM.

A discrete process with variances :math:`\beta_i` has :math:`\alpha_i^2 = \prod_{j\le i}(1 -
\beta_j)`, so its noise table *is* a table of :math:`\gamma_i = \ln(\alpha_i^{-2} - 1)`; between its
entries gamma is interpolated linearly.

References
----------
Ho et al. (2020), arXiv:2006.11239, section 4 (linear); Nichol & Dhariwal (2021), arXiv:2102.09672,
equation 17 (cosine); Song et al. (2021), arXiv:2011.13456: their VP-SDE is the limit of the linear
table for infinitely many steps.
"""

import math

import torch
from torch import Tensor

from emulator.diffusion.schedule import Levels, Schedule, require_increasing


class GammaTable(Schedule):
    """Piecewise linear gamma through a table, cut off at two ends where they lie inside it.

    Parameters
    ----------
    gammas
        Strictly increasing gammas at equidistant times.
    gamma_min, gamma_max
        Ends; a table that is narrower keeps its own.

    Raises
    ------
    ValueError
        If the table does not increase, or does not overlap the range.
    """

    times: Tensor
    gammas: Tensor

    def __init__(
        self, gammas: Tensor, gamma_min: float = -math.inf, gamma_max: float = math.inf
    ) -> None:
        super().__init__()
        gammas = gammas.double()
        rises = gammas.diff()
        if gammas.ndim != 1 or len(gammas) < 2 or not bool((rises > 0).all()):
            bad = int((rises <= 0).nonzero()[0]) if gammas.ndim == 1 and len(gammas) > 1 else 0
            raise ValueError(
                "a schedule needs at least two gammas that increase with t, got "
                f"{gammas.flatten()[bad : bad + 2].tolist()} at entry {bad}"
            )
        low, high = max(gamma_min, float(gammas[0])), min(gamma_max, float(gammas[-1]))
        require_increasing(low, high)
        entries = torch.arange(len(gammas), dtype=torch.float64)
        inside = (gammas > low) & (gammas < high)
        ends = torch.tensor([low, high], dtype=torch.float64)
        first, last = interpolate(ends, gammas, entries)[0]
        middle = (entries[inside] - first) / (last - first)
        edge = torch.tensor([0.0, 1.0], dtype=torch.float64)
        self.register_buffer("times", torch.cat([edge[:1], middle, edge[1:]]))
        self.register_buffer("gammas", torch.cat([ends[:1], gammas[inside], ends[1:]]))

    def levels(self, t: Tensor) -> Levels:
        """Linear between entries; the slope is that of the segment."""
        gamma, slope = interpolate(t.double(), self.times.to(t.device), self.gammas.to(t.device))
        return Levels(gamma.to(t.dtype), slope.to(t.dtype))


def interpolate(x: Tensor, nodes: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Value and slope at ``x`` of the broken line through ``(nodes, values)``."""
    segment = (torch.searchsorted(nodes, x.contiguous(), right=True) - 1).clamp(0, len(nodes) - 2)
    slope = values.diff()[segment] / nodes.diff()[segment]
    return values[segment] + slope * (x - nodes[segment]), slope


def tabulate(schedule: Schedule, n_entries: int = 1025) -> list[float]:
    """Gammas of any schedule at equidistant times: what a model keeps of a learned one."""
    times = torch.linspace(0.0, 1.0, n_entries, dtype=torch.float64)
    return schedule.gamma(times).detach().tolist()


def ddpm_linear(n_steps: int = 1000) -> Tensor:
    r"""Gammas of :math:`\beta_i` that rise linearly from 1e-4 to 0.02 (for 1000 steps)."""
    scale = 1000.0 / n_steps
    return _gammas(torch.linspace(1e-4 * scale, 0.02 * scale, n_steps, dtype=torch.float64))


def ddpm_cosine(n_steps: int = 1000, offset: float = 0.008) -> Tensor:
    r"""Gammas of :math:`\alpha^2 \propto \cos^2(\frac\pi2\frac{t+s}{1+s})`, beta capped at .999."""
    t = torch.linspace(0.0, 1.0, n_steps + 1, dtype=torch.float64)
    signal = torch.cos((t + offset) / (1.0 + offset) * math.pi / 2.0) ** 2
    return _gammas((1.0 - signal[1:] / signal[:-1]).clamp(max=0.999))


def _gammas(betas: Tensor) -> Tensor:
    """Turn variances of the steps into gammas: log(expm1(-log alpha^2)), without cancellation."""
    return torch.log(torch.expm1(-torch.log1p(-betas).cumsum(0)))
