r"""Members of a one-step ensemble: what a network makes of unit noise in one pass.

For every channel of the model the network has two, an offset and a logarithm of a scale; its noise
has as many:

.. math:: x = a(z, c) + e^{b(z, c)}\, z_1, \qquad z = (z_1, z_2) \sim N(0, I).

A network that returns zero draws unit noise, which has the spread of normalised data: training
begins with the climatology and has only to learn what is known. The noise of single pixels need
not pass the network, and ``b`` tells how much of it there is; what belongs together in space is
left to ``a``, which sees all noise.
"""

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Network
from emulator.model.conditional import one_pass

LOG_SCALES = (-6.0, 3.0)
"""Range of ``b``: beyond it nothing is normalised any more."""


def draw_members(network: Network, z: Tensor) -> Tensor:
    """Members ``(batch, channel, y, x)`` of unit noise ``(batch, 2 channel, y, x)``."""
    offset, log_scale = one_pass(network, z).chunk(2, dim=1)
    scale = torch.exp(log_scale.clamp(*LOG_SCALES))
    return offset + scale * z[:, : offset.shape[1]]
