r"""Consistency models: from any point of a path of the probability-flow ODE to the path's end.

Every path of the ODE leads from a noised field :math:`(z, \gamma)` to one denoised field, the
teacher's :math:`\hat x` at the lowest level :math:`\gamma_N`. The consistency function is this map,
:math:`f(z, \gamma)`. It is constant along a path, and that is what trains it: on a ladder
:math:`\gamma_0 > \gamma_1 > \dots > \gamma_N`,

.. math:: L = E\big[d\big(f_\theta(z_n, \gamma_n),\ \mathrm{sg}\,f_\theta(\hat z_{n+1},
          \gamma_{n+1})\big)\big], \qquad f_\theta(z, \gamma_N) := \hat x(z, \gamma_N),

with :math:`z_n` data under noise, :math:`\hat z_{n+1}` where the teacher's ODE leads it
(:func:`flow_step`) and ``sg`` no gradient; at the last level the target is the teacher's own
estimate. The distance is the square of the difference in :math:`\hat v`,

.. math:: d = \frac{1}{\sigma_n^2}\,\frac1N\sum_i k_i w_i\,(f_i - f'_i)^2,

so that low noise counts, too. Where ``L`` is zero, ``f`` is the end of the teacher's paths, up to
the error of its steps. A student that cannot follow every path learns the mean of their ends; with
the pseudo-Huber distance of the second reference it learns about their median, and a field that is
sparse is lost in it.

References
----------
Song et al. (2023), arXiv:2303.01469, algorithms 1 and 2; Song & Dhariwal (2023), arXiv:2310.14189
(no average of weights in the target).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser, Prediction
from emulator.diffusion.process import alpha_sigma, amplitudes, diffuse, expand
from emulator.diffusion.solvers.base import Evaluate, NoiseSource, Past, Solver, combine
from emulator.diffusion.solvers.grid import gamma_grid


class Ladder(NamedTuple):
    """Levels at which neighbours are compared, uniform in gamma.

    Parameters
    ----------
    gamma_max, gamma_end
        Its ends.
    levels
        Intervals.
    steps
        Solver steps of the teacher in each.
    """

    gamma_max: float
    gamma_end: float
    levels: int
    steps: int = 1

    def nodes(self) -> list[float]:
        """Gammas of the teacher's steps, decreasing: every ``steps``-th is a level."""
        return gamma_grid(self.gamma_max, self.gamma_end, self.levels * self.steps + 1)

    def visited(self, evaluations: int) -> list[float]:
        """Levels at which members are drawn: the noise end, and others spread below it.

        Raises
        ------
        ValueError
            For less than one evaluation, or more than there are levels.
        """
        if not 1 <= evaluations <= self.levels:
            raise ValueError(f"expected 1 to {self.levels} evaluations, got {evaluations}")
        levels = self.nodes()[:: self.steps]
        return [levels[i * self.levels // evaluations] for i in range(evaluations)]


def flow_step(
    denoiser: Denoiser, z: Tensor, gamma: Tensor, gamma_next: Tensor
) -> tuple[Tensor, Tensor]:
    r"""One step down the probability-flow ODE, of second order; a gamma for each row.

    A DDIM step, repeated with :math:`(1 - w)\,\hat x + w\,\hat x'` for the data, of which the
    second is read where the first step ended:

    .. math:: w = \frac{1}{1 - e^{-h}} - \frac1h, \qquad h = \tfrac12(\gamma - \gamma'),

    the weight that is exact where :math:`\hat x` is linear in log SNR.

    Returns
    -------
    ``z`` at ``gamma_next``, and the estimate of the data there, after the first of the two steps.

    References
    ----------
    Lu et al. (2022), arXiv:2211.01095 (the exponential form); Karras et al. (2022),
    arXiv:2206.00364, algorithm 1 (the repeated step).
    """
    here = denoiser(z, gamma)
    x_next = denoiser(diffuse(here.x, here.eps, gamma_next), gamma_next).x
    h = 0.5 * (gamma - gamma_next)
    weight = expand(-1.0 / torch.expm1(-h) - 1.0 / h, z)
    mean = Prediction.of_data(torch.lerp(here.x, x_next, weight), z, gamma)
    return diffuse(mean.x, mean.eps, gamma_next), x_next


def consistency_loss(
    student: Denoiser,
    teacher: Denoiser,
    x: Tensor,
    eps: Tensor,
    level: Tensor,
    *,
    ladder: Ladder,
    channel_weights: Tensor,
    pixel_weights: Tensor | None = None,
) -> Tensor:
    """Distance of the student's answers at neighbouring levels of one path, ``(batch,)``.

    Parameters
    ----------
    student, teacher
        Denoisers; the student's data estimate is its consistency function.
    x, eps
        Normalised fields and unit noise, ``(batch, channel, ...)``.
    level
        Upper level of each row, 0 (pure noise) to ``ladder.levels - 1``.
    ladder
        Levels and steps.
    channel_weights
        ``(channel,)``; normalised to mean one.
    pixel_weights
        Shape of ``x``: weight of each pixel's error in its channel.
    """
    nodes = torch.tensor(ladder.nodes()).to(x)
    place = level * ladder.steps
    z, gamma = diffuse(x, eps, nodes[place]), nodes[place]
    # first with gradients: under autocast the target would leave copies of the weights without
    found = student(z, gamma).x
    with torch.no_grad():
        for _ in range(ladder.steps):
            place = place + 1
            z, x_teacher = flow_step(teacher, z, nodes[place - 1], nodes[place])
        is_last = expand(level == ladder.levels - 1, x)
        target = torch.where(is_last, x_teacher, student(z, nodes[place]).x)
    square = (found - target) ** 2
    if pixel_weights is not None:
        square = square * pixel_weights
    shares = (channel_weights / channel_weights.mean()).to(x)
    return (square.flatten(2).mean(-1) * shares).mean(-1) / alpha_sigma(gamma)[1] ** 2


class Renoise(Solver):
    r"""Multistep consistency sampling: the end of the path, then noise of the next level upon it.

    .. math:: z_{k+1} = \alpha_{k+1}\,f(z_k, \gamma_k) + \sigma_{k+1}\,\epsilon

    Exact at any levels if ``f`` is: each step draws from the noised data anew.
    """

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
        alpha, sigma = amplitudes(gamma_next)
        return combine((alpha, evaluate(z, gamma).x), (sigma, noise()))
