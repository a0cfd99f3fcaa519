r"""What the data's own spectrum says about the noise end, and the start that follows from it.

Per Fourier mode, in units of white noise of unit pixel variance, a channel has the power ``P``;
given the condition (by linear regression on the condition's modes) it has :math:`P_c = P(1 - r^2)`.
Sampling starts from N(0, I), although the exact marginal at :math:`\gamma_1` has the variance
:math:`\alpha_1^2 P + \sigma_1^2` and the mean :math:`\alpha_1 m`. For a Gaussian field and a
perfect network this leaves, in the power of a mode, errors of :math:`P e^{-\gamma_1}` and, through
the mean, of :math:`2 r^2\sqrt{P_c}\,e^{-\gamma_1/2}`. Both are below a tolerance ``q`` where

.. math:: \gamma_1 > \ln(P/q), \qquad \gamma_1 > 2\ln(2 r^2\sqrt{P_c}/q)

A network knows more than the regression does, so ``r`` is a lower limit: the second error is taken
at the worst correlation that is possible, which is :math:`r^2 = 2/3` or more.

A *spectral start* draws from the Gaussian marginal instead, and has neither error to second order.

Modes are those of the (periodic) discrete Fourier transform of a window; for windows cut from a
larger map they are an approximation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class ModeStatistics:
    """Spectra of normalised data in shells ``round(|k|)`` of the window, shell 0 being the mean.

    Attributes
    ----------
    power, residual
        ``(channel, shell)``: P and P_c, in units of white noise.
    transfer
        ``(channel, shell)``: regression of the channel's modes on those of the condition.
    """

    power: Tensor
    residual: Tensor
    transfer: Tensor

    def to_lists(self) -> dict[str, Any]:
        """As plain lists, for JSON."""
        return {name: getattr(self, name).tolist() for name in ("power", "residual", "transfer")}

    @classmethod
    def from_lists(cls, lists: dict[str, Any]) -> "ModeStatistics":
        """Inverse of :meth:`to_lists`."""
        return cls(**{name: torch.tensor(values) for name, values in lists.items()})


def fit_modes(x: Tensor, condition: Tensor) -> ModeStatistics:
    """Spectra of normalised fields and their regression on the condition.

    Parameters
    ----------
    x
        ``(sample, channel, ...)``.
    condition
        ``(sample, ...)``, normalised.
    """
    axes = tuple(range(2, x.ndim))
    shape = x.shape[2:]
    shell = mode_shells(shape, x.device)
    n_pixels = math.prod(shape)
    modes = torch.fft.fftn(x.double(), dim=axes)
    known = torch.fft.fftn(condition.double().unsqueeze(1), dim=axes)
    count = torch.bincount(shell.flatten()).double()

    def shells(values: Tensor) -> Tensor:
        """Mean over samples and over the modes of each shell, ``(channel, shell)``."""
        flat = values.mean(0).flatten(1)
        sums = torch.zeros(len(flat), len(count), dtype=flat.dtype, device=x.device)
        return sums.index_add_(1, shell.flatten(), flat) / count / n_pixels

    power = shells(modes.abs() ** 2)
    cross, basis = shells((modes * known.conj()).real), shells(known.abs() ** 2)
    transfer = torch.where(basis > 0, cross / torch.where(basis > 0, basis, 1.0), 0.0)
    return ModeStatistics(power, (power - transfer * cross).clamp(min=0.0), transfer)


def required_gamma_max(modes: ModeStatistics, tolerance: float = 0.01) -> Tensor:
    """Smallest ``gamma_max`` that keeps every mode's power within ``tolerance``, by channel."""
    power, mean = _amplitudes(modes)
    return torch.maximum(torch.log(power / tolerance), 2.0 * torch.log(mean / tolerance))


def expected_error(modes: ModeStatistics, gamma_max: float) -> Tensor:
    """Largest relative error of any mode's power when N(0, I) is the start, by channel."""
    power, mean = _amplitudes(modes)
    return torch.maximum(power * math.exp(-gamma_max), mean * math.exp(-0.5 * gamma_max))


def _amplitudes(modes: ModeStatistics) -> tuple[Tensor, Tensor]:
    """Factors of the two errors: largest ``P`` and largest ``2 r^2 sqrt(P_c)``, by channel."""
    known = 1.0 - modes.residual / modes.power.clamp(min=torch.finfo(modes.power.dtype).tiny)
    worst = known.clamp(min=2.0 / 3.0, max=1.0)
    mean = 2.0 * worst * torch.sqrt(modes.power * (1.0 - worst))
    return modes.power.amax(1), mean.amax(1)


def spectral_start(noise: Tensor, condition: Tensor, modes: ModeStatistics, gamma: float) -> Tensor:
    r"""Draw of the Gaussian marginal at ``gamma`` from unit noise.

    .. math:: z_k = \alpha\,T_k c_k + \sqrt{\alpha^2 P_{c,k} + \sigma^2}\;\epsilon_k

    Parameters
    ----------
    noise
        Unit noise, ``(batch, channel, ...)``.
    condition
        Normalised condition, ``(batch, ...)``.
    modes
        Spectra of windows of the same size.
    gamma
        Where the solver starts.
    """
    axes = tuple(range(2, noise.ndim))
    shell = mode_shells(noise.shape[2:], noise.device)
    alpha2 = 1.0 / (1.0 + math.exp(gamma))
    spread = torch.sqrt(alpha2 * modes.residual + (1.0 - alpha2)).to(noise.device)[:, shell]
    mean = (math.sqrt(alpha2) * modes.transfer).to(noise.device)[:, shell]
    z = spread * torch.fft.fftn(noise.double(), dim=axes)
    z = z + mean * torch.fft.fftn(condition.double().unsqueeze(1), dim=axes)
    start: Tensor = torch.fft.ifftn(z, dim=axes).real.to(noise.dtype)
    return start


def mode_shells(shape: Sequence[int], device: torch.device) -> Tensor:
    """Nearest integer of ``|k|`` for every mode, in units of the longest wave."""
    axes = [torch.fft.fftfreq(n, 1.0 / n, dtype=torch.float64) * max(shape) / n for n in shape]
    square = sum(k**2 for k in torch.meshgrid(*axes, indexing="ij"))
    return torch.sqrt(torch.as_tensor(square)).round().long().to(device)
