r"""Times of a training batch: uniform, low-discrepancy, or where the loss is large.

Each way returns times in [0, 1) and a weight per draw such that ``mean(weight * f(t))`` estimates
:math:`\int_0^1 f(t)\,dt` without bias. All randomness comes from torch's generator.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from emulator.config.names import TimesName


class Times(NamedTuple):
    """Times and importance weights, each ``(batch,)``."""

    t: Tensor
    weight: Tensor


def uniform_times(batch: int, generator: torch.Generator | None = None) -> Tensor:
    """Independent uniform times."""
    return torch.rand(batch, generator=generator)


def low_discrepancy_times(batch: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Times :math:`t_i = (u + i/B) \bmod 1` with one uniform ``u``: each is uniform in [0, 1).

    References
    ----------
    Kingma et al. (2021), appendix I.1.
    """
    u = torch.rand((), generator=generator)
    return (u + torch.arange(batch) / batch) % 1.0


class TimeSampler(nn.Module):
    """Uniform or low-discrepancy times; the weight of every draw is one."""

    def __init__(self, name: Literal["low_discrepancy", "uniform"] = "low_discrepancy") -> None:
        super().__init__()
        self.spread = low_discrepancy_times if name == "low_discrepancy" else uniform_times

    def draw(self, batch: int, generator: torch.Generator | None = None) -> Times:
        """Times of one batch."""
        t = self.spread(batch, generator)
        return Times(t, torch.ones_like(t))

    def update(self, t: Tensor, losses: Tensor) -> None:
        """Nothing to learn."""


class AdaptiveTimes(TimeSampler):
    r"""Times drawn in proportion to the root mean square of the loss there.

    The density is constant in ``n_bins`` bins of time (which are bins of log SNR, as gamma
    increases with time):

    .. math:: q_b \propto (1 - u)\,\frac{\sqrt{\langle L^2\rangle_b}}{\sum_c \sqrt{\langle
        L^2\rangle_c}} + \frac{u}{n}

    which minimises the variance of :math:`L/q` as ``u`` goes to 0. The mean squares are running
    averages; until every bin has been seen, times are uniform. Draws are low-discrepancy in ``q``.

    Parameters
    ----------
    n_bins
        Bins of time.
    decay
        Memory of the running average: each batch counts ``1 - decay``.
    uniform
        Share of uniform draws, which bounds every weight by ``1 / uniform``.

    References
    ----------
    Nichol & Dhariwal (2021), arXiv:2102.09672, section 3.3, for continuous time.
    """

    mean_square: Tensor
    seen: Tensor

    def __init__(self, n_bins: int = 32, decay: float = 0.98, uniform: float = 0.1) -> None:
        super().__init__()
        self.n_bins, self.decay, self.uniform = n_bins, decay, uniform
        self.register_buffer("mean_square", torch.zeros(n_bins, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(n_bins, dtype=torch.float64))

    def density(self) -> Tensor:
        """Probability density in each bin, ``(n_bins,)``; its mean is one."""
        if not bool((self.seen > 0).all()):
            return torch.ones_like(self.mean_square)
        root = torch.sqrt(self.mean_square / self.seen)
        total = float(root.mean())
        shape = root / total if total > 0 else torch.ones_like(root)
        return (1.0 - self.uniform) * shape + self.uniform

    def draw(self, batch: int, generator: torch.Generator | None = None) -> Times:
        """Quantiles of the density at low-discrepancy probabilities."""
        density = self.density().cpu()
        edges = torch.cat([torch.zeros(1, dtype=torch.float64), density.cumsum(0) / self.n_bins])
        probability = low_discrepancy_times(batch, generator).double() * edges[-1]
        bins = (torch.searchsorted(edges, probability, right=True) - 1).clamp(0, self.n_bins - 1)
        t = (bins + (probability - edges[bins]) / density[bins] * self.n_bins) / self.n_bins
        below_one = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
        return Times(t.float().clamp(max=float(below_one)), (1.0 / density[bins]).float())

    @torch.no_grad()
    def update(self, t: Tensor, losses: Tensor) -> None:
        """Learn from the unweighted loss of each draw, ``(batch,)``; all processes learn alike."""
        bins = (t * self.n_bins).long().clamp(0, self.n_bins - 1).to(self.mean_square.device)
        squares, counts = torch.zeros_like(self.mean_square), torch.zeros_like(self.seen)
        squares.index_add_(0, bins, losses.to(squares) ** 2)
        counts.index_add_(0, bins, torch.ones_like(losses).to(squares))
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(squares)
            torch.distributed.all_reduce(counts)
        self.mean_square.mul_(self.decay).add_(squares)
        self.seen.mul_(self.decay).add_(counts)


def build_times(name: TimesName) -> TimeSampler:
    """Sampler of times by its name in the config."""
    return AdaptiveTimes() if name == "adaptive" else TimeSampler(name)
