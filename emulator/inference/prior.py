r"""Priors of parameters: uniform within ranges, in the logarithm where a model says so.

.. math:: p(\theta) = \prod_i \frac{1}{b_i - a_i} \quad\text{or}\quad
    \prod_i \frac{1}{\theta_i \ln(b_i/a_i)}, \qquad a_i \le \theta_i \le b_i .

A :class:`BoxPrior` is a distribution of torch, which `sbi` takes as it is. Posteriors are learned
of its shares :math:`u \in (0, 1)`, the probability below :math:`\theta`: none reaches beyond the
box.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from emulator.io import EmulatorError
from emulator.model.normalisation import Normalisation

EDGE = 1.0e-6
"""Shares of the prior nearer to 0 or 1 than this are one."""


class BoxPrior(Distribution):
    """Uniform within a box, in the logarithm of some parameters.

    Parameters
    ----------
    names
        Parameters, in the order of the last axis.
    low, high
        Ends of their ranges, physical values.
    log
        Which are uniform in the logarithm.

    Raises
    ------
    EmulatorError
        For an empty range, or one that has no logarithm.
    """

    def __init__(
        self,
        names: Sequence[str],
        low: Sequence[float],
        high: Sequence[float],
        log: Sequence[bool],
    ) -> None:
        if not names:
            raise EmulatorError("prior: expected one free parameter or more, got none")
        for name, a, b, is_log in zip(names, low, high, log, strict=True):
            if not (math.isfinite(a) and math.isfinite(b) and a < b) or (is_log and a <= 0):
                least = ", above zero (it is uniform in the logarithm)" if is_log else ""
                raise EmulatorError(f"prior: expected {name} low < high{least}, got {a:g}, {b:g}")
        self.names = tuple(names)
        self.low, self.high = (torch.tensor(ends, dtype=torch.float32) for ends in (low, high))
        self.log = torch.tensor(log)
        super().__init__(event_shape=torch.Size([len(self.names)]), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """The box."""
        return constraints.independent(constraints.interval(self.low, self.high), 1)

    @property
    def mean(self) -> Tensor:
        """Of every parameter."""
        ratio = torch.where(self.log, self.high / self.low, math.e).log()
        return torch.where(self.log, (self.high - self.low) / ratio, (self.low + self.high) / 2)

    @property
    def variance(self) -> Tensor:
        """Of every parameter."""
        ratio = torch.where(self.log, self.high / self.low, math.e).log()
        square = (self.high**2 - self.low**2) / (2 * ratio)
        return torch.where(self.log, square - self.mean**2, (self.high - self.low) ** 2 / 12)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws ``(*sample_shape, param)``, with the generator of torch."""
        return self.of_share(torch.rand(*sample_shape, *self.event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density ``(...)`` of physical values; minus infinity outside of the box."""
        a, b = self.low.to(value), self.high.to(value)
        inside = ((value >= a) & (value <= b)).all(-1)
        safe = torch.where(self.log.to(value.device), value.clamp(a, b) * (b / a).log(), b - a)
        return torch.where(inside, -safe.log().sum(-1), -torch.inf)

    def share(self, theta: Tensor) -> Tensor:
        """Share of the prior below each value, in (0, 1)."""
        a, b = self.low.to(theta), self.high.to(theta)
        is_log = self.log.to(theta.device)
        logs = (theta.clamp(min=1e-30) / torch.where(is_log, a, 1.0)).log()
        wide = torch.where(is_log, b / a, math.e).log()
        u = torch.where(is_log, logs / wide, (theta - a) / (b - a))
        return u.clamp(EDGE, 1 - EDGE)

    def of_share(self, u: Tensor) -> Tensor:
        """Inverse of :meth:`share`."""
        a, b = self.low.to(u), self.high.to(u)
        is_log = self.log.to(u.device)
        ratio = torch.where(is_log, b / a, 1.0)
        return torch.where(is_log, a * ratio**u, a + (b - a) * u).clamp(a, b)

    def log_prob_of_share(self, u: Tensor) -> Tensor:
        r"""``log p(theta(u)) = -sum ln(d theta / du)``, ``(...)``."""
        return self.log_prob(self.of_share(u))

    def design(self, n_points: int, seed: int) -> Tensor:
        """Points ``(n_points, param)`` that fill the box evenly: a scrambled Sobol sequence."""
        engine = torch.quasirandom.SobolEngine(len(self.names), scramble=True, seed=seed)
        return self.of_share(engine.draw(n_points))


def build_prior(
    normalisation: Normalisation,
    known: Mapping[str, float],
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> BoxPrior:
    """Prior of all parameters that are not known: their trained ranges, or narrower ones.

    Parameters
    ----------
    normalisation
        Of the model: names, ranges, and which are scaled by their logarithm.
    known
        Values of parameters that are fixed.
    ranges
        ``(low, high)`` of some of the others, within the trained range.

    Raises
    ------
    EmulatorError
        For names that the model does not have, a range of what is known, one beyond the training,
        or if nothing is left to infer.
    """
    ranges = dict(ranges or {})
    names = list(normalisation.params)
    if unknown := [name for name in (*known, *ranges) if name not in names]:
        raise EmulatorError(f"prior: the model is conditioned on {names}, got {unknown}")
    if both := [name for name in ranges if name in known]:
        raise EmulatorError(f"prior: {both} are known: leave them out of prior= or of known=")
    free = [name for name in names if name not in known]
    if not free:
        raise EmulatorError(
            f"known: all of {names} are known, so nothing is left to infer: leave out what is to "
            "be inferred"
        )
    scales = [normalisation.params[name] for name in free]
    ends = [
        ranges.get(name, (scale.minimum, scale.maximum))
        for name, scale in zip(free, scales, strict=True)
    ]
    for name, scale, (low, high) in zip(free, scales, ends, strict=True):
        slack = 1e-6 * (scale.maximum - scale.minimum)
        if low < scale.minimum - slack or high > scale.maximum + slack:
            raise EmulatorError(
                f"prior: {name} from {low:g} to {high:g} reaches beyond the trained range "
                f"[{scale.minimum:g}, {scale.maximum:g}]: narrow it"
            )
    lows, highs = zip(*ends, strict=True)
    return BoxPrior(free, lows, highs, [scale.log for scale in scales])
