r"""Paths: every Gaussian process :math:`a x + s \epsilon` is the variance-preserving one, rescaled.

At the same :math:`\gamma = -\ln(a^2/s^2)` two paths differ by the factor :math:`a/\alpha` alone, so
losses, solvers and likelihoods work in the variance-preserving coordinates ``z`` whatever the path.
A path decides two things: the scale in which the network sees its input, and the clock in which
:class:`~emulator.diffusion.solvers.single_step.Euler` and ``Heun`` take straight steps.

========================  =========================  ===============  =============================
name                      a, s                       clock            literature
========================  =========================  ===============  =============================
``variance_preserving``   :math:`\alpha, \sigma`     :math:`\gamma`   VDM, DDPM, VP-SDE
``variance_exploding``    :math:`1, e^{\gamma/2}`    ``s``            NCSN, VE-SDE, EDM
``linear``                :math:`1 - \tau, \tau`     :math:`\tau`     flow matching, rectified flow
========================  =========================  ===============  =============================

with :math:`\tau = \sigma/(\alpha + \sigma) = \mathrm{sigmoid}(\gamma/2)`.

References
----------
Song et al. (2021), arXiv:2011.13456; Karras et al. (2022), arXiv:2206.00364; Lipman et al. (2023),
arXiv:2210.02747; Kingma & Gao (2023), arXiv:2303.00848, appendix D.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.config.names import PathName
from emulator.diffusion.process import alpha_sigma, amplitudes


class Moment(NamedTuple):
    """A path at one noise level, in float64: the clock, ``a``, ``s`` and their rates."""

    time: float
    scale: float
    """``a / alpha``: the path's coordinates over the variance-preserving ones."""
    signal_rate: float
    noise_rate: float


@dataclass(frozen=True)
class Path:
    """One of the three paths of the table above.

    Parameters
    ----------
    name
        Which.
    """

    name: PathName = "variance_preserving"

    def scale(self, gamma: Tensor) -> Tensor:
        r"""``a / alpha``: factor from variance-preserving to this path's coordinates."""
        if self.name == "variance_preserving":
            return torch.ones_like(gamma)
        alpha, sigma = alpha_sigma(gamma)
        return 1.0 / alpha if self.name == "variance_exploding" else 1.0 / (alpha + sigma)

    def moment(self, gamma: float) -> Moment:
        """Clock, scale and rates of change per unit of the clock at one gamma."""
        alpha, sigma = amplitudes(gamma)
        if self.name == "variance_preserving":
            return Moment(gamma, 1.0, -0.5 * alpha * sigma**2, 0.5 * alpha**2 * sigma)
        if self.name == "variance_exploding":
            return Moment(math.exp(0.5 * gamma), 1.0 / alpha, 0.0, 1.0)
        total = alpha + sigma
        return Moment(sigma / total, 1.0 / total, -1.0, 1.0)


VARIANCE_EXPLODING = Path("variance_exploding")
