r"""Loss weights: what an error at some gamma costs.

Every published diffusion loss is :math:`\tfrac12 E_{t}[\,w(\gamma)\,\gamma'(t)\,\|\epsilon -
\hat\epsilon\|^2]`: the schedule says where gammas are drawn, the weight what an error there
costs. Two families are in use. ``bound`` and ``sigmoid`` are functions of gamma, and their loss is
the same for every schedule between the same ends. The others are costs *of a draw*: their
:math:`w \gamma'` is fixed, and so the schedule is a part of the loss.

===========  ===============================================  ====================================
name         cost of a draw, of :math:`\|\epsilon-\hat\epsilon\|^2`  source
===========  ===============================================  ====================================
``bound``    :math:`\gamma'/2`                                Kingma et al. (2021), eq. 17
``sigmoid``  :math:`\gamma'\,\mathrm{sg}(\gamma + b)/2`         Kingma & Gao (2023), section 4
``simple``   1                                                Ho et al. (2020), eq. 14
``min_snr``  :math:`\min(1, g\,e^{\gamma})`                    Hang et al. (2023), eq. 8
``edm``      :math:`1 + \tilde\sigma^2/s^2`                   Karras et al. (2022), table 1
``plain``    whatever makes it the squared error of the output
===========  ===============================================  ====================================
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from emulator.config.names import WeightName
from emulator.diffusion.parameterization import Parameterization

OF_GAMMA_ALONE = ("bound", "sigmoid")
"""Weights whose loss does not depend on the schedule: only they can train one."""


@dataclass(frozen=True)
class Weight:
    """One row of the table above.

    Parameters
    ----------
    name
        Which.
    min_snr
        ``g``, the SNR above which ``min_snr`` costs less.
    sigmoid_bias
        ``b`` of ``sigmoid``.
    sigma_data
        ``s`` of ``edm``.
    """

    name: WeightName = "plain"
    min_snr: float = 5.0
    sigmoid_bias: float = 2.0
    sigma_data: float = 1.0

    def of_eps(self, gamma: Tensor, slope: Tensor) -> Tensor:
        """Cost of a draw of the squared eps error; not for ``plain``, which has no fixed one."""
        match self.name:
            case "bound":
                return 0.5 * slope
            case "sigmoid":
                return 0.5 * slope * torch.sigmoid(gamma + self.sigmoid_bias)
            case "min_snr":
                return (self.min_snr * torch.exp(gamma)).clamp(max=1.0)
            case "edm":
                return 1.0 + torch.exp(gamma) / self.sigma_data**2
            case "simple":
                return torch.ones_like(gamma)
            case "plain":
                raise ValueError("'plain' is a cost of the output's error, not of eps")

    def of_output(self, parameterization: Parameterization, gamma: Tensor, slope: Tensor) -> Tensor:
        """Cost of the squared error of the network's output, shape of ``gamma``."""
        if self.name == "plain":
            return torch.ones_like(gamma)
        return self.of_eps(gamma, slope) * parameterization.eps_error_scale(gamma) ** 2
