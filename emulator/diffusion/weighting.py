r"""Training objectives: which gammas are drawn, and what an error there costs.

Every published diffusion loss is a choice of a density :math:`p(\gamma)` to draw from and of a
weight :math:`w(\gamma)`:
:math:`L = \tfrac12 E_{\gamma\sim p}[(w/p)\,\|\epsilon-\hat\epsilon\|^2]`. Two are
offered:

* ``bound``: :math:`w = 1`, gamma uniform; the variational bound of Kingma et al. (2021). It rewards
  tiny eps errors, which turn into huge x errors at high noise: good likelihoods, poor samples.
* ``logistic``: the plain squared error of the network's own output, gamma from a logistic
  distribution: for v-prediction :math:`w/p = 2/\alpha^2`, bounded in x at every noise level.

References
----------
Kingma & Gao (2023), arXiv:2303.00848, section 3 and table 1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Kind, eps_error_scale
from emulator.diffusion.schedule import FixedLinear


@dataclass(frozen=True)
class BoundObjective:
    """Variational bound a dimension [nats], without its constant prior and reconstruction terms."""

    schedule: FixedLinear

    def gamma(self, u: Tensor) -> Tensor:
        """Gamma at quantile ``u`` of the training distribution, here uniform."""
        return self.schedule.gamma(u)

    def weight(self, kind: Kind, gamma: Tensor) -> Tensor:
        r"""Weight of the squared output error: :math:`\tfrac12 \gamma'` times that of eps."""
        return 0.5 * self.schedule.span * eps_error_scale(kind, gamma) ** 2


@dataclass(frozen=True)
class LogisticObjective:
    r"""Squared error of the network's output under a truncated logistic distribution of gamma.

    Parameters
    ----------
    schedule
        Its end points truncate the distribution.
    loc, scale
        Centre and scale of the logistic distribution of gamma.
    """

    schedule: FixedLinear
    loc: float = -0.5
    scale: float = 1.4

    def gamma(self, u: Tensor) -> Tensor:
        r"""Quantile function :math:`\gamma = loc + scale\,\mathrm{logit}(F_0 + u (F_1 - F_0))`."""
        low, high = (
            1.0 / (1.0 + math.exp(-(end - self.loc) / self.scale))
            for end in (self.schedule.gamma_min, self.schedule.gamma_max)
        )
        quantile = low + u.double() * (high - low)
        gamma = self.loc + self.scale * torch.logit(quantile, eps=1e-12)
        return gamma.clamp(self.schedule.gamma_min, self.schedule.gamma_max).to(u.dtype)

    def weight(self, kind: Kind, gamma: Tensor) -> Tensor:
        """Weight of the squared output error: one, whatever the network predicts."""
        return torch.ones_like(gamma)


Objective = BoundObjective | LogisticObjective
