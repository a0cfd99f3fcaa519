r"""Solvers that look back: one network evaluation a step, high order from what is remembered.

The probability-flow ODE in :math:`\lambda = -\gamma/2`, solved for its linear part, is

.. math:: z_s = \frac{\sigma_s}{\sigma_t} z_t
    + \sigma_s\int_{\lambda_t}^{\lambda_s} e^{\lambda}\,\hat x(\lambda)\,d\lambda

(:class:`DataForm`); without solving for anything, in a flow time ``u``,

.. math:: z_s = z_t + \int_{u_t}^{u_s} \frac{dz}{du}\,du, \qquad
    \frac{dz}{d\gamma} = \tfrac12\alpha(\alpha z - \hat x)

(:class:`FlowForm`). The integrand is replaced by the polynomial through the last values (Adams and
Bashforth), and where that is wanted the step is repeated with the value at its end, once the next
step has computed it anyway (Moulton): one evaluation a node, used twice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from emulator.diffusion.process import amplitudes
from emulator.diffusion.solvers.base import (
    Evaluate,
    Node,
    NoiseSource,
    Past,
    Solver,
    combine,
)
from emulator.diffusion.solvers.coefficients import polynomial_weights


@dataclass(frozen=True)
class DataForm:
    r"""Polynomial of :math:`\hat x` in :math:`\lambda`, integrated against :math:`e^\lambda`."""

    def value(self, z: Tensor, x_hat: Tensor, gamma: float) -> Tensor:
        """Estimate of the data."""
        return x_hat

    def factor(self, gamma: float, gamma_next: float) -> float:
        """Ratio of the noise amplitudes."""
        return amplitudes(gamma_next)[1] / amplitudes(gamma)[1]

    def weights(self, gammas: Sequence[float], gamma: float, gamma_next: float) -> list[float]:
        """Exponential weights; sigma e^lambda is alpha."""
        nodes = [-0.5 * passed for passed in gammas]
        alpha = amplitudes(gamma_next)[0]
        weights = polynomial_weights(nodes, -0.5 * gamma, -0.5 * gamma_next, rate=1.0)
        return [alpha * w for w in weights]


@dataclass(frozen=True)
class FlowForm:
    r"""Polynomial of :math:`dz/du` in the flow time :math:`u = \mathrm{sigmoid}((\gamma-c)/2)`.

    For ``c = 0`` the flow time is :math:`\sigma/(\alpha+\sigma)`, that of the linear path. In the
    variance-preserving ``z`` nothing happens outside the gammas where noise and data are alike, so
    the long ends of the range of gamma cost no accuracy: this is what makes few steps enough.

    Parameters
    ----------
    centre
        ``c``: where :math:`\alpha^2 P = \sigma^2` for a typical power P of the data, ``ln P``.
    """

    centre: float = 0.0

    def value(self, z: Tensor, x_hat: Tensor, gamma: float) -> Tensor:
        """Rate of ``z``; du/dgamma is u(1 - u)/2."""
        alpha, _ = amplitudes(gamma)
        u = self._time(gamma)
        scale = alpha / (u * (1.0 - u))
        return combine((scale * alpha, z), (-scale, x_hat))

    def factor(self, gamma: float, gamma_next: float) -> float:
        """Nothing is solved for."""
        return 1.0

    def weights(self, gammas: Sequence[float], gamma: float, gamma_next: float) -> list[float]:
        """Adams' weights in the flow time."""
        return polynomial_weights(
            [self._time(passed) for passed in gammas], self._time(gamma), self._time(gamma_next)
        )

    def _time(self, gamma: float) -> float:
        return 1.0 / (1.0 + math.exp(-0.5 * (gamma - self.centre)))


Form = DataForm | FlowForm
"""A way to write the ODE: the integrand's ``value`` at a node, the ``factor`` of the field, and the
``weights`` of the values."""


@dataclass(frozen=True)
class Multistep(Solver):
    r"""Adams-Bashforth of any order in a form, with or without Moulton's corrector.

    With :class:`DataForm`: exponential Adams-Bashforth and, corrected, UniPC with all its linear
    systems solved, where its free function B(h) cancels (the published code replaces systems of one
    unknown by 1/2). The order rises from one as nodes are passed; that first step limits the order
    of the whole to three (with corrector), unless nothing happens yet where it is taken.

    Parameters
    ----------
    form
        How the ODE is written.
    order
        Values in the predictor; the corrector uses one more.
    corrects
        Whether steps are repeated with the value at their end.

    References
    ----------
    Zhang & Chen (2023), arXiv:2204.13902 (exponential Adams-Bashforth); Zhao et al. (2023),
    arXiv:2302.04867 (UniPC); Hairer, Norsett & Wanner (1993), section III.1.
    """

    form: Form
    order: int = 2
    corrects: bool = False

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ValueError(f"order must be at least 1, got {self.order}")

    @property
    def memory(self) -> int:
        """Nodes of the predictor."""
        return self.order

    def step(
        self,
        z: Tensor,
        gamma: float,
        gamma_next: float,
        evaluate: Evaluate,
        past: Past,
        noise: NoiseSource,
    ) -> Tensor:
        """Evaluate, correct the step that led here, and take the next."""
        value = self.form.value(z, evaluate(z, gamma).x, gamma)
        if self.corrects and past:
            z = self._advance(past[-1], [*past, Node(gamma, z, value)], gamma)
        past.append(Node(gamma, z, value))
        return self._advance(past[-1], list(past), gamma_next)

    def _advance(self, last: Node, nodes: Sequence[Node], gamma_next: float) -> Tensor:
        """From the last node passed to ``gamma_next``, by the values at ``nodes``."""
        weights = self.form.weights([node.gamma for node in nodes], last.gamma, gamma_next)
        terms = [(w, node.value) for w, node in zip(weights, nodes, strict=True)]
        return combine((self.form.factor(last.gamma, gamma_next), last.z), *terms)


@dataclass(frozen=True)
class DPMSolver2M(Solver):
    r"""DPM-Solver++(2M): exponential integrator with a midpoint estimate of the data.

    With :math:`\lambda = -\gamma/2` and :math:`h_i = \lambda_{i+1} - \lambda_i`:

    .. math::
        z_{i+1} = \frac{\sigma_{i+1}}{\sigma_i} z_i - \alpha_{i+1}\,\mathrm{expm1}(-h_i) D_i,
        \qquad D_i = \hat x_i + \frac{h_i}{2 h_{i-1}} (\hat x_i - \hat x_{i-1})

    and, on the reverse SDE,

    .. math::
        z_{i+1} = \frac{\sigma_{i+1}}{\sigma_i} e^{-h_i} z_i
        - \alpha_{i+1}\,\mathrm{expm1}(-2h_i)\,D_i
        + \sigma_{i+1}\sqrt{-\mathrm{expm1}(-2h_i)}\;\epsilon

    The first step is of first order (:math:`D_0 = \hat x_0`).

    Parameters
    ----------
    stochastic
        Whether to follow the SDE.

    References
    ----------
    Lu et al. (2022), arXiv:2211.01095, algorithm 2 and appendix (SDE-DPM-Solver++).
    """

    stochastic: bool = False

    @property
    def memory(self) -> int:
        """The last estimate of the data."""
        return 1

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
        x_hat = evaluate(z, gamma).x
        (_, sigma), (alpha_next, sigma_next) = amplitudes(gamma), amplitudes(gamma_next)
        fall = gamma_next - gamma
        fresh = -math.expm1(fall)  # of the SDE
        growth = alpha_next * (fresh if self.stochastic else -math.expm1(0.5 * fall))
        decay = math.exp(0.5 * fall) if self.stochastic else 1.0
        terms = [(decay * sigma_next / sigma, z)]
        if past:
            # half the ratio of this step to the last
            ahead = 0.5 * (gamma - gamma_next) / (past[-1].gamma - gamma)
            terms += [(growth * (1.0 + ahead), x_hat), (-growth * ahead, past[-1].value)]
        else:
            terms.append((growth, x_hat))
        if self.stochastic:
            terms.append((sigma_next * math.sqrt(fresh), noise()))
        past.append(Node(gamma, z, x_hat))
        return combine(*terms)
