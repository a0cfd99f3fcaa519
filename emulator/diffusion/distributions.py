r"""Schedules shaped by a density: gamma is the quantile function of a truncated distribution.

Drawing ``t`` uniformly and taking :math:`\gamma(t) = F^{-1}(F_0 + t (F_1 - F_0))` draws gamma from
a density :math:`F'` cut off at ``gamma_min`` and ``gamma_max``. Much of the literature is one of

=============  ==========================================  ======================================
name           density of gamma                            source
=============  ==========================================  ======================================
``logistic``   logistic(loc, scale)                        flow matching with uniform times is
                                                           logistic(0, 2): Lipman et al. (2023)
``cosine``     hyperbolic secant: :math:`\alpha = \cos      Nichol & Dhariwal (2021), in the form
               (\pi t/2)`                                  of Hoogeboom et al. (2023), eq. 2
``sigmoid``    :math:`\alpha^2` is a sigmoid of t           Jabri et al. (2023), algorithm 1
``edm``        normal: :math:`\ln\tilde\sigma = \gamma/2    Karras et al. (2022), table 1
               \sim N(-1.2, 1.2^2)`
=============  ==========================================  ======================================
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from emulator.diffusion.schedule import Levels, Schedule, require_increasing


@dataclass(frozen=True)
class Logistic:
    r"""Logistic density: :math:`F = \mathrm{sigmoid}((\gamma - loc)/scale)`."""

    loc: float = -0.5
    scale: float = 1.4

    def cdf(self, gamma: Tensor) -> Tensor:
        """Sigmoid."""
        return torch.sigmoid((gamma - self.loc) / self.scale)

    def quantile(self, probability: Tensor) -> Tensor:
        """Logit."""
        return self.loc + self.scale * torch.logit(probability, eps=1e-12)

    def density(self, gamma: Tensor) -> Tensor:
        """Symmetric bell with exponential tails."""
        rise = self.cdf(gamma)
        return rise * (1.0 - rise) / self.scale


@dataclass(frozen=True)
class HyperbolicSecant:
    r"""Cosine schedule: :math:`\gamma = 2\ln\tan(\pi t/2)`, density sech(gamma/2) / (2 pi)."""

    def cdf(self, gamma: Tensor) -> Tensor:
        """Angle of (alpha, sigma) in units of a right angle."""
        return torch.atan(torch.exp(0.5 * gamma)) * (2.0 / math.pi)

    def quantile(self, probability: Tensor) -> Tensor:
        """Twice the log tangent."""
        return 2.0 * torch.log(torch.tan(0.5 * math.pi * probability))

    def density(self, gamma: Tensor) -> Tensor:
        """Hyperbolic secant."""
        return 1.0 / (2.0 * math.pi * torch.cosh(0.5 * gamma))


@dataclass(frozen=True)
class SigmoidInTime:
    r""":math:`\alpha^2(t) = \frac{\mathrm{sg}(b) - \mathrm{sg}(y)}{\mathrm{sg}(b) -
    \mathrm{sg}(a)}` with :math:`y = a + t(b - a)`.

    Written with hyperbolic functions, :math:`\gamma = \ln\frac{\sinh((y-a)/2)\cosh(b/2)}
    {\sinh((b-y)/2)\cosh(a/2)}`, which does not cancel at the ends.

    Parameters
    ----------
    start, end
        ``a`` and ``b``, each over the temperature of the paper.
    """

    start: float = -3.0
    end: float = 3.0

    def cdf(self, gamma: Tensor) -> Tensor:
        """Time at which the noise variance is sigmoid(gamma)."""
        low, high = (1.0 / (1.0 + math.exp(-edge)) for edge in (self.start, self.end))
        rise = low + torch.sigmoid(gamma) * (high - low)
        return (torch.logit(rise) - self.start) / (self.end - self.start)

    def quantile(self, probability: Tensor) -> Tensor:
        """Gamma at time ``probability``."""
        width = self.end - self.start
        ratio = torch.sinh(0.5 * width * probability) / torch.sinh(
            0.5 * width * (1.0 - probability)
        )
        return torch.log(ratio) + math.log(math.cosh(self.end / 2) / math.cosh(self.start / 2))

    def density(self, gamma: Tensor) -> Tensor:
        r"""One over :math:`\gamma'(t) = \tfrac{b-a}{2}(\coth\tfrac{y-a}2+\coth\tfrac{b-y}2)`."""
        width, t = self.end - self.start, self.cdf(gamma)
        rise = 1.0 / torch.tanh(0.5 * width * t) + 1.0 / torch.tanh(0.5 * width * (1.0 - t))
        return 2.0 / (width * rise)


@dataclass(frozen=True)
class Normal:
    r"""Normal density; EDM's log-normal of :math:`\tilde\sigma = e^{\gamma/2}` is N(-2.4, 2.4)."""

    mean: float = -2.4
    std: float = 2.4

    def cdf(self, gamma: Tensor) -> Tensor:
        """Error function."""
        probability: Tensor = torch.special.ndtr((gamma - self.mean) / self.std)
        return probability

    def quantile(self, probability: Tensor) -> Tensor:
        """Inverse of the error function."""
        gamma: Tensor = self.mean + self.std * torch.special.ndtri(probability)
        return gamma

    def density(self, gamma: Tensor) -> Tensor:
        """Gaussian bell."""
        deviate = (gamma - self.mean) / self.std
        return torch.exp(-0.5 * deviate**2) / (self.std * math.sqrt(2.0 * math.pi))


Distribution = Logistic | HyperbolicSecant | SigmoidInTime | Normal
"""A density of gamma on the whole line: ``cdf``, ``quantile``, ``density`` of float64 tensors."""


class Truncated(Schedule):
    """Quantile function of a distribution of gamma that is cut off at two ends.

    Parameters
    ----------
    distribution
        Its shape.
    gamma_min, gamma_max
        The ends.

    Raises
    ------
    ValueError
        If the ends are swapped, or if no probability is left beyond one of them that float64 can
        tell from none: gamma could not be told apart there.
    """

    def __init__(
        self, distribution: Distribution, gamma_min: float = -13.3, gamma_max: float = 13.0
    ) -> None:
        super().__init__()
        require_increasing(gamma_min, gamma_max)
        self.distribution, self.low, self.high = distribution, gamma_min, gamma_max
        edges = torch.tensor([gamma_min, gamma_max], dtype=torch.float64)
        self.first, self.last = distribution.cdf(edges).tolist()
        if self.first < 1e-12 or self.last > 1.0 - 1e-12:
            raise ValueError(
                f"{distribution} has no weight at gamma {gamma_min} or {gamma_max}: narrow the "
                "range of gamma, or widen the distribution"
            )

    def levels(self, t: Tensor) -> Levels:
        """Quantiles and one over the density, computed in float64."""
        probability = self.first + t.double() * (self.last - self.first)
        gamma = self.distribution.quantile(probability).clamp(self.low, self.high)
        slope = (self.last - self.first) / self.distribution.density(gamma)
        return Levels(gamma.to(t.dtype), slope.to(t.dtype))
