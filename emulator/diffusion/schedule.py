r"""Schedules: gamma as a strictly increasing function of time, fixed or learned.

A schedule maps :math:`t \in [0, 1]` (0 clean, 1 noise) to :math:`\gamma(t)`. With times drawn
uniformly it is also the distribution of gamma that trains the network: its density is
:math:`p(\gamma) = 1/\gamma'(t)` (Kingma & Gao 2023). The bound depends on the two ends alone; what
lies between them changes the variance of its estimate.

Schedules shaped by a density are in :mod:`emulator.diffusion.distributions`, tabulated ones in
:mod:`emulator.diffusion.tables`.

References
----------
Kingma et al. (2021), Variational Diffusion Models, arXiv:2107.00630, section 5 and appendix H.
Kingma & Gao (2023), arXiv:2303.00848, section 2.
"""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus


class Levels(NamedTuple):
    r"""Noise levels at some times, each ``(batch,)``.

    ``interior`` holds the tensors through which the *shape* of a learned schedule acts; the loss
    trains it to lower the variance of its own estimate. It is empty for all other schedules.
    """

    gamma: Tensor
    slope: Tensor
    interior: tuple[Tensor, ...] = ()


class Schedule(nn.Module, ABC):
    r"""Strictly increasing :math:`\gamma(t)`; subclasses implement :meth:`levels`."""

    learns_ends = False
    """Whether the two ends are parameters (trained by the bound)."""

    @abstractmethod
    def levels(self, t: Tensor) -> Levels:
        r""":math:`\gamma(t)` and :math:`\gamma'(t)` at times ``t (batch,)`` in [0, 1]."""

    def gamma(self, t: Tensor) -> Tensor:
        """Gamma at times ``t (batch,)``."""
        return self.levels(t).gamma

    def ends(self) -> tuple[Tensor, Tensor]:
        """Gamma at ``t = 0`` and ``t = 1``, scalars; differentiable where they are learned."""
        low, high = self.gamma(torch.tensor([0.0, 1.0], dtype=torch.float64))
        return low, high

    @property
    def gamma_min(self) -> float:
        """Gamma at ``t = 0``, the clean end."""
        return float(self.ends()[0].detach())

    @property
    def gamma_max(self) -> float:
        """Gamma at ``t = 1``, the noise end."""
        return float(self.ends()[1].detach())


class FixedLinear(Schedule):
    r"""Fixed linear schedule :math:`\gamma(t) = \gamma_0 + t (\gamma_1 - \gamma_0)`.

    Parameters
    ----------
    gamma_min, gamma_max
        gamma at ``t = 0`` (clean) and ``t = 1`` (noise).
    """

    def __init__(self, gamma_min: float = -13.3, gamma_max: float = 13.0) -> None:
        super().__init__()
        require_increasing(gamma_min, gamma_max)
        self.low, self.span = gamma_min, gamma_max - gamma_min

    def levels(self, t: Tensor) -> Levels:
        """Linear in ``t``."""
        return Levels(self.low + self.span * t, torch.full_like(t, self.span))


class LearnedEnds(nn.Module):
    r"""Two learned ends: :math:`\gamma_0` and :math:`\gamma_1 = \gamma_0 + e^s`.

    Parameters
    ----------
    gamma_min, gamma_max
        Where they start.
    learned
        Whether they move.
    """

    def __init__(self, gamma_min: float, gamma_max: float, *, learned: bool) -> None:
        super().__init__()
        require_increasing(gamma_min, gamma_max)
        self.low = nn.Parameter(torch.tensor(gamma_min), requires_grad=learned)
        log_span = math.log(gamma_max - gamma_min)
        self.log_span = nn.Parameter(torch.tensor(log_span), requires_grad=learned)

    def forward(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Low end and span, scalars of the type of ``t``."""
        return self.low.to(t), self.log_span.to(t).exp()


class LearnedLinear(Schedule):
    r"""Linear schedule whose two ends are trained by the bound.

    Parameters
    ----------
    gamma_min, gamma_max
        Where the ends start.
    """

    learns_ends = True

    def __init__(self, gamma_min: float = -13.3, gamma_max: float = 13.0) -> None:
        super().__init__()
        self.learned = LearnedEnds(gamma_min, gamma_max, learned=True)

    def levels(self, t: Tensor) -> Levels:
        """Linear in ``t``."""
        low, span = self.learned(t)
        return Levels(low + span * t, span.expand_as(t))


class LearnedMonotone(Schedule):
    r"""Monotone network between two ends, trained to lower the variance of the loss estimate.

    .. math::
        \gamma(t) = \gamma_0 + (\gamma_1 - \gamma_0)\, n(t), \qquad
        n(t) = \frac{m(t) - m(0)}{m(1) - m(0)}, \qquad
        m(t) = w t + \sum_j v_j\, \mathrm{sigmoid}(w_j t + b_j)

    with all of :math:`w, v_j, w_j` positive, so that :math:`m' > 0`. It starts close to linear.

    Parameters
    ----------
    gamma_min, gamma_max
        The ends, or where they start.
    learn_ends
        Whether the ends are trained, too (by the bound: their gradient is not that of the shape).
    width
        Number of sigmoids.

    References
    ----------
    Kingma et al. (2021), appendix H.
    """

    def __init__(
        self,
        gamma_min: float = -13.3,
        gamma_max: float = 13.0,
        *,
        learn_ends: bool = False,
        width: int = 32,
    ) -> None:
        super().__init__()
        self.learns_ends = learn_ends
        self.learned = LearnedEnds(gamma_min, gamma_max, learned=learn_ends)
        rate = 12.0  # a sigmoid rises over a sixth of the unit interval; their centres fill it
        self.raw_linear = nn.Parameter(torch.tensor(0.5413))  # softplus: 1
        self.raw_height = nn.Parameter(torch.full((width,), -4.0))
        self.raw_rate = nn.Parameter(torch.full((width,), rate))
        self.offset = nn.Parameter(-rate * torch.linspace(0.0, 1.0, width))

    def _shape(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``m(t)`` and ``m'(t)``."""
        linear, height, rate = (
            softplus(raw.to(t)) for raw in (self.raw_linear, self.raw_height, self.raw_rate)
        )
        rise = torch.sigmoid(t[:, None] * rate + self.offset.to(t))
        value = linear * t + (height * rise).sum(-1)
        return value, linear + (height * rate * rise * (1.0 - rise)).sum(-1)

    def levels(self, t: Tensor) -> Levels:
        """Shape and ends; the shape's two tensors are the interior."""
        (value, slope), (edges, _) = self._shape(t), self._shape(t.new_tensor([0.0, 1.0]))
        height = edges[1] - edges[0]
        value, slope = (value - edges[0]) / height, slope / height
        low, span = self.learned(t)
        return Levels(low + span * value, span * slope, (value, slope))


def require_increasing(gamma_min: float, gamma_max: float) -> None:
    """Refuse ends that are swapped or equal."""
    if not gamma_min < gamma_max:
        raise ValueError(
            f"gamma must increase with t: gamma_min={gamma_min} is the clean end and "
            f"must be below gamma_max={gamma_max}"
        )
