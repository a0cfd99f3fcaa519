"""Solvers that look at one node at a time."""

import math
from dataclasses import dataclass

from torch import Tensor

from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.path import VARIANCE_EXPLODING, Moment, Path
from emulator.diffusion.process import amplitudes
from emulator.diffusion.solvers.base import Evaluate, NoiseSource, Past, Solver, combine


@dataclass(frozen=True)
class DDIM(Solver):
    r"""Denoising diffusion implicit models; ancestral sampling for ``eta = 1``.

    .. math::
        z_s = \alpha_s\hat x + \sigma_s\sqrt{1 - \eta^2 c}\;\hat\epsilon
              + \eta\,\sigma_s\sqrt{c}\;\epsilon, \qquad c = -\mathrm{expm1}(\gamma_s - \gamma_t)

    With ``eta = 0`` it is the first-order exponential integrator, and the Euler step in every
    path of straight lines.

    Parameters
    ----------
    eta
        Share of the posterior's noise, 0 to 1.

    References
    ----------
    Song et al. (2021), arXiv:2010.02502, equation 12; Kingma et al. (2021), equation 31.
    """

    eta: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta <= 1.0:
            raise ValueError(f"eta must lie in [0, 1], got {self.eta}")

    def step(
        self,
        z: Tensor,
        gamma: float,
        gamma_next: float,
        evaluate: Evaluate,
        past: Past,
        noise: NoiseSource,
    ) -> Tensor:
        """One step of the formula above."""
        read = evaluate(z, gamma)
        (alpha, sigma), (alpha_next, sigma_next) = amplitudes(gamma), amplitudes(gamma_next)
        fresh, eta2 = -math.expm1(gamma_next - gamma), self.eta**2
        # 1 - eta^2 c without cancellation where eta = 1
        kept = (1.0 - eta2) + eta2 * math.exp(gamma_next - gamma)
        share = sigma_next * math.sqrt(kept) / sigma
        terms = [(share, z), (alpha_next - share * alpha, read.x)]
        if self.eta > 0.0:
            terms.append((self.eta * sigma_next * math.sqrt(fresh), noise()))
        return combine(*terms)


@dataclass(frozen=True)
class Euler(Solver):
    r"""Straight step of the probability-flow ODE in the coordinates and the clock of a path.

    .. math:: y_s = y_t + (\tau_s - \tau_t)\,(a'\hat x + s'\hat\epsilon),
        \qquad y = z\,a/\alpha

    Parameters
    ----------
    path
        Coordinates and clock; the variance-exploding path makes it EDM's.
    churn
        Before the step, noise raises :math:`\tilde\sigma = e^{\gamma/2}` by this fraction (the
        :math:`\gamma_i` of EDM's algorithm 2, at most sqrt(2) - 1).

    References
    ----------
    Karras et al. (2022), arXiv:2206.00364, algorithms 1 and 2.
    """

    path: Path = VARIANCE_EXPLODING
    churn: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.churn <= math.sqrt(2.0) - 1.0:
            raise ValueError(f"churn must lie in [0, sqrt(2) - 1], got {self.churn}")

    def step(
        self,
        z: Tensor,
        gamma: float,
        gamma_next: float,
        evaluate: Evaluate,
        past: Past,
        noise: NoiseSource,
    ) -> Tensor:
        """Churn, then one straight step."""
        z, gamma = self.renoise(z, gamma, noise)
        here, there = self.path.moment(gamma), self.path.moment(gamma_next)
        return straight(z, here, there, [(here, gamma, z, evaluate(z, gamma))])

    def renoise(self, z: Tensor, gamma: float, noise: NoiseSource) -> tuple[Tensor, float]:
        """Forward process from ``gamma`` to the raised noise level."""
        if self.churn == 0.0:
            return z, gamma
        raised = gamma + 2.0 * math.log1p(self.churn)
        (alpha, _), (alpha_raised, sigma_raised) = amplitudes(gamma), amplitudes(raised)
        added = sigma_raised * math.sqrt(-math.expm1(gamma - raised))
        return combine((alpha_raised / alpha, z), (added, noise())), raised


@dataclass(frozen=True)
class Heun(Euler):
    """Euler's step, repeated with the mean of the velocities at both of its ends."""

    @property
    def evaluations(self) -> int:
        """One at each end of the step."""
        return 2

    def step(
        self,
        z: Tensor,
        gamma: float,
        gamma_next: float,
        evaluate: Evaluate,
        past: Past,
        noise: NoiseSource,
    ) -> Tensor:
        """Churn, predict, correct."""
        z, gamma = self.renoise(z, gamma, noise)
        here, there = self.path.moment(gamma), self.path.moment(gamma_next)
        first = (here, gamma, z, evaluate(z, gamma))
        guess = straight(z, here, there, [first])
        second = (there, gamma_next, guess, evaluate(guess, gamma_next))
        return straight(z, here, there, [first, second])


def straight(
    z: Tensor,
    here: Moment,
    there: Moment,
    velocities: list[tuple[Moment, float, Tensor, Prediction]],
) -> Tensor:
    """From ``z`` along the mean velocity of some places, in the coordinates of their path.

    A velocity ``a' x + s' eps`` is written in ``x`` and the field of its own place, so that each
    place costs two passes over memory.
    """
    step = (there.time - here.time) / len(velocities) / there.scale
    terms = [(here.scale / there.scale, z)]
    for moment, gamma, field, read in velocities:
        alpha, sigma = amplitudes(gamma)
        terms.append((step * moment.noise_rate / sigma, field))
        terms.append((step * (moment.signal_rate - moment.noise_rate * alpha / sigma), read.x))
    (first, _), (second, _), *rest = terms
    if velocities[0][2] is z:  # the first place is the start itself: one term less
        return combine((first + second, z), *rest)
    return combine(*terms)


@dataclass(frozen=True)
class PredictorCorrector(Solver):
    r"""Langevin steps at each noise level, then an ancestral step.

    .. math:: z \leftarrow z - \delta\,\sigma\,\hat\epsilon + \sqrt{2\delta}\,\sigma\,\epsilon

    The step is annealed with :math:`\sigma^2` (the score is :math:`-\hat\epsilon/\sigma`); it does
    not depend on the fields of the batch, so that neither does a member.

    Parameters
    ----------
    corrections
        Langevin steps at each noise level.
    langevin_step
        ``delta``; the stationary variance of a step is off by at most ``delta / 2``.

    References
    ----------
    Song & Ermon (2019), arXiv:1907.05600, algorithm 1; Song et al. (2021), arXiv:2011.13456,
    algorithm 3.
    """

    corrections: int = 1
    langevin_step: float = 0.05

    def __post_init__(self) -> None:
        if self.corrections < 1 or not 0.0 < self.langevin_step < 1.0:
            raise ValueError(
                "expected corrections >= 1 and 0 < langevin_step < 1, got "
                f"{self.corrections}, {self.langevin_step}"
            )

    @property
    def evaluations(self) -> int:
        """One for each correction, one for the predictor."""
        return 1 + self.corrections

    def step(
        self,
        z: Tensor,
        gamma: float,
        gamma_next: float,
        evaluate: Evaluate,
        past: Past,
        noise: NoiseSource,
    ) -> Tensor:
        """Correct, then predict."""
        alpha, sigma = amplitudes(gamma)
        delta = self.langevin_step
        for _ in range(self.corrections):
            x_hat = evaluate(z, gamma).x
            kicked = (math.sqrt(2.0 * delta) * sigma, noise())
            z = combine((1.0 - delta, z), (delta * alpha, x_hat), kicked)
        return DDIM(eta=1.0).step(z, gamma, gamma_next, evaluate, past, noise)
