r"""Guidance: denoisers made of denoisers.

A solver sees only a denoiser, so whatever steers a draw is a function from denoisers to denoisers
and works with every solver and every network.

References
----------
Ho & Salimans (2022), arXiv:2207.12598 (classifier-free guidance).
Kynkaanniemi et al. (2024), arXiv:2404.07724 (guidance in an interval).
Ho et al. (2022), arXiv:2204.03458, section 3.1 (reconstruction guidance).
Song et al. (2023), "Pseudoinverse-guided diffusion models" (the plain covariance).
Rozet et al. (2024), arXiv:2405.13712, section 4 (moment matching: the covariance by Tweedie).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser, Prediction
from emulator.diffusion.process import alpha_sigma, expand

LARGEST = 10.0
"""Times that the correction at any pixel may exceed the largest one of a plain covariance."""

WIDEST = 2.0
"""Times that a corrected field may exceed the estimate, what is known, and the plain correction."""

Measurement = Callable[[Tensor], Tensor]
"""``measure(x)``: from fields ``(batch, channel, ...)`` to what is known, ``(batch, n)``."""


def classifier_free(
    conditional: Denoiser,
    unconditional: Denoiser,
    scale: float,
    interval: tuple[float, float] = (-math.inf, math.inf),
) -> Denoiser:
    r"""Exaggerate what the condition changes: :math:`\hat x = \hat x_u + w(\hat x_c - \hat x_u)`.

    Parameters
    ----------
    conditional, unconditional
        The same denoiser with and without (a part of) its condition.
    scale
        ``w``: 1 is the conditional denoiser, 0 the unconditional one, more than 1 exaggerates and
        narrows the ensemble; only 1 is calibrated.
    interval
        Gammas in which to guide; outside, the conditional denoiser is used alone.

    Notes
    -----
    Costs a second evaluation inside the interval only.
    """

    def guided(z: Tensor, gamma: Tensor) -> Prediction:
        inside = (gamma >= interval[0]) & (gamma <= interval[1])
        with_condition = conditional(z, gamma)
        if scale == 1.0 or not bool(inside.any()):
            return with_condition
        without = unconditional(z, gamma)
        strength = expand(torch.where(inside, scale, 1.0).to(z), z)
        return Prediction(
            lambda: torch.lerp(without.x, with_condition.x, strength),
            lambda: torch.lerp(without.eps, with_condition.eps, strength),
        )

    return guided


def reconstruction_guided(
    denoiser: Denoiser,
    measure: Measurement,
    observation: Tensor,
    *,
    noise_std: float,
    n_iterations: int = 8,
) -> Denoiser:
    r"""Condition a denoiser on ``observation = measure(x) + noise``: pixels, or sums of them.

    The distribution of ``x`` given ``z`` is taken for a Gaussian of mean :math:`\hat x` and of the
    covariance that Tweedie's formula gives, :math:`\Sigma = \frac{\sigma^2}{\alpha}
    \partial\hat x/\partial z`. Conditioned on the observation its mean is

    .. math:: \hat x + \Sigma J^T (J\Sigma J^T + s^2 I)^{-1} (y - h(\hat x)),
        \qquad J = \partial h/\partial x

    Exact where data are Gaussian and ``h`` is linear. The system is solved by conjugate gradients;
    :math:`\Sigma` acts through one backward pass of the network.

    A trained network is no exact denoiser: at high noise its derivative, of which :math:`\Sigma` is
    a multiple of :math:`1/\alpha`, need be neither symmetric nor positive, and the system has no
    sensible solution. So a row stops before the first direction of negative curvature; and where
    the residual has not fallen, the correction is larger than :data:`LARGEST` times that of a plain
    covariance, or the corrected field than :data:`WIDEST` times the estimate, the observation and
    what the plain one makes of them, the plain one is used: :math:`\Sigma = \sigma^2 I`, the
    variance of data of unit variance that nothing but ``z`` tells anything of.

    Parameters
    ----------
    denoiser
        Differentiable in ``z``.
    measure
        ``h``: differentiable, from ``(batch, channel, ...)`` to ``(batch, n)``; see
        :func:`observed_pixels` and :func:`weighted_sums`.
    observation
        ``(batch, n)``.
    noise_std
        ``s``, standard deviation of the observation's noise; it must be positive.
    n_iterations
        Conjugate gradients; at most ``n`` are used.

    Raises
    ------
    ValueError
        If ``noise_std`` is not positive or the shapes disagree.
    """
    if noise_std <= 0:
        raise ValueError(f"noise_std must be positive, got {noise_std}")

    def size(values: Tensor) -> Tensor:
        return values.flatten(1).abs().amax(1)

    def guided(z: Tensor, gamma: Tensor) -> Prediction:
        alpha, sigma = alpha_sigma(gamma)
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            x_hat = denoiser(z, gamma).x
            known = measure(x_hat)
            # J^T as a linear function of a dummy: its own derivative is J
            place = x_hat.detach().requires_grad_()
            dummy = torch.zeros_like(known, requires_grad=True)
            (transposed,) = torch.autograd.grad(measure(place), place, dummy, create_graph=True)
        if known.shape != observation.shape:
            raise ValueError(
                f"measure returns {tuple(known.shape)}, the observation is "
                f"{tuple(observation.shape)}"
            )
        right = (observation - known).detach()

        def spread(y: Tensor) -> Tensor:
            """Sigma J^T y: back through measure and denoiser."""
            (back,) = torch.autograd.grad(known, z, y, retain_graph=True)
            return expand(sigma**2 / alpha, z) * back

        def spread_plainly(y: Tensor) -> Tensor:
            """J^T y, times the variance of data that nothing but z tells anything of."""
            (back,) = torch.autograd.grad(known, x_hat, y, retain_graph=True)
            return expand(sigma**2, z) * back

        def correction(how: Measurement) -> tuple[Tensor, Tensor]:
            """Sigma J^T of the solution, and which rows it can be believed in."""

            def system(y: Tensor) -> Tensor:
                field = how(y)
                return (
                    torch.autograd.grad(transposed, dummy, field, retain_graph=True)[0]
                    + noise_std**2 * y
                )

            weights, sound = conjugate_gradients(system, right, n_iterations)
            return how(weights), sound

        step, sound = correction(spread)
        plain, _ = correction(spread_plainly)
        largest, usual = size(step), size(plain)
        reach = torch.stack([size(x_hat), size(x_hat + plain), size(observation)]).amax(0)
        sound = sound & (largest <= LARGEST * usual) & (size(x_hat + step) <= WIDEST * reach)
        x = (x_hat + torch.where(expand(sound, z), step, plain)).detach()
        return Prediction.of_data(x, z.detach(), gamma)

    return guided


def conjugate_gradients(
    system: Callable[[Tensor], Tensor], right: Tensor, n_iterations: int
) -> tuple[Tensor, Tensor]:
    """Solve ``system(y) = right`` row by row for symmetric positive systems.

    Returns
    -------
    The iterate of the smallest residual, ``(batch, n)``; and whether the residual fell at all,
    ``(batch,)``: where not, the system was not what it should be.

    Notes
    -----
    A row stops at a direction of negative curvature, and where its residual has fallen to rounding:
    going on would divide zero by zero.
    """
    solution, residual = torch.zeros_like(right), right.clone()
    direction, square = residual, (residual**2).sum(1, keepdim=True)
    floor = torch.finfo(right.dtype).eps ** 2 * square
    best, least = solution, square
    going = torch.ones_like(square, dtype=torch.bool)
    for _ in range(min(n_iterations, right.shape[1])):
        image = system(direction)
        curvature = (direction * image).sum(1, keepdim=True)
        # beyond a direction that no positive system has, nothing is to be learned
        going = going & (square > floor) & (curvature > 0)
        step = torch.where(going, square / torch.where(going, curvature, 1.0), 0.0)
        solution = solution + step * direction
        residual = residual - step * image
        new_square = (residual**2).sum(1, keepdim=True)
        ratio = torch.where(going, new_square / torch.where(going, square, 1.0), 0.0)
        direction, square = residual + ratio * direction, new_square
        better = square < least
        best, least = torch.where(better, solution, best), torch.where(better, square, least)
    fell = (least < (right**2).sum(1, keepdim=True)) | (right == 0).all(1, keepdim=True)
    return best, fell[:, 0]


def observed_pixels(mask: Tensor) -> Measurement:
    """Values where ``mask (batch or 1, channel, ...)`` is one, else 0: inpainting of the others."""

    def measure(x: Tensor) -> Tensor:
        return (x * mask.to(x)).flatten(1)

    return measure


def weighted_sums(weights: Tensor) -> Measurement:
    """Sums ``(batch, n)`` of the fields with ``weights (n, channel, ...)``: totals, means."""

    def measure(x: Tensor) -> Tensor:
        return x.flatten(1) @ weights.flatten(1).T.to(x)

    return measure
